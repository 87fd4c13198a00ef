//! Each option that names a path: one that does not exist, or has nothing of what it is for, is
//! said, and the exit code is not 0.

mod common;

use std::fs;

use common::{run, run_with};

const OWN: &str = env!("CARGO_BIN_EXE_backsight");

/// An option and the command that it is given with; `PATH` stands for the path.
const OPTIONS: [(&str, &[&str]); 26] = [
    (
        "--symbols",
        &["symbolize", "-e", OWN, "--symbols", "PATH", "0x10"],
    ),
    (
        "--symbols",
        &["addr2line", "-e", OWN, "--symbols", "PATH", "0x10"],
    ),
    ("--symbols", &["inspect", OWN, "--symbols", "PATH", "main"]),
    (
        "--symbols",
        &["symbolize", "-i", "NDJSON", "--symbols", "PATH"],
    ),
    (
        "--symbols",
        &[
            "convert",
            "FOLDED",
            "-",
            "--to",
            "folded",
            "--symbols",
            "PATH",
        ],
    ),
    (
        "--debug-dir",
        &["symbolize", "-e", OWN, "--debug-dir", "PATH", "0x10"],
    ),
    (
        "--debug-dir",
        &["addr2line", "-e", OWN, "--debug-dir", "PATH", "0x10"],
    ),
    (
        "--debug-dir",
        &["inspect", OWN, "--debug-dir", "PATH", "main"],
    ),
    (
        "--debug-dir",
        &[
            "convert",
            "FOLDED",
            "-",
            "--to",
            "folded",
            "--debug-dir",
            "PATH",
        ],
    ),
    (
        "--debug-dir",
        &["normalize", "-i", "FOLDED", "--debug-dir", "PATH"],
    ),
    (
        "--debug-dir",
        &["index", "build", OWN, "-o", "OUT", "--debug-dir", "PATH"],
    ),
    (
        "--root",
        &["symbolize", "-e", OWN, "--root", "PATH", "0x10"],
    ),
    (
        "--root",
        &["convert", "FOLDED", "-", "--to", "folded", "--root", "PATH"],
    ),
    ("--kernel", &["symbolize", "--kernel=PATH", "0x10"]),
    ("--kernel", &["normalize", "--kernel=PATH", "0x10"]),
    (
        "--proc-root",
        &["symbolize", "-p", "1", "--proc-root", "PATH", "0x10"],
    ),
    (
        "--proc-root",
        &["normalize", "-p", "1", "--proc-root", "PATH", "0x10"],
    ),
    ("--maps", &["normalize", "--maps", "PATH", "0x10"]),
    ("-i", &["symbolize", "-i", "PATH"]),
    ("-i", &["normalize", "-i", "PATH"]),
    (
        "-i",
        &["convert", "-i", "PATH", "-o", "-", "--to", "folded"],
    ),
    ("-e", &["symbolize", "-e", "PATH", "0x10"]),
    ("-e", &["addr2line", "-e", "PATH", "0x10"]),
    ("FILE", &["index", "show", "PATH"]),
    ("FILE", &["index", "verify", "PATH"]),
    ("FILE", &["store", "add", "--store", "STORE", "PATH"]),
];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("a.folded"), "a;b 3\n").expect("ours");
        let header = "{\"type\":\"header\",\"schema_version\":1,\"tool\":\"t\"}\n";
        fs::write(dir.path().join("a.ndjson"), header).expect("ours");
        fs::create_dir(dir.path().join("empty")).expect("ours");
        fs::write(dir.path().join("file"), "").expect("ours");
        Self(dir)
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn args(&self, command: &[&str], path: &str) -> Vec<String> {
        let replaced = command.iter().map(|arg| {
            let arg = arg
                .replace("PATH", path)
                .replace("OUT", &self.at("out.index"));
            let arg = arg.replace("STORE", &self.at("store"));
            arg.replace("FOLDED", &self.at("a.folded"))
                .replace("NDJSON", &self.at("a.ndjson"))
        });
        replaced.collect()
    }
}

#[test]
fn a_path_that_does_not_exist_is_said() {
    let folder = Folder::new();
    let absent = folder.at("absent");
    for (option, command) in OPTIONS {
        let args = folder.args(command, &absent);
        let ran = run(&args);
        assert_eq!(ran.code, Some(1), "{option} of {args:?}: {ran:?}");
        assert!(
            ran.stderr.contains(&absent),
            "{option} of {args:?}: {ran:?}"
        );
        let said = ran.stderr.matches("No such file").count();
        assert!(said >= 1, "{option} of {args:?}: {ran:?}");
    }
}

/// The other answers are given all the same.
#[test]
fn the_other_addresses_are_answered() {
    let folder = Folder::new();
    for flag in ["--symbols", "--debug-dir", "--root"] {
        let ran = run([
            "addr2line",
            "-f",
            "-e",
            OWN,
            flag,
            &folder.at("absent"),
            "0x10",
        ]);
        assert_eq!(
            (ran.code, ran.stdout.lines().count()),
            (Some(1), 2),
            "{flag}: {ran:?}"
        );
        let out = ["convert", &folder.at("a.folded"), "-", "--to", "folded"];
        let ran = run([&out[..], &[flag, &folder.at("absent")]].concat());
        assert_eq!(
            (ran.code, &*ran.stdout),
            (Some(1), "a;b 3\n"),
            "{flag}: {ran:?}"
        );
    }
}

#[test]
fn a_path_of_another_kind_or_with_nothing_in_it_is_said() {
    let folder = Folder::new();
    let (empty, file) = (folder.at("empty"), folder.at("file"));
    fs::write(folder.0.path().join("empty/readme.txt"), "passed over").expect("ours");
    let cases = [
        ("--symbols", &empty, "no symbol file in it"),
        ("--symbols", &file, "not a symbol file"),
        ("--debug-dir", &file, "not a directory"),
        ("--root", &file, "not a directory"),
        ("--index-dir", &file, "not used: "),
    ];
    for (flag, path, words) in cases {
        let ran = run(["symbolize", "-e", OWN, flag, path, "0x10"]);
        ran.fails(1, &[&format!("{flag} {path}: "), words]);
        assert!(!ran.stdout.is_empty(), "{flag}: {ran:?}");
    }
    // These are made when they are needed, and an empty one is no mistake.
    for flag in ["--index-dir", "--debug-dir", "--root"] {
        let ran = run(["symbolize", "-e", OWN, flag, &empty, "0x10"]);
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{flag}: {ran:?}");
    }
    let new = folder.at("new");
    let ran = run(["symbolize", "-e", OWN, "--index-dir", &new, "0x10"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
}

#[test]
fn a_command_without_addresses_says_so() {
    let own_pid = std::process::id().to_string();
    for command in [
        &["symbolize", "-e", OWN][..],
        &["symbolize", "--kernel"],
        &["normalize", "--kernel"],
        &["normalize", "-p", &own_pid],
        &["normalize", "--maps", "/proc/self/maps"],
    ] {
        let ran = run_with(command, b"");
        ran.fails(
            2,
            &["no addresses given", "`-` reads them from standard input"],
        );
        assert_eq!(ran.stdout, "", "{command:?}");
    }
    // As addr2line does.
    assert_eq!(run_with(["addr2line", "-e", OWN], b"").ok(), "");
}

#[test]
fn a_selection_of_nothing_is_said() {
    let folder = Folder::new();
    let folded = folder.at("a.folded");
    let convert = ["convert", &folded, "-", "--to", "folded"];
    let cases: [(&[&str], i32, &str); 3] = [
        (&["--sample-type", "none"], 1, "--sample-type none: "),
        (&["--event", "none"], 2, "--event chooses an event"),
        (&["--from", "none"], 2, "none"),
    ];
    for (flags, code, words) in cases {
        let ran = run([&convert[..], flags].concat());
        ran.fails(code, &[words]);
        assert_eq!(ran.stdout, "", "{flags:?}");
    }
    let ran = run(["inspect", OWN, "no_such_name_at_all"]);
    ran.fails(1, &["no definition of no_such_name_at_all"]);
}
