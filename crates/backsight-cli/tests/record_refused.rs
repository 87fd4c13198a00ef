//! `record`: what cannot be recorded or written is said before anything is run.

mod common;

use std::fs;

use common::{Ran, backsight};

#[test]
fn refusals_come_before_the_command_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let record = |args: &[&str]| {
        let mut command = backsight();
        let command = command.current_dir(dir.path()).arg("record").args(args);
        Ran::from(command.output().unwrap())
    };
    record(&[]).fails(2, &["what to record?", "-p PID", "-- COMMAND"]);
    record(&["-p", "1", "-a"]).fails(2, &["cannot be used with"]);
    record(&["touch", "made"]).fails(2, &["backsight record -- touch made"]);
    record(&["-a", "-F", "100000000", "--", "touch", "made"]).fails(2, &["cannot be used with"]);
    record(&["-a", "-d", "1d"]).fails(2, &["a time is a number of seconds"]);
    record(&["-a", "--every", "1s"]).fails(2, &["name their directory with -o DIR"]);
    let touch = ["--", "/usr/bin/touch", "made"];
    let with = |flags: &[&'static str]| [flags, &touch[..]].concat();
    record(&with(&["-o", "a.xyz"])).fails(2, &["not recognized by name", ".svg"]);
    record(&with(&["-o", "gone/a.svg"])).fails(1, &["gone: no such directory"]);
    record(&with(&["-F", "0"])).fails(2, &["--frequency"]);
    record(&with(&["--every", "1s", "-o", "-"])).fails(2, &["-o DIR"]);
    assert!(!dir.path().join("-").exists());
    for name in ["a.svg", "a.folded", "a.speedscope.json"] {
        let ran = record(&with(&["--normalize-only", "-o", name]));
        ran.fails(2, &["build IDs", ".ndjson"]);
    }
    std::os::unix::fs::symlink("/no/such/file", dir.path().join("dangling.svg")).unwrap();
    record(&with(&["-o", "dangling.svg"])).fails(1, &["dangling.svg", "leads nowhere"]);
    fs::write(dir.path().join("file.svg"), "").unwrap();
    record(&with(&["--every", "1s", "-o", "file.svg"])).fails(1, &["file.svg", "not a directory"]);
    let ran = record(&with(&["--normalize-only", "--to", "svg"]));
    ran.fails(2, &["--to: --normalize-only", ".ndjson"]);
    assert!(!ran.stderr.contains("profile.pb.gz"), "{ran:?}");
    let unwound = [
        "--normalize-only",
        "--call-graph",
        "dwarf",
        "-o",
        "a.ndjson",
    ];
    record(&with(&unwound)).fails(2, &["--call-graph dwarf", "--normalize-only", "fp"]);
    fs::create_dir(dir.path().join("folder.svg")).unwrap();
    record(&with(&["-o", "folder.svg"])).fails(1, &["folder.svg", "Is a directory"]);
    record(&with(&["-o", "/proc/a.svg"])).fails(1, &["/proc/a.svg"]);
    assert!(!dir.path().join("made").exists());
    let gone = record(&["-p", "2147483647", "-o", "a.svg"]);
    gone.fails(1, &["no process 2147483647"]);
    record(&["--cgroup", "/no/such", "-o", "a.svg"]).fails(1, &["not a cgroup"]);
}
