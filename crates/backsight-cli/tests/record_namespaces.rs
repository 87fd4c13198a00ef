//! `record`: numbers that mean something else than they seem to: threads for processes, and
//! processes of PID namespaces.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, backsight, wait_until};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;

/// Runs code that it makes, and tells its name before. It puts its list into `/tmp`.
const MAKER: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 1: dec rdi; jnz 1b; ret */
static const unsigned char code[] = { 0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3 };

int main(void) {
    void *at = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 3;
    memcpy(at, code, sizeof code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *list = fopen(path, "w");
    if (!list) return 4;
    fprintf(list, "%lx 40 told_inside\n", (unsigned long)at);
    fclose(list);
    while (clock() < CLOCKS_PER_SEC * 15 / 10) ((void (*)(unsigned long))at)(1000000);
    return 0;
}
"#;

/// Runs `record` with these arguments; `Err` if nothing can be sampled here.
fn record(dir: &Path, args: &[&str]) -> Result<Ran, String> {
    let mut command = backsight();
    command.current_dir(dir).args(["record", "-F", "499"]);
    let ran = Ran::from(command.args(args).output().unwrap());
    let cannot = ["permission denied to sample", "no perf events"];
    match cannot.iter().any(|why| ran.stderr.contains(why)) {
        true => Err(ran.stderr),
        false => Ok(ran),
    }
}

/// Whether a user may make namespaces as these.
fn can_unshare(args: &[&str]) -> bool {
    let tried = Command::new("unshare").args(args).arg("true").status();
    tried.is_ok_and(|it| it.success())
}

#[test]
fn lists_of_names_in_a_pid_namespace_are_used() {
    const OWN: [&str; 2] = ["-rmpf", "--mount-proc"];
    if !cfg!(target_arch = "x86_64") {
        return skip("the code is of x86-64");
    }
    if !can_unshare(&OWN) {
        return skip("no user or PID namespaces");
    }
    let program = match compile("made-inside", MAKER, &["-O1"]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().unwrap();
    fs::copy(program, dir.path().join("maker")).unwrap();
    // A shell that stays is process 1, so that the program's list is perf-2.map or so.
    for tmp in ["mount -t tmpfs none /tmp &&", ""] {
        let script =
            format!("exec 3<maker; {tmp} /proc/self/fd/3; rm -f /tmp/perf-[1-9].map; exit 0");
        let args = [
            "-o",
            "out.folded",
            "--",
            "unshare",
            OWN[0],
            OWN[1],
            "sh",
            "-c",
            &script,
        ];
        let ran = match record(dir.path(), &args) {
            Ok(ran) => ran,
            Err(reason) => return skip(&reason),
        };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let stacks = fs::read_to_string(dir.path().join("out.folded")).unwrap();
        assert!(stacks.contains("told_inside"), "{stacks}\n{ran:?}");
        assert!(!stacks.contains("[anonymous]"), "{stacks}\n{ran:?}");
    }
}

#[test]
fn a_thread_stands_for_its_process() {
    const SOURCE: &str = r#"
#include <pthread.h>
volatile unsigned long sink;
void *spin_in_thread(void *none) { for (;;) sink++; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, spin_in_thread, 0);
    pthread_join(thread, 0);
}
"#;
    let program = match compile("one-thread", SOURCE, &["-pthread"]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let spins = KillOnDrop(Command::new(program).stdin(Stdio::null()).spawn().unwrap());
    let pid = spins.pid().to_string();
    let threads = || {
        let listed = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names = listed.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|name| *name != pid).collect::<Vec<_>>()
    };
    wait_until("second thread", || !threads().is_empty());
    let tid = threads().pop().unwrap();
    for target in [tid.clone(), format!("{tid},{pid}")] {
        let ran = match record(
            dir.path(),
            &["-p", &target, "-d", "0.5", "-o", "out.folded"],
        ) {
            Ok(ran) => ran,
            Err(reason) => return skip(&reason),
        };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let stacks = fs::read_to_string(dir.path().join("out.folded")).unwrap();
        assert!(stacks.contains("spin_in_thread"), "{stacks}\n{ran:?}");
        assert!(!stacks.contains("[unmapped]"), "{stacks}\n{ran:?}");
        let said = format!("{tid} is a thread of process {pid}");
        assert!(ran.stderr.contains(&said), "{ran:?}");
    }
}

#[test]
fn samples_of_processes_outside_of_the_pid_namespace_are_said() {
    if !testkit::user::is_root() || !can_unshare(&["-pf", "--mount-proc"]) {
        return skip("only root samples all processes");
    }
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let mut outside = Command::new(busy);
    let outside = outside.args(["spin", "60000"]).stdout(Stdio::null());
    let _outside = KillOnDrop(outside.spawn().unwrap());
    let mut command = Command::new("unshare");
    let program = env!("CARGO_BIN_EXE_backsight");
    command.args([
        "-pf",
        "--mount-proc",
        program,
        "record",
        "-a",
        "-d",
        "1",
        "-o",
    ]);
    let ran = Ran::from(command.arg(dir.path().join("out.folded")).output().unwrap());
    if ran.stderr.contains("permission denied to sample") {
        return skip(&ran.stderr);
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = "samples are of processes outside of this PID namespace";
    assert!(ran.stderr.contains(said), "{ran:?}");
}

#[test]
fn another_namespace_in_proc_is_refused() {
    if !can_unshare(&["-rpf"]) {
        return skip("no user or PID namespaces");
    }
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rpf", env!("CARGO_BIN_EXE_backsight"), "record", "-o"]);
    command.arg(dir.path().join("out.folded")).arg("--");
    let ran = Ran::from(command.arg(busy).args(["spin", "10"]).output().unwrap());
    ran.fails(1, &["another PID namespace", "--mount-proc"]);
    assert!(!dir.path().join("out.folded").exists());
}

/// What a format has no room for is said, and what cannot be read back is refused.
#[test]
fn a_normalized_recording_says_which_files_nobody_finds_again() {
    const SOURCE: &str = "#include <time.h>\nvolatile long sink;\nint main(void) { while (clock() < CLOCKS_PER_SEC / 2) sink++; }";
    let dir = tempfile::tempdir().unwrap();
    let program = match compile("no-build-id", SOURCE, &["-Wl,--build-id=none"]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let program = program.to_str().unwrap();
    for (file, is_said) in [
        ("out.pb.gz", true),
        ("out.otlp", true),
        ("out.ndjson", false),
    ] {
        let args = ["--normalize-only", "-o", file, "--", program];
        let ran = match record(dir.path(), &args) {
            Ok(ran) => ran,
            Err(reason) => return skip(&reason),
        };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let said = format!("{program} has no build ID");
        assert_eq!(ran.stderr.contains(&said), is_said, "{file}: {ran:?}");
        let has_name = {
            let mut command = backsight();
            command
                .current_dir(dir.path())
                .args(["convert", "-i", file]);
            let ran = Ran::from(
                command
                    .args(["-o", "-", "--to", "folded"])
                    .output()
                    .unwrap(),
            );
            ran.stdout.contains(";main")
        };
        assert_eq!(has_name, !is_said, "{file}");
    }
    let args = ["--normalize-only", "-o", "out.json", "--", program];
    let ran = record(dir.path(), &args).unwrap();
    ran.fails(2, &["--normalize-only", ".ndjson"]);
}
