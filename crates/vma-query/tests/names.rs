//! Names that only some kernels give, and saved texts of several machines.

mod common;

use testkit::child::Child;
use testkit::maps::Line;
use testkit::{fixture, naive};
use vma_query::{AbsAddr, Error, NameBuf, ProcMaps, Query, Snapshot, VmaName};

#[test]
fn names_of_many_kernels_are_told_apart() {
    let path = |path| VmaName::Path {
        path,
        deleted: false,
    };
    let deleted = |path| VmaName::Path {
        path,
        deleted: true,
    };
    let want = [
        path(b"/opt/a name with spaces/lib x.so"),
        path(b"/opt/two\nlines\n.so"),
        // Its name contains \012, which the text does not distinguish from a newline.
        path(b"/opt/four characters \n of its own"),
        deleted(b"/opt/replaced.so"),
        deleted(b"/opt/twice (deleted)"),
        deleted(b"/opt/really named so"),
        path(b"/opt/trailing space "),
        path(b"/opt/two  spaces"),
        path(b"/opt/not \xff\xfe UTF-8.so"),
        path("/opt/ümläut.so".as_bytes()),
        path(b"/opt/\x1b[31mred\x1b[0m.so"),
        path(b"/opt/a\ttab"),
        VmaName::Heap,
        VmaName::None,
        VmaName::Anon(b"plain"),
        VmaName::Anon(b"with spaces (and more)"),
        VmaName::Anon(b""),
        VmaName::AnonShmem(b"shared one"),
        VmaName::Memfd { name: b"code" },
        VmaName::Memfd { name: b"" },
        VmaName::Memfd {
            name: b"a b (deleted)",
        },
        path(b"/dev/zero"),
        deleted(b"/dev/zero"),
        deleted(b"/SYSV00000000"),
        deleted(b"/SYSVdeadbeef"),
        deleted(b"/anon_hugepage"),
        path(b"/dev/hugepages/pool"),
        deleted(b"/i915"),
        VmaName::Other(b"anon_inode:[perf_event]"),
        VmaName::Other(b"anon_inode:[io_uring]"),
        VmaName::Other(b"socket:[48213]"),
        VmaName::Uprobes,
        VmaName::Vvar,
        VmaName::Vvar,
        VmaName::Vdso,
        path(b"//deleted"),
        path(b"/"),
        VmaName::Stack,
        VmaName::Other(b"[stack:4711]"),
        VmaName::Vsyscall,
    ];
    let saved = Snapshot::parse(&fixture("maps/names.maps")).unwrap();
    assert_eq!(saved.len(), want.len());
    let mut cursor = saved.cursor();
    let mut name = NameBuf::new();
    for (found, want) in saved.iter().zip(want) {
        assert_eq!(found.name(), want);
        cursor.seek_named(found.vma.start, &mut name).unwrap();
        assert_eq!(name.name(), want);
    }
}

#[test]
fn saved_texts_of_all_machines_are_read() {
    let texts = [
        "x86-64",
        "aarch64",
        "android-aarch64",
        "i386",
        "i386-kernel",
        "long-paths",
        "names",
        "wide-numbers",
    ];
    for text in texts {
        let text = fixture(&format!("maps/{text}.maps"));
        let saved = Snapshot::parse(&text).unwrap();
        let read = saved.iter().map(|it| common::line(it.vma, it.raw_name));
        let want: Vec<Line> = naive::lines(&text).collect();
        assert_eq!(read.collect::<Vec<_>>(), want);
    }
}

#[test]
fn a_torn_text_and_that_of_a_zombie_are_refused() {
    for (text, want) in [("torn", 3), ("zombie", 1)] {
        match Snapshot::parse(&fixture(&format!("maps/{text}.maps"))) {
            Err(Error::Malformed { line, .. }) => assert_eq!(line, want, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn memory_named_by_prctl_reads_back() {
    let mut child = Child::spawn();
    let range = child.anon("rw-p", 0x1000);
    // Many kernels are built without such names. The saved text covers these.
    let want = match child.name_anon(&range, "a name") {
        Some(()) => VmaName::Anon(b"a name"),
        None => VmaName::None,
    };
    let mut name = NameBuf::new();
    let maps = ProcMaps::open(child.pid()).unwrap();
    let query = Query::covering(AbsAddr(range.start));
    maps.query_named(query, &mut name).unwrap().unwrap();
    assert_eq!(name.name(), want);
}
