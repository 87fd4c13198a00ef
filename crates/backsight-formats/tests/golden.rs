//! The spelling of every key, held by a file: what `schema_version` 1 promises.

use backsight_formats::maps_text::MapsLine;
use backsight_formats::ndjson::{
    Address, Check, Frame, Header, Index, IndexTable, Mapping, Reader, Record, Sample, Vma, Writer,
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
    Module {
        kind: ModuleKind::File,
        path: b"/usr/lib/x86_64-linux-gnu/libc.so.6".to_vec(),
        deleted: false,
        device: Device {
            major: 0xfe,
            minor: 0,
        },
        inode: 326_279,
        build_id: Some("77c79fb21eb47c20c3ee7bd1ff1b1a9e25e6dd40".parse().unwrap()),
        segments: Some(Segments::new(vec![text])),
        arch: Some(Arch(62)),
        unreadable: None,
        by_path: false,
    }
}

fn records() -> Vec<Record> {
    let libc = libc();
    let vdso = Module {
        kind: ModuleKind::Vdso,
        path: b"[vdso]".to_vec(),
        ..Module::default()
    };
    let gone = Module {
        path: b"/tmp/\xff.so".to_vec(),
        deleted: true,
        device: Device { major: 0, minor: 1 },
        inode: 7,
        unreadable: Some(Reason::Deleted),
        ..Module::default()
    };
    let located = |module, offset| Outcome::Located {
        module: ModuleIdx(module),
        file_offset: FileOffset(offset),
    };
    let inner = Frame {
        function: Some("inner".into()),
        linkage_name: Some("_ZN5innerE".into()),
        file: Some("/src/a.rs".into()),
        line: Some(12),
        column: Some(5),
        inlined: true,
        ..Frame::default()
    };
    let outer = Frame {
        function: Some("outer".into()),
        file: Some("/src/a.rs".into()),
        line: Some(40),
        start: Some(VirtOffset(0x8e100)),
        ..Frame::default()
    };
    let module = |index, module: &Module| Record::Module {
        index: ModuleIdx(index),
        module: module.clone(),
    };
    let in_libc = Address::normalized(
        AbsAddr(0x7f00_0006_8123),
        Lookup::Exact,
        located(0, 0x8e123),
        Some(&libc),
    );
    let unresolved = |address, reason| {
        let outcome = Outcome::Unresolved(reason);
        Record::Address(Address::normalized(
            AbsAddr(address),
            Lookup::Return,
            outcome,
            None,
        ))
    };
    vec![
        Record::Header(Header {
            pid: Some(123),
            backend: Some("ioctl".to_owned()),
            ..Header::new("backsight 0.1.0")
        }),
        module(0, &libc),
        Record::Address(in_libc.clone()),
        module(1, &vdso),
        Record::Address(Address::normalized(
            AbsAddr(0x7fff_0000_0a10),
            Lookup::Return,
            located(1, 0xa10),
            Some(&vdso),
        )),
        module(2, &gone),
        unresolved(0x10, Reason::Unmapped),
        unresolved(0x7f00_1000_0000, Reason::Anonymous),
        unresolved(u64::MAX, Reason::Kernel),
        Record::Address(Address {
            frames: vec![inner, outer],
            ..in_libc
        }),
        Record::Address(Address {
            module: Some(ModuleIdx(0)),
            virtual_offset: Some(VirtOffset(0x1234)),
            kind: Some(AddrKind::File),
            reason: Some(Reason::NoSymbols),
            ..Address::default()
        }),
        Record::Mapping(Mapping {
            pid: Some(1),
            process: None,
            start: AbsAddr(0x1000),
            end: AbsAddr(0x2000),
            file_offset: FileOffset(0),
            perms: Perms::READ | Perms::EXECUTE,
            module: Some(ModuleIdx(0)),
            time_ns: Some(0),
        }),
        Record::Sample(Sample {
            pid: Some(1),
            tid: Some(1),
            time_ns: Some(0),
            values: vec![1],
            stack: vec![0, 1],
            ..Sample::default()
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
    let read: Result<Vec<Record>, _> = Reader::new(GOLDEN.as_bytes())
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
        .vma(&Vma::new(&line, false, "file", Some(id)))
        .unwrap();
    writer
        .vma(&Vma::new(&no_name, false, "anonymous", None))
        .unwrap();
    writer
        .vma(&Vma::new(&not_utf8, true, "file", None))
        .unwrap();
    assert_eq!(String::from_utf8(writer.into_inner()).unwrap(), GOLDEN_VMAS);
}

#[test]
fn outcomes_come_back() {
    for record in records() {
        if let Record::Address(address) = record {
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
    let check = Check {
        name: "map-files",
        state: "limited",
        found: "may not be followed",
        advice: Some("run as root"),
    };
    writer.check(&check).unwrap();
    let fine = Check {
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
    // Whoever reads addresses passes over it.
    assert_eq!(Reader::new(lines.as_slice()).count(), 0);
}

/// `backsight index show --format json`.
#[test]
fn an_index_is_spelled_so() {
    let mut writer = Writer::new(Vec::new());
    let tables = [IndexTable {
        name: "windows",
        rows: 2,
        bytes: 32,
    }];
    let id = BuildId::from_bytes(&[0xab, 1]).ok();
    let whole = Index::new(b"a.index", id, 4096, false, &tables);
    writer.index(&whole).unwrap();
    let nameless = Index::new(b"\xff", None, 496, true, &[]);
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
    // Whoever reads addresses passes over it.
    assert_eq!(Reader::new(lines.as_slice()).count(), 0);
}
