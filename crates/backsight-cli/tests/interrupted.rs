//! If a signal ends the command, it keeps an existing output and leaves no temporary file.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{backsight, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// A program whose indexing takes a while, with or without debug files.
const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// Makes unnamed files unavailable for this thread and what it starts.
fn without_unnamed_files() {
    let flag = u64::try_from(nix::libc::O_TMPFILE).expect("a flag");
    let of_flags = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(flag),
        flag,
    );
    let rule = SeccompRule::new(vec![of_flags.expect("a condition")]).expect("a rule");
    let refused = u32::try_from(nix::libc::EOPNOTSUPP).expect("an errno");
    let filter = SeccompFilter::new(
        [(nix::libc::SYS_openat, vec![rule])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(refused),
        std::env::consts::ARCH
            .try_into()
            .expect("an architecture that is known"),
    );
    let program: BpfProgram = filter.expect("a filter").try_into().expect("a program");
    seccompiler::apply_filter(&program).expect("the kernel takes filters");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// Waits until a process has opened a file in this directory.
fn wait_for_output(pid: u32, folder: &Path) {
    let fds = format!("/proc/{pid}/fd");
    let folder = folder.canonicalize().expect("ours");
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let open = fs::read_dir(&fds).into_iter().flatten().flatten();
        let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        if targets.any(|target| target.starts_with(&folder)) {
            return;
        }
        assert!(Instant::now() < give_up, "the output is not begun");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Returns the command as started by an interactive shell. The parent of these tests may ignore
/// SIGINT, as a script does for background jobs; that is inherited, and commands respect it.
fn interruptible() -> Command {
    let status = fs::read_to_string("/proc/self/status").expect("this process");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.expect("a line").trim(), 16).expect("a mask");
    let asked = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    if !asked
        .iter()
        .any(|signal| ignored >> (*signal as u32 - 1) & 1 == 1)
    {
        return backsight();
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP");
    command.arg(backsight().get_program());
    command
}

/// Starts a conversion from standard input, and waits until it has created its output.
fn begin_conversion(mut command: Command, output: &Path) -> (Child, ChildStdin) {
    let args = [
        "convert",
        "--no-symbols",
        "--from",
        "ndjson",
        "-i",
        "-",
        "-o",
    ];
    command.args(args).arg(output);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let header = b"{\"type\":\"header\",\"schema_version\":1,\"tool\":\"t\"}\n";
    stdin.write_all(header).expect("it reads");
    wait_for_output(child.id(), output.parent().expect("a folder"));
    (child, stdin)
}

/// A conversion that is interrupted while it waits for more input.
fn interrupt_conversion(signal: Signal, before: Option<&str>, has_unnamed: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let output = dir.path().join("out.ndjson");
    if let Some(text) = before {
        fs::write(&output, text).expect("ours");
    }
    let (child, stdin) = begin_conversion(interruptible(), &output);
    if !has_unnamed {
        assert!(
            names(dir.path()).iter().any(|name| name.ends_with(".part")),
            "no such case"
        );
    }
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it runs");
    let ended = child.wait_with_output().expect("it ends");
    use std::os::unix::process::ExitStatusExt as _;
    assert_eq!(ended.status.signal(), Some(signal as i32), "{ended:?}");
    drop(stdin);
    let want: &[&str] = if before.is_some() {
        &["out.ndjson"]
    } else {
        &[]
    };
    assert_eq!(names(dir.path()), want, "{signal}");
    if let Some(text) = before {
        assert_eq!(fs::read_to_string(&output).expect("there"), text);
    }
}

#[test]
fn a_conversion_leaves_nothing_behind() {
    for before in [None, Some("what was there\n")] {
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGKILL,
        ] {
            interrupt_conversion(signal, before, true);
        }
    }
}

/// As set by nohup.
#[test]
fn a_signal_that_is_ignored_stays_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = dir.path().join("out.ndjson");
    let script = "trap '' HUP; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_backsight")]);
    let (mut child, stdin) = begin_conversion(command, &output);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGHUP).expect("it runs");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(names(dir.path()), ["out.ndjson"]);
}

/// Where files need a name, only SIGKILL leaves one behind.
#[test]
fn nor_does_it_where_files_have_names() {
    let filtered = thread::spawn(|| {
        without_unnamed_files();
        for before in [None, Some("what was there\n")] {
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                interrupt_conversion(signal, before, false);
            }
        }
        // It also succeeds if nothing interrupts it.
        let dir = tempfile::tempdir().expect("a folder");
        let input = dir.path().join("a.folded");
        fs::write(&input, "a;b 3\n").expect("ours");
        for _ in 0..2 {
            let args = [Path::new("convert"), &input, &dir.path().join("b.folded")];
            run(args).ok();
            assert_eq!(names(dir.path()), ["a.folded", "b.folded"]);
        }
    });
    filtered.join().expect("as without a filter");
}

#[test]
fn an_index_is_whole_or_not_there() {
    if !Path::new(LIBC).exists() {
        return testkit::skip("no libc.so.6 where it usually is");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let output = dir.path().join("a.index");
    let build = || {
        let mut command = interruptible();
        command.args(["index", "build", LIBC, "-o"]).arg(&output);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begun = Instant::now();
    assert!(build().status().expect("it runs").success());
    let takes = begun.elapsed();
    // Interrupted at various times.
    for part in 1..5_u32 {
        let mut child = build().spawn().expect("it runs");
        thread::sleep(takes * part / 5);
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).expect("not reaped");
        child.wait().expect("it ends");
        assert_eq!(names(dir.path()), ["a.index"]);
        run([Path::new("index"), Path::new("verify"), &output]).ok();
    }
}

/// Builds an index of libc into a directory, and is killed by a signal without a handler, like
/// SIGKILL, when a file exceeds a kilobyte.
fn kill_while_it_is_kept(dir: &Path) {
    let script = "ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_backsight")]);
    command
        .args(["index", "build", LIBC, "--index-dir"])
        .arg(dir);
    let ended = command.output().expect("it runs");
    use std::os::unix::process::ExitStatusExt as _;
    let signal = Some(Signal::SIGXFSZ as i32);
    assert_eq!(ended.status.signal(), signal, "{ended:?}");
}

#[test]
fn an_index_directory_has_nothing_of_who_was_killed() {
    if !Path::new(LIBC).exists() {
        return testkit::skip("no libc.so.6 where it usually is");
    }
    let dir = tempfile::tempdir().expect("a folder");
    kill_while_it_is_kept(dir.path());
    assert_eq!(names(dir.path()), [""; 0]);
    let build = |dir: &Path| {
        let args = ["index", "build", LIBC, "--index-dir"].map(Path::new);
        run(args.into_iter().chain([dir]))
    };
    assert_eq!(build(dir.path()).code, Some(0));
    let [index] = &names(dir.path())[..] else {
        panic!("one index: {:?}", names(dir.path()));
    };
    // An existing index is kept.
    let before = fs::read(dir.path().join(index)).expect("there");
    kill_while_it_is_kept(dir.path());
    assert_eq!(names(dir.path()), [index.as_str()]);
    assert!(fs::read(dir.path().join(index)).expect("there") == before);
    // Where files need a name, one is left until an index is written an hour later.
    let index = index.clone();
    let filtered = thread::spawn(move || {
        without_unnamed_files();
        let dir = tempfile::tempdir().expect("a folder");
        let foreign = [".notes.part", &format!(".{index}.notes.part")].map(String::from);
        for name in &foreign {
            fs::write(dir.path().join(name), "").expect("ours");
        }
        kill_while_it_is_kept(dir.path());
        let mut left = names(dir.path());
        left.retain(|name| !foreign.contains(name));
        let [left] = &left[..] else {
            panic!("one file: {left:?}");
        };
        let is_so = left.starts_with(&format!(".{index}.")) && left.ends_with(".part");
        assert!(is_so, "{left}");
        for name in foreign.iter().chain([left]) {
            let file = fs::File::options().write(true).open(dir.path().join(name));
            let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
            file.expect("ours").set_modified(long_ago).expect("ours");
        }
        assert_eq!(build(dir.path()).code, Some(0));
        let mut want = foreign.to_vec();
        want.push(index);
        want.sort();
        assert_eq!(names(dir.path()), want);
    });
    filtered.join().expect("as without a filter");
}

#[test]
fn messages_name_the_output() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("a.folded");
    fs::write(&input, "a;b 3\n").expect("ours");
    let missing = dir.path().join("none/out.folded");
    let ran = run([Path::new("convert"), &input, &missing]);
    ran.fails(1, &["none/out.folded: No such file or directory"]);
    assert!(!ran.stderr.contains(".part"), "{ran:?}");
    let folder = dir.path().join("folder.folded");
    fs::create_dir(&folder).expect("ours");
    let ran = run([Path::new("convert"), &input, &folder]);
    ran.fails(1, &["folder.folded: Is a directory"]);
}
