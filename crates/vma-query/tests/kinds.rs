//! Creates memory of every kind and tests its name and whether a file backs it, by each
//! backend and as the text prints it.
//!
//! `equivalence.rs` compares all fields at all addresses; here the expected values of
//! each kind are written down.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use common::{backends, covering, line, open};
use testkit::child::{self, Child, spawn_32_bit};
use testkit::maps::Line;
use testkit::{is_root, naive, skip, tools};
use vma_query::{AbsAddr, Filter, NameBuf, Query, VmaName};

/// Whether the kernel has a file for the memory.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Backed {
    ByFile,
    ByNone,
}
use Backed::{ByFile, ByNone};

/// Queries the memory at `range` in all ways, and compares the answers with the expected
/// values.
fn assert_is(pid: u32, range: &Range<u64>, want: VmaName<'_>, backed: Backed) {
    let at = AbsAddr(range.start);
    let text: Vec<Line> = naive::lines(&naive::text_of(pid).unwrap()).collect();
    let printed = covering(&text, at).unwrap_or_else(|| panic!("{want:?} is mapped"));
    for backend in backends() {
        let maps = open(pid, backend);
        let mut name = NameBuf::new();
        let vma = maps.query_named(Query::covering(at), &mut name).unwrap();
        let vma = vma.unwrap_or_else(|| panic!("{backend:?}: {want:?} is mapped"));
        assert_eq!(name.name(), want, "{backend:?}");
        assert_eq!(line(vma, name.as_bytes()), *printed, "{backend:?}");
        let is_backed = if vma.is_file_backed() { ByFile } else { ByNone };
        assert_eq!(is_backed, backed, "{backend:?} {want:?}");
        let backed_only = Query::covering(at).only(Filter::FILE_BACKED);
        let passes = maps.query(backed_only).unwrap().is_some();
        assert_eq!(passes, backed == ByFile, "{backend:?} {want:?}");
        assert_eq!(vma.file_offset_of(at).is_some(), backed == ByFile);
    }
}

fn path(path: &Path, deleted: bool) -> VmaName<'_> {
    let path = path.as_os_str().as_encoded_bytes();
    VmaName::Path { path, deleted }
}

fn deleted(path: &[u8]) -> VmaName<'_> {
    VmaName::Path {
        path,
        deleted: true,
    }
}

#[test]
fn memory_of_no_file() {
    let mut child = Child::spawn();
    let pid = child.pid();
    assert_is(pid, &child.anon("rwxp", 0x3000), VmaName::None, ByNone);
    assert_is(pid, &child.heap(0x4000), VmaName::Heap, ByNone);
    assert_is(pid, &child.stack(), VmaName::Stack, ByNone);
}

#[test]
fn shared_memory_and_zeros() {
    let mut child = Child::spawn();
    let pid = child.pid();
    let zeros = deleted(b"/dev/zero");
    assert_is(pid, &child.anon("rw-s", 0x2000), zeros, ByFile);
    for perms in ["rw-p", "rw-s"] {
        let device = child.map_part("/dev/zero", perms, 0..0x2000);
        // A shared mapping of it has its own internal file, not the device.
        let want = match perms {
            "rw-s" => zeros,
            _ => path(Path::new("/dev/zero"), false),
        };
        assert_is(pid, &device, want, ByFile);
    }
    let memfd = child.memfd("a pool", "rw-s", "/proc/self/exe");
    assert_is(pid, &memfd, VmaName::Memfd { name: b"a pool" }, ByFile);
    for perms in ["rw-s", "r-xs"] {
        let segment = child.sysv(perms, 0x2000);
        assert_is(pid, &segment, deleted(b"/SYSV00000000"), ByFile);
    }
}

#[test]
fn posix_shared_memory_is_a_file_of_dev_shm() {
    let Ok(file) = tempfile::NamedTempFile::new_in("/dev/shm") else {
        return skip("/dev/shm is not writable");
    };
    fs::write(file.path(), [0; 0x2000]).unwrap();
    let mut child = Child::spawn();
    let range = child.map(file.path(), "rw-s");
    assert_is(child.pid(), &range, path(file.path(), false), ByFile);
    let was = file.path().to_owned();
    file.close().unwrap();
    assert_is(child.pid(), &range, path(&was, true), ByFile);
}

#[test]
fn huge_pages() {
    let mut child = Child::spawn();
    let pid = child.pid();
    let (Some(private), Some(shared)) = (
        child.anon_huge("rw-p", 2 << 20),
        child.anon_huge("r-xs", 2 << 20),
    ) else {
        return skip("no huge pages of 2 MiB");
    };
    for range in [private, shared] {
        assert_is(pid, &range, deleted(b"/anon_hugepage"), ByFile);
    }
    let memfd = child.memfd_huge("pool", "rw-s", 2 << 20).unwrap();
    assert_is(pid, &memfd, VmaName::Memfd { name: b"pool" }, ByFile);
}

/// Starts a child in new namespaces, after running a shell command there.
fn child_in_namespaces(kinds: &str, prepare: &str) -> Option<Child> {
    if !is_root() || tools::tool("unshare").is_none() {
        return None;
    }
    let mut command = Command::new("unshare");
    let script = format!("{prepare} && exec \"$0\"");
    command
        .args([kinds, "sh", "-c", &script])
        .arg(child::program());
    Some(Child::start(&mut command))
}

#[test]
fn a_file_of_huge_pages() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display();
    let mount = format!("mount -t hugetlbfs none {folder} && truncate -s 2M {folder}/pool");
    let Some(mut child) = child_in_namespaces("--mount", &mount) else {
        return skip("only root mounts hugetlbfs");
    };
    let file = dir.path().join("pool");
    for perms in ["rw-p", "r-xs"] {
        let range = child.map(&file, perms);
        assert_is(child.pid(), &range, path(&file, false), ByFile);
    }
}

#[test]
fn the_first_segment_of_an_ipc_namespace_has_inode_0() {
    let Some(mut child) = child_in_namespaces("--ipc", "true") else {
        return skip("only root makes an IPC namespace");
    };
    let segment = child.sysv("rw-s", 0x1000);
    let text: Vec<Line> = naive::lines(&naive::text_of(child.pid()).unwrap()).collect();
    let first = covering(&text, AbsAddr(segment.start)).unwrap();
    assert_eq!(
        first.inode, 0,
        "the inode number is that of the segment; the first is 0"
    );
    // The inode is 0, but the device shows that there is a file.
    assert_is(child.pid(), &segment, deleted(b"/SYSV00000000"), ByFile);
}

#[test]
fn uprobes_have_their_vmas() {
    let mut child = Child::spawn();
    if child.uprobe(false).is_none() {
        return skip("only root sets uprobes, on x86-64");
    }
    let mapped = |child: &Child, name: &[u8]| {
        let text = naive::text_of(child.pid()).unwrap();
        let line = naive::lines(&text).find(|line| line.name == name);
        line.map(|line| line.start..line.end)
    };
    let displaced = mapped(&child, b"[uprobes]").expect("the probed instruction was executed");
    assert_is(child.pid(), &displaced, VmaName::Uprobes, ByNone);
    // Before Linux 6.18 such a probe displaces its instruction too.
    child.uprobe(true).unwrap();
    if let Some(called) = mapped(&child, b"[uprobes-trampoline]") {
        assert_is(child.pid(), &called, VmaName::Uprobes, ByNone);
    }
}

#[test]
fn mappings_of_the_kernel_are_named() {
    let child = Child::spawn();
    let text = naive::text_of(child.pid()).unwrap();
    let mut found = 0;
    for line in naive::lines(&text) {
        let want = match &line.name[..] {
            b"[vdso]" => VmaName::Vdso,
            b"[vvar]" | b"[vvar_vclock]" => VmaName::Vvar,
            b"[vsyscall]" => VmaName::Vsyscall,
            _ => continue,
        };
        assert_is(child.pid(), &(line.start..line.end), want, ByNone);
        found += 1;
    }
    assert!(found > 0, "every kernel maps a vDSO");
}

#[test]
fn a_32_bit_process_has_no_vsyscall_page() {
    let Some(child) = spawn_32_bit() else {
        return skip("no 32-bit programs on this host");
    };
    for backend in backends() {
        let maps = open(child.pid(), backend);
        let page = Query::covering_or_next(AbsAddr(1 << 32));
        assert_eq!(maps.query(page).unwrap(), None, "{backend:?}");
    }
}

#[test]
fn a_file_of_a_mount_that_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display();
    let mount = format!("mount -t tmpfs none {folder} && printf x > {folder}/file");
    let Some(mut child) = child_in_namespaces("--mount", &mount) else {
        return skip("only root mounts a tmpfs");
    };
    let file = dir.path().join("file");
    let range = child.map(&file, "r--p");
    assert!(!file.exists(), "we do not see that mount");
    // The path is valid in the namespace where the file was mapped.
    assert_is(child.pid(), &range, path(&file, false), ByFile);
}

#[test]
fn odd_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Child::spawn();
    let odd: [&[u8]; 6] = [
        b"two words",
        b"  spaces first and last ",
        b"two\nlines",
        b"x (deleted)",
        b"\xff\xfe no UTF-8",
        b"[vdso]",
    ];
    for bytes in odd {
        let file = dir.path().join(OsStr::from_bytes(bytes));
        fs::write(&file, "x").unwrap();
        let range = child.map(&file, "r--p");
        let pid = child.pid();
        if bytes.ends_with(b" (deleted)") {
            // The kernel marks deleted files in the same way, so the two cannot be
            // distinguished.
            let looks = file.as_os_str().as_encoded_bytes();
            assert_is(pid, &range, VmaName::new(looks), ByFile);
            let bare = looks.strip_suffix(b" (deleted)").unwrap();
            assert_eq!(VmaName::new(looks), deleted(bare));
        } else {
            assert_is(pid, &range, path(&file, false), ByFile);
        }
        fs::remove_file(&file).unwrap();
        assert_is(pid, &range, path(&file, true), ByFile);
    }
}

#[test]
fn a_path_of_more_than_4_kib() {
    let dir = tempfile::tempdir().unwrap();
    let file = common::file_below_deep_folders(dir.path(), 20);
    let mut child = Child::spawn();
    let link = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let range = child.map(link, "r--p");
    let text: Vec<Line> = naive::lines(&naive::text_of(child.pid()).unwrap()).collect();
    let name = &covering(&text, AbsAddr(range.start)).unwrap().name;
    assert!(name.len() > 4096);
    assert_is(child.pid(), &range, VmaName::new(name), ByFile);
}
