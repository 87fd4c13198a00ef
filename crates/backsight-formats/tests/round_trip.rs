//! What is written is read back, for random profiles.

use std::borrow::Cow;

use backsight_formats::ndjson::{
    AddressLine, HeaderLine, JsonFrame, JsonLabel, JsonLine, JsonPeriod, JsonValueType,
    MappingLine, ProcessLine, ProfileLine, Reader, SampleLine, ThreadLine, Writer,
};
use backsight_types::{
    AbsAddr, AddrKind, Arch, BuildId, Device, FileOffset, Lookup, Module, ModuleIdx, ModuleKind,
    Perms, Reason, Segment, Segments, VirtOffset,
};
use proptest::option;
use proptest::prelude::*;

fn build_id() -> impl Strategy<Value = BuildId> {
    prop::collection::vec(any::<u8>(), 1..=64)
        .prop_map(|raw| BuildId::from_bytes(&raw).expect("a length in range"))
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(&Reason::ALL[..])
}

prop_compose! {
    fn segment()(
        bits in 0_u8..8, file: u64, virt: u64, file_size: u64, memory_size: u64
    ) -> Segment {
        Segment {
            flags: Perms::from_bits(bits),
            file_offset: FileOffset(file),
            virt_offset: VirtOffset(virt),
            file_size,
            memory_size,
        }
    }
}

prop_compose! {
    fn module()(
        vdso: bool,
        path: Vec<u8>,
        deleted: bool,
        (major, minor, inode) in any::<(u32, u32, u64)>(),
        build_id in option::of(build_id()),
        segments in option::of(prop::collection::vec(segment(), 0..4)),
        arch in option::of(any::<u16>()),
        unreadable in option::of(reason()),
    ) -> Module {
        Module::default().with_kind(if vdso { ModuleKind::Vdso } else { ModuleKind::File }).with_path(path).with_deleted(deleted).with_device(Device { major, minor }).with_inode(inode).with_build_id(build_id).with_segments(segments.map(Segments::new)).with_arch(arch.map(Arch)).with_unreadable(unreadable).with_by_path(deleted).with_from_memory(vdso).with_inferred(deleted)
    }
}

prop_compose! {
    fn frame()(
        function in option::of(any::<String>()),
        linkage_name in option::of(any::<String>()),
        file in option::of(any::<String>()),
        line: Option<u32>,
        column: Option<u32>,
        start_line: Option<u32>,
        inlined: bool,
        start: Option<u64>,
    ) -> JsonFrame<'static> {
        JsonFrame {
            function: function.map(Cow::Owned),
            linkage_name: linkage_name.map(Cow::Owned),
            file: file.map(Cow::Owned),
            line,
            column,
            start_line,
            inlined,
            start: start.map(VirtOffset),
            start_file_offset: start.map(FileOffset),
        }
    }
}

prop_compose! {
    fn address()(
        index: Option<u64>,
        (address, file_offset, virtual_offset) in any::<[Option<u64>; 3]>().prop_map(<(_, _, _)>::from),
        module: Option<u32>,
        kind in option::of(prop::sample::select(vec![
            AddrKind::File, AddrKind::Vdso, AddrKind::Anonymous, AddrKind::Kernel,
        ])),
        returns: bool,
        reason in option::of(reason()),
        frames in prop::collection::vec(frame(), 0..3),
    ) -> AddressLine<'static> {
        AddressLine {
            index,
            address: address.map(AbsAddr),
            module: module.map(ModuleIdx),
            file_offset: file_offset.map(FileOffset),
            virtual_offset: virtual_offset.map(VirtOffset),
            kind,
            lookup: if returns { Lookup::Return } else { Lookup::Exact },
            reason,
            frames,
        }
    }
}

prop_compose! {
    fn sample()(
        [pid, tid, thread] in any::<[Option<u32>; 3]>(),
        time_ns: Option<u64>,
        values: Vec<i64>,
        value_type: u32,
        stack: Vec<u64>,
        labels in prop::collection::vec(label(), 0..3),
    ) -> SampleLine {
        SampleLine { pid, tid, thread, time_ns, values, value_type, stack, labels }
    }
}

prop_compose! {
    fn label()(
        key: String, text: Option<String>, number: Option<i64>, unit: Option<String>
    ) -> JsonLabel {
        JsonLabel { key, text, number, unit }
    }
}

prop_compose! {
    fn about()(
        types: Vec<(String, String)>,
        default_type: Option<u32>,
        period: Option<(String, String, i64)>,
        [start_ns, duration_ns] in any::<[Option<u64>; 2]>(),
        comments: Vec<String>,
    ) -> ProfileLine {
        let value_type = |(kind, unit)| JsonValueType { kind, unit };
        ProfileLine {
            sample_types: types.into_iter().map(value_type).collect(),
            default_type,
            period: period.map(|(kind, unit, value)| JsonPeriod { kind, unit, value }),
            start_ns,
            duration_ns,
            comments,
        }
    }
}

fn record() -> impl Strategy<Value = JsonLine> {
    prop_oneof![
        (
            any::<String>(),
            any::<Option<u32>>(),
            any::<Option<String>>()
        )
            .prop_map(|(tool, pid, backend)| JsonLine::Header(HeaderLine {
                pid,
                backend,
                ..HeaderLine::new(tool)
            })),
        (any::<u32>(), module()).prop_map(|(index, module)| JsonLine::Module {
            index: ModuleIdx(index),
            module
        }),
        address().prop_map(JsonLine::Address),
        (
            any::<[u64; 3]>(),
            0_u8..16,
            any::<([Option<u32>; 3], Option<u64>)>()
        )
            .prop_map(
                |([start, end, offset], bits, ([pid, process, module], time_ns))| {
                    JsonLine::Mapping(MappingLine {
                        pid,
                        process,
                        start: AbsAddr(start),
                        end: AbsAddr(end),
                        file_offset: FileOffset(offset),
                        perms: Perms::from_bits(bits),
                        module: module.map(ModuleIdx),
                        time_ns,
                    })
                }
            ),
        sample().prop_map(JsonLine::Sample),
        about().prop_map(JsonLine::About),
        any::<(u32, u32, Option<String>, [Option<u64>; 2])>().prop_map(
            |(index, pid, name, [start_ns, end_ns])| JsonLine::Process(ProcessLine {
                index,
                pid,
                name,
                start_ns,
                end_ns,
            })
        ),
        any::<(u32, u32, Option<u32>, Option<String>)>().prop_map(|(index, process, tid, name)| {
            JsonLine::Thread(ThreadLine {
                index,
                process,
                tid,
                name,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn records_are_read_as_they_were_written(records in prop::collection::vec(record(), 0..6)) {
        let mut writer = Writer::new(Vec::new());
        for record in &records {
            writer.record(record).unwrap();
        }
        let bytes = writer.into_inner();
        prop_assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), records.len());
        let read: Vec<JsonLine> = Reader::new(&bytes[..])
            .map(|item| item.map(|(_, record)| record))
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn no_input_makes_it_panic(bytes: Vec<u8>) {
        let _ = Reader::new(&bytes[..]).count();
    }

    #[test]
    fn no_bent_line_makes_it_panic(record in record(), at: prop::sample::Index, byte: u8) {
        let mut writer = Writer::new(Vec::new());
        writer.record(&record).unwrap();
        let mut bytes = writer.into_inner();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = Reader::new(&bytes[..]).count();
    }
}
