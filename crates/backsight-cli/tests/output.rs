//! Every subcommand handles errors of its output.

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;

use common::{Ran, backsight, run, run_with, sleeping};

/// Calls `each` with a command line for every subcommand that has output.
fn every_subcommand(each: impl Fn(&[&str], &[u8])) {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let own = env!("CARGO_BIN_EXE_backsight");
    let capture = run(["normalize", "-p", &pid, "--format", "json", "10"]).ok();
    let none: &[u8] = b"";
    let cases: [(&[&str], &[u8]); 14] = [
        (&["maps", "-p", &pid], none),
        (&["maps", "-p", &pid, "--format", "json"], none),
        (&["normalize", "-p", &pid, "10"], none),
        (&["normalize", "-p", &pid, "-"], b"10\n"),
        (&["normalize", "--maps", "/proc/self/maps", "10"], none),
        (&["symbolize", "-p", &pid], none),
        (&["symbolize", "-p", &pid, "--format", "json"], none),
        (&["symbolize", "-e", own, "10"], none),
        (&["symbolize", "-i", "-"], capture.as_bytes()),
        (&["addr2line", "-e", own], b"10\n"),
        (&["buildid", own], none),
        (&["doctor"], none),
        (&["completions", "bash"], none),
        (&["man"], none),
    ];
    for (args, input) in cases {
        // It succeeds otherwise.
        assert!(!run_with(args, input).ok().is_empty(), "{args:?}");
        each(args, input);
    }
}

fn into(stdout: impl Into<Stdio>, args: &[&str], input: &[u8]) -> Ran {
    let stdin = tempfile::NamedTempFile::new().unwrap();
    fs::write(stdin.path(), input).unwrap();
    let mut command = backsight();
    command.args(args).stdin(File::open(stdin.path()).unwrap());
    command.stdout(stdout).output().unwrap().into()
}

#[test]
fn a_full_disk_is_a_failure() {
    every_subcommand(|args, input| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = into(full, args, input);
        ran.fails(1, &["cannot write the results: No space left on device"]);
    });
    let child = sleeping();
    let pid = child.0.id().to_string();
    let to_file = run(["normalize", "-p", &pid, "-o", "/dev/full", "10"]);
    to_file.fails(1, &["/dev/full: No space left on device"]);
}

#[test]
fn a_reader_who_is_gone_is_no_failure() {
    every_subcommand(|args, input| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = into(writer, args, input);
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{args:?}");
    });
}

#[test]
fn a_reader_who_goes_in_the_middle_is_no_failure() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let many: Vec<String> = (0..20_000).map(|addr| format!("{addr:x}")).collect();
    for format in ["text", "json"] {
        let args = ["normalize", "-p", &pid, "--format", format].into_iter();
        let mut process = backsight()
            .args(args.chain(many.iter().map(String::as_str)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = process.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        let mut from = process.stderr.take().unwrap();
        from.read_to_string(&mut stderr).unwrap();
        assert_eq!((process.wait().unwrap().code(), &*stderr), (Some(0), ""));
    }
}
