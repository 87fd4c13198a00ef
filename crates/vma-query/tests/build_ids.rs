//! The kernel returns the build ID of the mapped file itself.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{backends, ioctl_answers};
use testkit::child::Child;
use testkit::{naive, skip, tools};
use vma_query::{AbsAddr, Backend, BuildId, Error, NameBuf, OpenOptions, ProcMaps, Query};

/// Returns the build ID that the kernel reads from the file at `addr`. Returns `None` if
/// the kernel lacks the ioctl; then it asserts that the error is `Unsupported`.
fn asked(maps: &ProcMaps, addr: u64) -> Option<Option<BuildId>> {
    let answer = maps.query_build_id(Query::covering(AbsAddr(addr)));
    if !ioctl_answers() {
        assert!(matches!(answer, Err(Error::Unsupported)), "{answer:?}");
        return None;
    }
    let (vma, id) = answer.unwrap().expect("mapped");
    assert!(vma.contains(AbsAddr(addr)));
    Some(id)
}

/// Returns the build ID that `readelf` finds in a file.
fn by_readelf(file: &Path) -> Option<BuildId> {
    let digits = tools::readelf_build_id(file).flatten();
    digits.map(|digits| digits.parse().unwrap())
}

/// A shared library of this process that has a build ID.
fn libc() -> Option<PathBuf> {
    let text = naive::text_of(std::process::id()).unwrap();
    let library = naive::lines(&text)
        .map(|line| String::from_utf8_lossy(&line.name).into_owned())
        .find(|name| name.contains("/libc.so") || name.contains("/libc-"));
    let path = PathBuf::from(library?);
    by_readelf(&path).is_some().then_some(path)
}

#[test]
fn it_is_what_readelf_finds() {
    if tools::tool("readelf").is_none() {
        return skip("no readelf");
    }
    let own = std::env::current_exe().unwrap();
    let mut child = Child::spawn();
    for file in libc().into_iter().chain([own]) {
        for perms in ["r-xp", "r--p", "r--s"] {
            let range = child.map(&file, perms);
            let maps = ProcMaps::open(child.pid()).unwrap();
            let want = by_readelf(&file);
            // For any address in the file, not only for the first page.
            let found = asked(&maps, range.end - 1);
            assert!(found.is_none_or(|id| id == want), "{file:?}: {found:?}");
        }
    }
}

#[test]
fn a_deleted_and_a_replaced_file_keep_theirs() {
    let Some(libc) = libc() else {
        return skip("no libc with a build ID, or no readelf");
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lib.so");
    let mut child = Child::spawn();
    let want = by_readelf(&libc);

    testkit::copy(&libc, &path).unwrap();
    let deleted = child.map(&path, "r-xp");
    fs::remove_file(&path).unwrap();

    testkit::copy(&libc, &path).unwrap();
    let replaced = child.map(&path, "r-xp");
    testkit::copy(std::env::current_exe().unwrap(), dir.path().join("new")).unwrap();
    fs::rename(dir.path().join("new"), &path).unwrap();
    let new = child.map(&path, "r-xp");

    let maps = ProcMaps::open(child.pid()).unwrap();
    for (case, addr, want) in [
        ("deleted", deleted.start, want),
        ("replaced", replaced.start, want),
        ("the new file at that path", new.start, by_readelf(&path)),
    ] {
        let found = asked(&maps, addr);
        assert!(found.is_none_or(|id| id == want), "{case}: {found:?}");
    }
}

#[test]
fn other_files_have_no_build_id() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    fs::write(&text, vec![b'x'; 8192]).unwrap();
    let empty = dir.path().join("empty page");
    fs::write(&empty, [0; 100]).unwrap();
    let mut child = Child::spawn();
    let mut ranges = vec![
        ("text file", child.map(&text, "r-xp")),
        ("zeros", child.map(&empty, "r-xp")),
        ("anonymous", child.anon("r-xp", 0x1000)),
        ("shared anonymous", child.anon("rw-s", 0x1000)),
        ("System V", child.sysv("rw-s", 0x1000)),
        ("stack", child.stack()),
    ];
    let lines = naive::text_of(child.pid()).unwrap();
    let special = naive::lines(&lines).filter(|line| line.name.starts_with(b"[v"));
    ranges.extend(special.map(|line| ("[vdso] and kin", line.start..line.end)));
    let maps = ProcMaps::open(child.pid()).unwrap();
    for (case, range) in ranges {
        let found = asked(&maps, range.start);
        assert!(found.is_none_or(|id| id.is_none()), "{case}: {found:?}");
    }
}

#[test]
fn no_vma_has_no_answer() {
    let mut child = Child::spawn();
    let range = child.gaps("/proc/self/exe", 1);
    let maps = OpenOptions::new().open(child.pid()).unwrap();
    for addr in [range.end - 1, u64::MAX] {
        let answer = maps.query_build_id(Query::covering(AbsAddr(addr)));
        if ioctl_answers() {
            assert_eq!(answer.unwrap(), None, "{addr:#x}");
        } else {
            assert!(matches!(answer, Err(Error::Unsupported)), "{answer:?}");
        }
    }
}

#[test]
fn one_query_for_all_says_what_the_queries_for_each_say() {
    let mut child = Child::spawn();
    let dir = tempfile::tempdir().unwrap();
    // A name that does not fit the buffer of the first query.
    let deep = dir
        .path()
        .join("d".repeat(200))
        .join("e".repeat(200))
        .join("f".repeat(200));
    fs::create_dir_all(&deep).unwrap();
    let program = std::env::current_exe().unwrap();
    testkit::copy(&program, deep.join("program")).unwrap();
    let code = child.map(deep.join("program"), "r-xp");
    let jit = child.anon("r-xp", 0x1000);
    let hole = child.gaps("/proc/self/exe", 1);
    for backend in backends() {
        let maps = OpenOptions::new()
            .backend(backend)
            .open(child.pid())
            .unwrap();
        for addr in [code.start, jit.start, hole.start, 0, u64::MAX].map(AbsAddr) {
            let (mut name, mut want) = (NameBuf::new(), NameBuf::new());
            let found = maps.cursor().seek_identified(addr, &mut name).unwrap();
            let vma = maps.cursor().seek_named(addr, &mut want).unwrap();
            assert_eq!(found.map(|(vma, _)| vma), vma, "{backend:?} {addr}");
            assert_eq!(name.as_bytes(), want.as_bytes(), "{backend:?} {addr}");
            let by_itself = vma
                .filter(|_| maps.backend() == Backend::Ioctl)
                .and_then(|vma| asked(&maps, vma.start.0))
                .flatten();
            assert_eq!(
                found.and_then(|(_, id)| id),
                by_itself,
                "{backend:?} {addr}"
            );
        }
    }
    if ioctl_answers() {
        let maps = ProcMaps::open(child.pid()).unwrap();
        let found = maps
            .cursor()
            .seek_identified(AbsAddr(code.start), &mut NameBuf::new());
        assert_eq!(found.unwrap().unwrap().1, by_readelf(&program));
    }
}
