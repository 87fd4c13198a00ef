//! The ioctl and the text give the same VMAs and the same names, field for field, and
//! both give what a simple parser finds in the text.

mod common;

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use common::{
    backends, covering, file_below_deep_folders, first_reaching, line, nameless, open,
    telling_addresses, walk,
};
use testkit::child::{Child, spawn_32_bit};
use testkit::maps::Line;
use testkit::{naive, skip};
use vma_query::{AbsAddr, Backend, NameBuf, ProcMaps, Query, VmaName};

/// The file to map: the executable of this process.
const SOME_FILE: &str = "/proc/self/exe";

#[test]
fn every_shape_of_memory_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let child = child_of_all_shapes(dir.path());
    assert_same(child.pid());
}

#[test]
fn thousands_of_vmas_read_the_same() {
    let mut child = Child::spawn();
    child.layout(SOME_FILE, 1500);
    child.gaps(SOME_FILE, 500);
    let want = text(child.pid());
    assert!(want.len() > 2000, "{}", want.len());
    assert_walks(child.pid(), &want);
    assert_cursors(child.pid(), &want);
}

#[test]
fn this_process_reads_the_same() {
    // The test harness runs meanwhile, and its other thread may map memory for a short
    // time that neither text shows. A real difference persists in all attempts.
    let pid = std::process::id();
    let mut last = None;
    for _ in 0..200 {
        let before = text(pid);
        let walks: Vec<_> = backends()
            .into_iter()
            .map(|backend| walk(&open(pid, backend)))
            .collect();
        if text(pid) != before {
            continue;
        }
        match walks
            .into_iter()
            .find(|walk| walk.as_ref().ok() != Some(&before))
        {
            None => return,
            Some(other) => last = Some((other, before)),
        }
    }
    panic!("the mappings never stayed the same, or the backends differ: {last:?}");
}

#[test]
fn a_path_above_4_kib_reads_the_same() {
    for levels in [17, 45] {
        let dir = tempfile::tempdir().unwrap();
        let file = file_below_deep_folders(dir.path(), levels);
        let mut child = Child::spawn();
        let link = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let range = child.map(link, "r--p");
        let want = text(child.pid());
        let long = covering(&want, AbsAddr(range.start)).unwrap();
        assert!(long.name.len() > levels * 250, "{}", long.name.len());
        assert_same(child.pid());
    }
}

#[test]
fn a_32_bit_process_reads_the_same() {
    let Some(child) = spawn_32_bit() else {
        return skip("no 32-bit programs on this host");
    };
    let want = text(child.pid());
    let last = want.last().unwrap();
    assert!(
        last.end <= 1 << 32,
        "no [vsyscall] and no high stack: {last:?}"
    );
    assert_same(child.pid());
}

#[test]
fn a_file_called_backslash_012_is_the_one_exception() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(r"a\012b");
    fs::write(&path, "x").unwrap();
    let mut child = Child::spawn();
    let at = Query::covering(AbsAddr(child.map(&path, "r--p").start));
    let names = backends().into_iter().map(|backend| {
        let mut name = NameBuf::new();
        let maps = open(child.pid(), backend);
        maps.query_named(at, &mut name).unwrap().unwrap();
        (maps.backend(), name.as_bytes().to_vec())
    });
    let real = path.as_os_str().as_bytes();
    let with_newline = real.to_vec().escape_ascii().to_string();
    for (backend, name) in names {
        let shown = name.escape_ascii().to_string();
        match backend {
            Backend::Text => assert_eq!(shown, with_newline.replace(r"\\012", r"\n")),
            _ => assert_eq!(name, real),
        }
    }
}

#[test]
fn no_answer_leaves_no_name() {
    let mut child = Child::spawn();
    let range = child.gaps(SOME_FILE, 2);
    let gap = AbsAddr(range.start + (range.end - range.start) / 4);
    for backend in backends() {
        let maps = open(child.pid(), backend);
        let mut name = NameBuf::new();
        let code = Query::covering(AbsAddr(range.start));
        assert!(maps.query_named(code, &mut name).unwrap().is_some());
        assert!(!name.as_bytes().is_empty());
        assert_eq!(
            maps.query_named(Query::covering(gap), &mut name).unwrap(),
            None
        );
        assert_eq!(name.name(), VmaName::None, "{backend:?}");
        let above_all = Query::covering_or_next(AbsAddr(u64::MAX));
        maps.query_named(code, &mut name).unwrap();
        assert_eq!(maps.query_named(above_all, &mut name).unwrap(), None);
        assert_eq!(name.name(), VmaName::None, "{backend:?}");
    }
}

/// Compares all kinds of queries with the text.
fn assert_same(pid: u32) {
    let want = text(pid);
    assert_walks(pid, &want);
    assert_cursors(pid, &want);
    assert_queries(pid, &want);
    assert_eq!(text(pid), want, "the mappings of the child must not change");
}

fn assert_walks(pid: u32, want: &[Line]) {
    let without: Vec<Line> = want.iter().map(nameless).collect();
    for backend in backends() {
        let maps = open(pid, backend);
        assert_eq!(walk(&maps).unwrap(), want, "{backend:?}");
        let bare: Vec<Line> = maps.vmas().map(|vma| line(vma.unwrap(), b"")).collect();
        assert_eq!(bare, without, "{backend:?}");
        let half = want.len() / 2;
        let from = maps.vmas().from(AbsAddr(want[half].start + 1));
        let upper: Vec<Line> = from.map(|vma| line(vma.unwrap(), b"")).collect();
        assert_eq!(upper, without[half..], "{backend:?}");
        let read = maps.snapshot().unwrap();
        let snapshot: Vec<Line> = read.iter().map(|it| line(it.vma, it.raw_name)).collect();
        assert_eq!(snapshot, want, "{backend:?}");
    }
}

fn assert_cursors(pid: u32, want: &[Line]) {
    let upward = telling_addresses(want);
    // Descending, each step reads the text again from its start, so only a few are
    // tested.
    let every = upward.len() / 50 + 1;
    let downward: Vec<AbsAddr> = upward.iter().rev().step_by(every).copied().collect();
    for backend in backends() {
        let maps = open(pid, backend);
        for addrs in [&upward, &downward] {
            let (mut bare, mut named) = (maps.cursor(), maps.cursor());
            for &addr in addrs {
                let expected = first_reaching(want, addr, |_| true);
                let found = bare.seek(addr).unwrap().map(|vma| line(vma, b""));
                assert_eq!(found, expected.map(nameless), "{backend:?} {addr}");
            }
            let mut name = NameBuf::new();
            for &addr in addrs {
                let expected = first_reaching(want, addr, |_| true);
                let found = named.seek_named(addr, &mut name).unwrap();
                let found = found.map(|vma| line(vma, name.as_bytes()));
                assert_eq!(found.as_ref(), expected, "{backend:?} {addr}");
            }
        }
    }
}

fn assert_queries(pid: u32, want: &[Line]) {
    for backend in backends() {
        let maps = open(pid, backend);
        for addr in telling_addresses(want) {
            let next = first_reaching(want, addr, |_| true);
            let at = covering(want, addr);
            for (query, expected) in [
                (Query::covering(addr), at),
                (Query::covering_or_next(addr), next),
            ] {
                let found = maps.query(query).unwrap().map(|vma| line(vma, b""));
                assert_eq!(found, expected.map(nameless), "{backend:?} {query:?}");
                let found = ask_named(&maps, query);
                assert_eq!(found.as_ref(), expected, "{backend:?} {query:?}");
            }
        }
    }
}

fn ask_named(maps: &ProcMaps, query: Query) -> Option<Line> {
    let mut name = NameBuf::new();
    let found = maps.query_named(query, &mut name).unwrap();
    found.map(|vma| line(vma, name.as_bytes()))
}

fn text(pid: u32) -> Vec<Line> {
    naive::lines(&naive::text_of(pid).unwrap()).collect()
}

fn child_of_all_shapes(dir: &Path) -> Child {
    let mut child = Child::spawn();
    for perms in ["r-xp", "r--p", "rw-p", "r--s", "r-xs", "--xp", "---p"] {
        child.map(SOME_FILE, perms);
        child.anon(perms, 0x3000);
    }
    child.anon("rwxp", 0x2000);
    child.anon("rw-s", 0x2000);
    child.anon("-w-s", 0x2000);
    child.memfd("jit code (deleted)", "r-xp", SOME_FILE);
    child.memfd("", "rw-s", SOME_FILE);
    child.sysv("rw-s", 0x2000);
    child.sysv("r--s", 0x2000);
    child.heap(0x4000);
    child.stack();
    child.anon_huge("rw-p", 2 << 20);
    let named = child.anon("rw-p", 0x1000);
    child.name_anon(&named, "a name");
    let names: [&[u8]; 7] = [
        b"plain",
        b"two words",
        b"  begins with spaces ",
        b"two\nlines\n",
        b"really called so (deleted)",
        b"\xff\xfe not UTF-8 \x80",
        b"[heap]",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let path = dir.join(OsString::from_vec(name.to_vec()));
        fs::write(&path, vec![b'x'; 0x5000]).unwrap();
        child.map(&path, "r--p");
        child.map_part(&path, "rw-s", 0x2000..0x4000);
        if number % 2 == 0 {
            fs::remove_file(&path).unwrap();
        }
    }
    child
}
