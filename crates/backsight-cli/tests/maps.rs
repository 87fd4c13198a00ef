//! `backsight maps` prints the same as the kernel.

mod common;

use std::fs;
use std::path::Path;

use common::{backends, backsight, json, run, sleeping};
use testkit::child::Child;

/// Compares every process, byte for byte, and retries one that changes its mappings meanwhile.
/// Comparing the text before and after is not sufficient, because a thread that starts a process
/// has a stack for it only briefly.
#[test]
fn every_process_reads_as_in_proc_by_both_backends() {
    let mut compared = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        for backend in backends() {
            compared += u32::from(is_same(pid, &entry.path().join("maps"), backend));
        }
    }
    assert!(compared >= 2, "at least this test itself");
}

/// Returns whether the process could be compared.
fn is_same(pid: &str, maps: &Path, backend: &str) -> bool {
    let mut differing = None;
    for _ in 0..20 {
        // Permission denied, or exited; a kernel thread or zombie has an empty text.
        let Some(before) = fs::read(maps).ok().filter(|text| !text.is_empty()) else {
            return false;
        };
        let args = ["maps", "-p", pid, "--backend", backend];
        let ours = backsight().args(args).output().expect("it runs");
        match fs::read(maps) {
            Ok(after) if after == before => {
                if ours.status.success() && ours.stdout == before {
                    return true;
                }
                differing = Some((ours, before));
            }
            Ok(_) => differing = None,
            Err(_) => return false,
        }
    }
    if let Some((ours, want)) = differing {
        let text = String::from_utf8_lossy;
        let (ours, errors, want) = (text(&ours.stdout), text(&ours.stderr), text(&want));
        panic!("process {pid}, by {backend}:\n{ours}{errors}\ninstead of\n{want}");
    }
    false
}

#[test]
fn names_with_blanks_newlines_and_deleted_files_read_as_in_proc() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Child::spawn();
    for name in [
        "two  words ",
        "a\nline",
        "back\\slash",
        "x (deleted)",
        "gone",
        "\\012",
    ] {
        let path = dir.path().join(name);
        fs::write(&path, [0; 4096]).unwrap();
        child.map(&path, "r-xp");
    }
    child.memfd("a memfd", "r-xp", "/bin/true");
    child.anon("rwxp", 0x3000);
    child.anon("rw-s", 0x3000);
    fs::remove_file(dir.path().join("gone")).unwrap();
    let maps = format!("/proc/{}/maps", child.pid());
    for backend in backends() {
        let pid = child.pid().to_string();
        assert!(is_same(&pid, Path::new(&maps), backend), "{backend}");
    }
}

#[test]
fn at_gives_the_covering_vma_alone() {
    let mut child = Child::spawn();
    let code = child.map("/bin/true", "r-xp");
    let pid = child.pid().to_string();
    for backend in backends() {
        let at = |addr: u64| {
            run([
                "maps",
                "-p",
                &pid,
                "--backend",
                backend,
                "--at",
                &format!("{addr:x}"),
            ])
        };
        for inside in [code.start, code.end - 1] {
            let line = at(inside).ok();
            assert!(line.starts_with(&format!("{:08x}-", code.start)), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
        let outside = at(0x10);
        assert_eq!((outside.code, &*outside.stdout), (Some(0), ""));
        outside.fails(0, &["no such VMA covers 0x10"]);
    }
}

#[test]
fn filters_narrow_and_json_has_the_documented_keys() {
    let mut child = Child::spawn();
    child.map("/bin/true", "r-xp");
    child.anon("rwxp", 0x3000);
    let pid = child.pid().to_string();
    for backend in backends() {
        let lines = |more: &[&str]| {
            let args = ["maps", "-p", &pid, "--backend", backend, "--format", "json"];
            json(&run(args.iter().chain(more)).ok())
        };
        let all = lines(&[]);
        let exec = lines(&["--exec"]);
        let both = lines(&["--exec", "--file-backed"]);
        assert!(both.len() < exec.len() && exec.len() < all.len());
        let is = |perm: usize, c| {
            move |line: &&serde_json::Value| line["perms"].as_str().unwrap().as_bytes()[perm] == c
        };
        assert_eq!(all.iter().filter(is(2, b'x')).count(), exec.len());
        assert!(both.iter().all(|line| line["inode"].as_u64().unwrap() > 0));
        for key in [
            "start",
            "end",
            "perms",
            "file_offset",
            "device",
            "inode",
            "name",
            "deleted",
            "kind",
        ] {
            assert!(both[0].get(key).is_some(), "{key} in {}", both[0]);
        }
        let kinds: Vec<_> = all
            .iter()
            .map(|line| line["kind"].as_str().unwrap())
            .collect();
        for kind in ["file", "anonymous", "stack", "vdso"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
    }
}

#[test]
fn build_ids_are_those_of_the_files() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    if !backends().contains(&"ioctl") {
        let without = run(["maps", "-p", &pid, "--build-id"]);
        return without.fails(0, &["no build IDs", "PROCMAP_QUERY"]);
    }
    let text = run(["maps", "-p", &pid, "--build-id", "--exec", "--file-backed"]).ok();
    let mut seen = 0;
    for line in text.lines() {
        let Some((vma, id)) = line.split_once('\t') else {
            continue;
        };
        let path = &vma[vma.find('/').unwrap()..];
        assert_eq!(run(["buildid", path]).ok().trim_end(), id, "{path}");
        seen += 1;
    }
    assert!(seen >= 2, "sleep and libc:\n{text}");
}

#[test]
fn build_ids_are_not_asked_of_the_text() {
    let ran = run(["maps", "-p", "1", "--build-id", "--backend", "text"]);
    ran.fails(2, &["--build-id", "normalize"]);
}
