//! The spelling of all keys, compared with files: `schema_version` 1 promises that it never
//! changes.

use backsight_formats::maps_text::MapsLine;
use backsight_formats::ndjson::{
    AddressLine, CheckLine, HeaderLine, IndexLine, JsonFrame, JsonLine, JsonTable, MappingLine,
    Reader, SampleLine, VmaLine, Writer,
};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, Arch, BuildId, Device, FileOffset, Lookup, Module, ModuleIdx,
    ModuleKind, Outcome, Perms, Reason, Segment, Segments, VirtOffset,
};

const GOLDEN: &str = include_str!("golden/schema_version_1.ndjson");
const GOLDEN_VMAS: &str = include_str!("golden/maps.ndjson");

fn libc() -> Module {
    let text = Segment {
        flags: Perms::READ | Perms::EXECUTE,
        file_offset: FileOffset(0x26000),
        virt_offset: VirtOffset(0x27000),
        file_size: 0x15_5000,
        memory_size: 0x15_5100,
    };
    Module::default()
        .with_kind(ModuleKind::File)
        .with_path(b"/usr/lib/x86_64-linux-gnu/libc.so.6")
        .with_deleted(false)
        .with_device(Device {
            major: 0xfe,
            minor: 0,
        })
        .with_inode(326_279)
        .with_build_id(Some(
            "77c79fb21eb47c20c3ee7bd1ff1b1a9e25e6dd40".parse().unwrap(),
        ))
        .with_segments(Some(Segments::new(vec![text])))
        .with_arch(Some(Arch(62)))
        .with_unreadable(None)
        .with_by_path(false)
}

fn records() -> Vec<JsonLine> {
    let libc = libc();
    let vdso = Module::default()
        .with_kind(ModuleKind::Vdso)
        .with_path(b"[vdso]");
    let gone = Module::default()
        .with_path(b"/tmp/\xff.so")
        .with_deleted(true)
        .with_device(Device { major: 0, minor: 1 })
        .with_inode(7)
        .with_unreadable(Some(Reason::Deleted));
    let located = |module, offset| Outcome::Located {
        module: ModuleIdx(module),
        file_offset: FileOffset(offset),
    };
    let inner = JsonFrame {
        function: Some("inner".into()),
        linkage_name: Some("_ZN5innerE".into()),
        file: Some("/src/a.rs".into()),
        line: Some(12),
        column: Some(5),
        inlined: true,
        ..JsonFrame::default()
    };
    let outer = JsonFrame {
        function: Some("outer".into()),
        file: Some("/src/a.rs".into()),
        line: Some(40),
        start: Some(VirtOffset(0x8e100)),
        ..JsonFrame::default()
    };
    let module = |index, module: &Module| JsonLine::Module {
        index: ModuleIdx(index),
        module: module.clone(),
    };
    let in_libc = AddressLine::normalized(
        AbsAddr(0x7f00_0006_8123),
        Lookup::Exact,
        located(0, 0x8e123),
        Some(&libc),
    );
    let unresolved = |address, reason| {
        let outcome = Outcome::Unresolved(reason);
        JsonLine::Address(AddressLine::normalized(
            AbsAddr(address),
            Lookup::Return,
            outcome,
            None,
        ))
    };
    vec![
        JsonLine::Header(HeaderLine {
            pid: Some(123),
            backend: Some("ioctl".to_owned()),
            ..HeaderLine::new("backsight 0.1.0")
        }),
        module(0, &libc),
        JsonLine::Address(in_libc.clone()),
        module(1, &vdso),
        JsonLine::Address(AddressLine::normalized(
            AbsAddr(0x7fff_0000_0a10),
            Lookup::Return,
            located(1, 0xa10),
            Some(&vdso),
        )),
        module(2, &gone),
        unresolved(0x10, Reason::Unmapped),
        unresolved(0x7f00_1000_0000, Reason::Anonymous),
        unresolved(u64::MAX, Reason::Kernel),
        JsonLine::Address(AddressLine {
            frames: vec![inner, outer],
            ..in_libc
        }),
        JsonLine::Address(AddressLine {
            module: Some(ModuleIdx(0)),
            virtual_offset: Some(VirtOffset(0x1234)),
            kind: Some(AddrKind::File),
            reason: Some(Reason::NoSymbols),
            ..AddressLine::default()
        }),
        JsonLine::Mapping(MappingLine {
            pid: Some(1),
            process: None,
            start: AbsAddr(0x1000),
            end: AbsAddr(0x2000),
            file_offset: FileOffset(0),
            perms: Perms::READ | Perms::EXECUTE,
            module: Some(ModuleIdx(0)),
            time_ns: Some(0),
        }),
        JsonLine::Sample(SampleLine {
            pid: Some(1),
            tid: Some(1),
            time_ns: Some(0),
            values: vec![1],
            stack: vec![0, 1],
            ..SampleLine::default()
        }),
    ]
}

#[test]
fn every_record_is_spelled_as_the_golden_file() {
    let mut writer = Writer::new(Vec::new());
    for record in records() {
        writer.record(&record).unwrap();
    }
    assert_eq!(String::from_utf8(writer.into_inner()).unwrap(), GOLDEN);
}

#[test]
fn the_golden_file_reads_as_the_records() {
    let read: Result<Vec<JsonLine>, _> = Reader::new(GOLDEN.as_bytes())
        .map(|item| item.map(|(_, record)| record))
        .collect();
    assert_eq!(read.unwrap(), records());
}

#[test]
fn a_vma_is_spelled_as_the_golden_file() {
    let line = MapsLine {
        range: AbsRange::new(AbsAddr(0x7f00_0000_0000), AbsAddr(0x7f00_0002_6000)).unwrap(),
        perms: Perms::READ,
        file_offset: FileOffset(0x1000),
        device: Device {
            major: 0xfe,
            minor: 0,
        },
        inode: 326_279,
        name: b"/usr/lib/libc.so.6",
    };
    let no_name = MapsLine {
        name: b"",
        inode: 0,
        ..line
    };
    let not_utf8 = MapsLine {
        name: b"/a\xff",
        ..line
    };
    let mut writer = Writer::new(Vec::new());
    let id = "77c7".parse().unwrap();
    writer
        .vma(&VmaLine::new(&line, false, "file", Some(id)))
        .unwrap();
    writer
        .vma(&VmaLine::new(&no_name, false, "anonymous", None))
        .unwrap();
    writer
        .vma(&VmaLine::new(&not_utf8, true, "file", None))
        .unwrap();
    assert_eq!(String::from_utf8(writer.into_inner()).unwrap(), GOLDEN_VMAS);
}

#[test]
fn outcomes_come_back() {
    for record in records() {
        if let JsonLine::Address(address) = record {
            let got = address.outcome();
            match (address.file_offset, address.reason) {
                (Some(_), _) => assert!(matches!(got, Some(Outcome::Located { .. }))),
                (None, reason) => assert_eq!(got, reason.map(Outcome::Unresolved)),
            }
        }
    }
}

/// `backsight doctor --format json`.
#[test]
fn a_check_is_spelled_so() {
    let mut writer = Writer::new(Vec::new());
    let check = CheckLine {
        name: "map-files",
        state: "limited",
        found: "may not be followed",
        advice: Some("run as root"),
    };
    writer.check(&check).unwrap();
    let fine = CheckLine {
        state: "ok",
        advice: None,
        ..check
    };
    writer.check(&fine).unwrap();
    let want = concat!(
        r#"{"type":"check","name":"map-files","state":"limited","#,
        r#""found":"may not be followed","advice":"run as root"}"#,
        "\n",
        r#"{"type":"check","name":"map-files","state":"ok","found":"may not be followed"}"#,
        "\n",
    );
    let lines = writer.into_inner();
    assert_eq!(str::from_utf8(&lines), Ok(want));
    // A reader of addresses ignores these lines.
    assert_eq!(Reader::new(lines.as_slice()).count(), 0);
}

/// `backsight index show --format json`.
#[test]
fn an_index_is_spelled_so() {
    let mut writer = Writer::new(Vec::new());
    let tables = [JsonTable {
        name: "windows",
        rows: 2,
        bytes: 32,
    }];
    let id = BuildId::from_bytes(&[0xab, 1]).ok();
    let whole = IndexLine::new(b"a.index", id, 4096, false, &tables);
    writer.index(&whole).unwrap();
    let nameless = IndexLine::new(b"\xff", None, 496, true, &[]);
    writer.index(&nameless).unwrap();
    let want = concat!(
        r#"{"type":"index","path":"a.index","build_id":"ab01","size":4096,"#,
        r#""limit_reached":false,"tables":[{"name":"windows","rows":2,"bytes":32}]}"#,
        "\n",
        r#"{"type":"index","path":"�","path_hex":"ff","size":496,"#,
        r#""limit_reached":true,"tables":[]}"#,
        "\n",
    );
    let lines = writer.into_inner();
    assert_eq!(str::from_utf8(&lines), Ok(want));
    // A reader of addresses ignores these lines.
    assert_eq!(Reader::new(lines.as_slice()).count(), 0);
}
