//! Failures name what failed, the cause and the way out, and have the right exit code.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::{Ran, backsight, json, public_copy, run, sleeping};
use testkit::child::Child;
use testkit::user::unprivileged;

/// The highest possible process ID, which no process has.
const NO_PID: &str = "2147483647";

#[test]
fn wrong_usage_is_code_2() {
    let cases: [&[&str]; 12] = [
        &[],
        &["nonsense"],
        &["maps"],
        &["maps", "-p", "0"],
        &["maps", "-p", "x"],
        &["maps", "-p", "1", "--at", "zz"],
        &["normalize", "10"],
        &["normalize", "-p", "1", "--maps", "x", "10"],
        &["normalize", "-p", "1", "main"],
        &["normalize", "-p", "1", "10", "-"],
        &["symbolize", "-p", "1", "-e", "x"],
        &["buildid"],
    ];
    // All but the last three name a live process, a child of this one.
    let pid = std::process::id().to_string();
    for case in cases {
        let args = case.iter().map(|arg| if *arg == "1" { &pid } else { *arg });
        let ran = run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{case:?}: {ran:?}");
        assert!(!ran.stderr.is_empty(), "{case:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    for args in [
        &["--help"][..],
        &["-V"],
        &["maps", "--help"],
        &["symbolize", "-h"],
    ] {
        assert!(!run(args).ok().is_empty());
    }
    let help = run(["--help"]).ok();
    assert!(!help.contains("demo-child"), "{help}");
}

#[test]
fn no_such_process() {
    for command in ["maps", "normalize", "symbolize"] {
        run([command, "-p", NO_PID]).fails(1, &["no process 2147483647"]);
    }
}

#[test]
fn a_process_of_another_user() {
    let (_dir, program) = public_copy();
    let child = Child::spawn();
    // Without root, process 1 belongs to another user.
    let pid = if testkit::is_root() { child.pid() } else { 1 }.to_string();
    for command in ["maps", "normalize", "symbolize"] {
        let ran: Ran = unprivileged(|| {
            let mut command_line = Command::new(&program);
            command_line
                .args([command, "-p", &pid])
                .stdin(Stdio::null());
            command_line.output().expect("it runs").into()
        });
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:?}");
        // If /proc hides other users' processes, it seems not to exist.
        let said = [
            "permission denied: run as the same user or root",
            "no process",
        ];
        assert!(
            said.iter().any(|words| ran.stderr.contains(words)),
            "{ran:?}"
        );
        assert!(ran.stderr.contains(&pid), "{ran:?}");
    }
}

#[test]
fn a_file_that_may_not_be_read() {
    let (dir, program) = public_copy();
    let secret = dir.path().join("secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let path = secret.to_str().unwrap();
    for args in [&["symbolize", "-e", path, "10"][..], &["buildid", path]] {
        let ran: Ran = unprivileged(|| Command::new(&program).args(args).output().unwrap().into());
        ran.fails(1, &[path, "Permission denied"]);
    }
}

#[test]
fn a_process_that_ends_between_two_questions() {
    let mut child = Child::spawn();
    let pid = child.pid().to_string();
    let mut process = backsight()
        .args(["normalize", "-p", &pid, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asks = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    asks.write_all(b"10\n").unwrap();
    answers.read_line(&mut line).unwrap();
    assert_eq!(line, "0x10               [unmapped]\n");
    child.kill();
    asks.write_all(b"20\n").unwrap();
    let mut stderr = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert!(
        stderr.contains(&format!("process {pid}: it has exited")),
        "{stderr}"
    );
}

#[test]
fn a_zombie_has_no_memory() {
    let mut child = Child::spawn();
    child.exit();
    let pid = child.pid().to_string();
    run(["maps", "-p", &pid]).fails(1, &[&pid, "has exited"]);
    run(["normalize", "-p", &pid, "10"]).fails(1, &[&pid, "has exited"]);
    run(["symbolize", "-p", &pid]).fails(1, &[&pid]);
}

#[test]
fn some_files_of_several_may_fail() {
    let own = env!("CARGO_BIN_EXE_backsight");
    let ran = run(["buildid", own, "/no/such", own]);
    ran.fails(1, &["/no/such: No such file"]);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, lines[1]));
    assert!(lines[0].ends_with(&format!("  {own}")));
    if let Some(want) = testkit::tools::readelf_build_id(own.as_ref()) {
        assert_eq!(run(["buildid", own]).ok().trim_end(), want.unwrap());
    }
}

/// With any errno that sandboxes return for an unknown ioctl.
#[test]
fn an_old_kernel_falls_back_to_the_text_and_says_so_when_forced() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let libc = format!("{:x}", common::code_of(child.0.id(), "libc"));
    let args = ["normalize", "-p", &pid, "--format", "json", &libc, "10"];
    let here = json(&run([&args[..], &["--backend", "text"]].concat()).ok());
    for errno in testkit::old_kernel::ERRNOS {
        let old = |args: &[&str]| -> Ran {
            let mut command = backsight();
            testkit::old_kernel::filter_command(command.args(args), errno);
            command.output().expect("it runs").into()
        };
        assert_eq!(json(&old(&args).ok()), here, "{errno}");
        let forced = old(&["maps", "-p", &pid, "--backend", "ioctl"]);
        forced.fails(1, &["PROCMAP_QUERY", "--backend text"]);
    }
}
