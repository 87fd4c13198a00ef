//! `stack`: whole stacks of live processes, address by address those of gdb.

mod common;
mod stacks;

use std::path::Path;
use std::process::Command;

use common::{backsight, run};
use stacks::{Frame, Stacks, built, of_gdb, of_json, started};
use testkit::skip;
use testkit::tools::tool;

fn ours(pid: u32) -> Stacks {
    let pid = pid.to_string();
    let ran = run(["stack", "-p", &pid, "--format", "json", "-n", "0"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    of_json(&ran.stdout)
}

/// Whether both are the same function. The C library's have several names, and the compiler's
/// suffixes are not of a name.
fn is_same(ours: &Frame, theirs: &Frame) -> bool {
    let base = |name: &str| {
        let name = name.trim_start_matches("__GI_").trim_start_matches('_');
        let name = name.split(['.', '<', '{']).next().unwrap_or_default();
        name.trim_start_matches("libc_").to_owned()
    };
    let (ours, theirs) = (base(&ours.name), base(&theirs.name));
    ours == theirs || ours.ends_with(&*theirs) || theirs.ends_with(&*ours)
}

/// Compares the stacks of a process with those of gdb. `own` is what its own functions have in
/// their names, of which there must be `least` in all.
fn compare(pid: u32, threads: usize, own: &str, least: usize) {
    let ours = ours(pid);
    let theirs = match of_gdb(pid) {
        Ok(theirs) => theirs,
        Err(why) => return skip(&why),
    };
    assert_eq!(ours.len(), threads, "{ours:#x?}");
    let mut of_own = 0;
    assert!(
        ours.keys().eq(theirs.keys()),
        "{:?}, {:?}",
        ours.keys(),
        theirs.keys()
    );
    for ((tid, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let both = ours.iter().zip(theirs);
        let same = both
            .take_while(|(ours, theirs)| ours.addr == theirs.addr)
            .count();
        let rest = (ours.get(same..same + 5), theirs.get(same..same + 5));
        let counts = (same, ours.len(), theirs.len());
        assert!(
            ours.len() == same && theirs.len() == same,
            "{tid}: {counts:?}, {rest:x?}"
        );
        for (ours, theirs) in ours.iter().zip(theirs) {
            of_own += usize::from(ours.name.contains(own));
            // Of Rust's implementations, gdb has no types.
            let is_nameless = |name: &str| name.is_empty() || name.contains("{impl#");
            let named = !is_nameless(&theirs.name) && !ours.name.is_empty();
            assert!(
                !named || is_same(ours, theirs),
                "{tid}: {ours:x?}, {theirs:x?}"
            );
        }
    }
    assert!(of_own >= least, "{of_own} frames with {own:?}");
}

fn cpp(dir: &Path) -> Result<std::path::PathBuf, String> {
    let command = [
        "g++",
        "-O2",
        "-fomit-frame-pointer",
        "-pthread",
        "threads.cc",
    ];
    built(dir, include_str!("stacks/threads.cc"), &command)
}

#[test]
fn fifty_threads_of_cpp_have_the_stacks_of_gdb() {
    let dir = tempfile::tempdir().unwrap();
    let program = match cpp(dir.path()) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(Command::new(program).arg("50"));
    compare(child.pid(), 50, "deep::Level", 49 * 6);
}

#[test]
fn threads_of_rust_have_the_stacks_of_gdb() {
    let dir = tempfile::tempdir().unwrap();
    let source = include_str!("stacks/waiting.rs.txt");
    let program = match built(dir.path(), source, &["rustc", "-O", "waiting.rs"]) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(&mut Command::new(program));
    compare(child.pid(), 9, "waiting::down", 8);
}

/// Its goroutines have small stacks in the middle of a large mapping.
#[test]
fn threads_of_go_have_the_stacks_of_gdb() {
    let dir = tempfile::tempdir().unwrap();
    let source = include_str!("stacks/waiting.go.txt");
    let program = match built(dir.path(), source, &["go", "waiting.go"]) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(&mut Command::new(program));
    let tasks = format!("/proc/{}/task", child.pid());
    // Its scheduler may start a thread now.
    for _ in 0..5 {
        let threads = std::fs::read_dir(&tasks).unwrap().count();
        let before = ours(child.pid());
        if before.len() == threads && before == ours(child.pid()) {
            return compare(child.pid(), threads, "main.down", 8 * 6);
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("its threads do not come to rest");
}

/// In signal handlers, on stacks of their own, and deep.
fn compare_c(flags: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = vec!["cc", "-O1", "-fomit-frame-pointer", "-pthread"];
    command.extend(flags);
    command.push("stacks.c");
    let program = match built(dir.path(), include_str!("stacks/stacks.c"), &command) {
        Ok(program) => program,
        Err(why) => return skip(&format!("{flags:?}: {why}")),
    };
    let ways = ["interrupted", "otherstack", "deep"];
    let child = started(Command::new(program).args(ways));
    compare(child.pid(), 4, "recurses", 3000);
}

#[test]
fn signal_frames_and_deep_stacks_are_those_of_gdb() {
    compare_c(&[]);
}

#[test]
fn stacks_of_32_bit_processes_are_those_of_gdb() {
    compare_c(&["-m32"]);
}

/// With their own process and thread IDs, and files that only they see.
#[test]
fn stacks_of_a_process_in_namespaces_are_those_of_gdb() {
    let dir = tempfile::tempdir().unwrap();
    let program = match cpp(dir.path()) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    if tool("unshare").is_none() {
        return skip("there is no unshare");
    }
    let inside = "mount -t tmpfs none /mnt && cp \"$1\" /mnt/inside && exec /mnt/inside 5";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["sh", "-c", inside, "sh"]).arg(&program);
    let probe = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "true"])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip("no namespaces may be made here");
    }
    let outer = started(&mut command);
    let children = format!("/proc/{0}/task/{0}/children", outer.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let pid = children.trim().parse().unwrap();
    compare(pid, 5, "deep::Level", 4 * 6);
    let ran = backsight()
        .args(["stack", &*format!("{pid}")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(text.contains("(/mnt/inside)"), "{text}");
}
