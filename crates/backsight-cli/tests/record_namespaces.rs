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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 1: dec rdi; jnz 1b; ret */
static const unsigned char code[] = { 0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3 };

int main(int count, char **words) {
    double seconds = count > 1 ? atof(words[1]) : 1.5;
    void *at = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 3;
    memcpy(at, code, sizeof code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *list = fopen(path, "w");
    if (!list) return 4;
    fprintf(list, "%lx 40 told_inside\n", (unsigned long)at);
    fclose(list);
    while (clock() < CLOCKS_PER_SEC * seconds) ((void (*)(unsigned long))at)(1000000);
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

/// A PID namespace and a mount namespace with a `/proc` of it.
const OWN: [&str; 2] = ["-rmpf", "--mount-proc"];

/// A directory with the program that makes code, where namespaces can be had.
fn maker() -> Result<tempfile::TempDir, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("the code is of x86-64".to_owned());
    }
    if !can_unshare(&OWN) {
        return Err("no user or PID namespaces".to_owned());
    }
    let dir = tempfile::tempdir().unwrap();
    testkit::copy(
        compile("made-inside", MAKER, &["-O1"])?,
        dir.path().join("maker"),
    )
    .unwrap();
    Ok(dir)
}

#[test]
fn lists_of_names_in_a_pid_namespace_are_used() {
    let dir = match maker() {
        Ok(dir) => dir,
        Err(reason) => return skip(&reason),
    };
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
    // They are told from the idle tasks.
    let stacks = fs::read_to_string(dir.path().join("out.folded")).unwrap();
    let count = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    let outside = stacks
        .lines()
        .filter(|line| line.starts_with("[outside of the PID namespace];"));
    let outside: u64 = outside.filter_map(count).sum();
    let words = format!("{outside} {said}");
    assert!(
        outside > 0 && ran.stderr.contains(&words),
        "{words}: {ran:?}"
    );
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
    const SOURCE: &str = "#include <time.h>\nvolatile long sink;\nint main(void) { while (clock() < CLOCKS_PER_SEC / 2) for (int i = 0; i < 1000000; i++) sink++; }";
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

/// Returns the process that descends from this one and has no child itself.
fn last_descendant(pid: u32) -> u32 {
    let parent = |of: &str| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()
    };
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers = names.filter_map(|name| Some((parent(&name)?, name.parse().ok()?)));
    let child = numbers.find(|(parent, _)| *parent == pid);
    child.map_or(pid, |(_, child)| last_descendant(child))
}

/// `perf` knows nothing of namespaces: the list is found while the process lives, and afterwards
/// it is said where one is looked for.
#[test]
fn lists_of_a_recording_of_perf_are_found_while_the_process_lives() {
    let dir = match maker() {
        Ok(dir) => dir,
        Err(reason) => return skip(&reason),
    };
    let script = "exec 3<maker; mount -t tmpfs none /tmp && /proc/self/fd/3 120; exit 0";
    let mut outside = Command::new("unshare");
    outside.args(OWN).args(["sh", "-c", script]);
    outside.current_dir(dir.path());
    let outside = KillOnDrop(outside.spawn().unwrap());
    let list_of = |pid: u32| {
        let root = format!("/proc/{pid}/root/tmp");
        let mut files = fs::read_dir(root).ok()?.flatten();
        files.find(|it| it.file_name().to_string_lossy().starts_with("perf-"))
    };
    let mut pid = 0;
    wait_until("its list", || {
        pid = last_descendant(outside.pid());
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm.trim() == "3"
            && list_of(pid).is_some_and(|it| it.metadata().is_ok_and(|it| it.len() > 0))
    });
    let data = dir.path().join("perf.data");
    let mut perf = Command::new("perf");
    perf.args([
        "record",
        "-q",
        "-e",
        "cpu-clock:u",
        "-p",
        &pid.to_string(),
        "-o",
    ]);
    perf.arg(&data).args(["--", "sleep", "0.5"]);
    match perf.output() {
        Ok(done) if done.status.success() => {}
        done => return skip(&format!("perf record: {done:?}")),
    }
    let convert = || {
        let mut command = backsight();
        command.arg("convert").arg("-i").arg(&data);
        command.args(["-o", "-", "--to", "folded", "--account", "always"]);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    };
    let ran = convert();
    assert!(ran.stdout.contains("told_inside"), "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("/proc/{pid}/root/tmp/perf-")),
        "{ran:?}"
    );
    let list = fs::read(list_of(pid).unwrap().path()).unwrap();
    // Its children die with process 1 of the namespace.
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    wait_until("its end", || !Path::new(&format!("/proc/{pid}")).exists());
    let ran = convert();
    assert!(!ran.stdout.contains("told_inside"), "{ran:?}");
    let way_out = format!("copy it beside the recording as perf-{pid}.map");
    assert!(ran.stderr.contains(&way_out), "{ran:?}");
    fs::write(dir.path().join(format!("perf-{pid}.map")), list).unwrap();
    let ran = convert();
    assert!(ran.stdout.contains("told_inside"), "{ran:?}");
}

/// As containers are started: its root is that of its mount namespace, so that the kernel says that
/// it is `/`, and its files are on a filesystem that is nowhere else.
#[test]
fn a_program_behind_pivot_root_has_names() {
    let program = match busy(true) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let Ok(needed) = Command::new("ldd").arg(&program).output() else {
        return skip("no ldd");
    };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("old")).unwrap();
    fs::create_dir(dir.path().join("mnt")).unwrap();
    testkit::copy(&program, root.join("pivoted")).unwrap();
    let needed = String::from_utf8(needed.stdout).unwrap();
    for library in needed.split_whitespace().filter(|it| it.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        testkit::copy(library, to).unwrap();
    }
    let script = "mount -t tmpfs none mnt && cp -a root/. mnt/ && cd mnt && \
                  PATH=$PATH:/sbin:/usr/sbin pivot_root . old && exec /pivoted spin 60000";
    let mut unshare = Command::new("unshare");
    unshare
        .args(["-rm", "sh", "-c", script])
        .current_dir(dir.path());
    let mut lives = KillOnDrop(unshare.stdout(Stdio::null()).spawn().unwrap());
    let pid = lives.pid();
    let mut has_ended = false;
    wait_until("it runs", || {
        has_ended = lives.0.try_wait().is_ok_and(|ended| ended.is_some());
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        has_ended || comm.trim() == "pivoted"
    });
    if has_ended {
        return skip("no mount namespaces of users, or no pivot_root");
    }
    let root = fs::read_link(format!("/proc/{pid}/root")).unwrap();
    assert_eq!(root, Path::new("/"));
    let pid = pid.to_string();
    let ran = match record(dir.path(), &["-p", &pid, "-d", "0.5", "-o", "out.folded"]) {
        Ok(ran) => ran,
        Err(reason) => return skip(&reason),
    };
    let stacks = fs::read_to_string(dir.path().join("out.folded")).unwrap();
    assert!(stacks.contains(";work;hot"), "{stacks} {ran:?}");
    assert!(!stacks.contains("[unreadable]"), "{stacks} {ran:?}");
}
