//! `store`: files by build ID, which this command and gdb find.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_types::DebugId;
use common::stripped_program::Program;
use common::{Ran, backsight, json, of_type};
use testkit::breakpad::{Level, Stretch};
use testkit::tools::tool;

/// What the address of `called` is called with DWARF.
const NAMED: &str = "called+0x0";

impl Program {
    /// Where the default store is.
    fn store(&self) -> PathBuf {
        self.path("data/backsight/store")
    }

    /// Runs a subcommand in the directory, with a default store of its own.
    fn run(&self, words: &str) -> Ran {
        let words = words.replace("ADDR", &format!("{:#x}", self.addr));
        self.run_args(&words.split_whitespace().collect::<Vec<_>>())
    }

    fn run_args(&self, args: &[&str]) -> Ran {
        let mut command = backsight();
        command.current_dir(self.dir.path()).args(args);
        command.env("XDG_DATA_HOME", self.path("data"));
        command.output().expect("it runs").into()
    }

    /// Returns where a file of this build is in the default store.
    fn by_id(&self, ending: &str) -> PathBuf {
        let id = self.build_id.to_string();
        let name = format!(".build-id/{}/{}{ending}", &id[..2], &id[2..]);
        self.store().join(name)
    }
}

macro_rules! program {
    () => {
        match Program::made() {
            Ok(program) => program,
            Err(words) => return testkit::skip(&words),
        }
    };
}

#[test]
fn added_files_are_listed_and_removed() {
    let program = program!();
    let id = program.build_id;
    let added = program.run("store add a a.debug").ok();
    let size = |name: &str| fs::metadata(program.path(name)).expect("it is there").len();
    let bytes = size("a") + size("a.debug");
    let want = format!(
        "added    {id}  executable  a\nadded    {id}  debuginfo   a.debug\n\
         2 files added, {bytes} bytes\n"
    );
    assert_eq!(added, want);
    let again = program.run("store add a").ok();
    assert!(
        again.ends_with("0 files added, 0 bytes; 1 already there\n"),
        "{again}"
    );
    let listed = program.run("store ls").ok();
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let id = id.to_string();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let name = line.last().expect("words");
        assert_eq!(line[0], id);
        assert_eq!(
            line[1],
            if *name == "a" {
                "executable"
            } else {
                "debuginfo"
            }
        );
        assert_eq!(line[2], size(name).to_string());
        assert!(
            line[3].starts_with("20") && line[3].ends_with('Z'),
            "{listed}"
        );
    }
    let lines = json(&program.run("store ls --format json").ok());
    let stored = of_type(&lines, "stored");
    assert_eq!(stored.len(), 2);
    let debug = stored.iter().find(|line| line["kind"] == "debuginfo");
    let debug = debug.expect("a line");
    assert_eq!(debug["build_id"], id);
    assert_eq!(debug["name"], "a.debug");
    assert_eq!(
        debug["path"],
        *program.by_id(".debug").to_str().expect("UTF-8")
    );
    assert!(debug["last_used"].as_u64() > Some(1_700_000_000));
    let kept = program.run("store gc --size 1G").ok();
    assert_eq!(
        kept,
        format!("0 files removed, 0 bytes; 2 files kept, {bytes} bytes\n")
    );
    let removed = program.run("store gc --size 0").ok();
    assert!(
        removed.ends_with(&format!(
            "2 files removed, {bytes} bytes; 0 files kept, 0 bytes\n"
        )),
        "{removed}"
    );
    let empty = program.run("store ls");
    assert_eq!((empty.code, &*empty.stdout), (Some(0), ""));
    empty.fails(0, &["nothing was added", "backsight store add FILE"]);
}

#[test]
fn symbols_come_from_the_default_store() {
    let program = program!();
    let symbolize = "symbolize -e a ADDR";
    assert!(!program.run(symbolize).ok().contains(NAMED));
    // Twice: with the debug file, and with an executable that is its own.
    for file in ["a.debug", "full"] {
        program.run(&format!("store add {file}")).ok();
        let named = program.run(symbolize).ok();
        assert!(named.contains(NAMED) && named.contains("a.c:2"), "{named}");
        let alone = "symbolize -e a --no-default-debug-dir ADDR";
        assert!(!program.run(alone).ok().contains(NAMED));
        // The module itself is gone, and only the store has it.
        let normalized = format!(
            "{{\"type\":\"header\",\"schema_version\":1,\"tool\":\"t\"}}\n\
             {{\"type\":\"module\",\"index\":0,\"path\":\"/gone/a\",\"deleted\":false,\
             \"build_id_kind\":\"gnu\",\"build_id\":\"{}\"}}\n\
             {{\"type\":\"address\",\"address\":\"0x1\",\"module\":0,\"virtual_offset\":\"{:#x}\"}}\n",
            program.build_id, program.addr
        );
        fs::write(program.path("n.ndjson"), normalized).expect("ours");
        let named = program.run("symbolize -i n.ndjson").ok();
        assert!(named.contains(NAMED), "{named}");
        program.run("store gc --size 0").ok();
    }
}

#[test]
fn gdb_reads_the_store() {
    let program = program!();
    let Some(gdb) = tool("gdb") else {
        return testkit::skip("gdb: absent");
    };
    for file in ["a.debug", "full"] {
        program.run(&format!("store add --store s {file}")).ok();
        let mut command = Command::new(&gdb);
        command.args(["-nx", "-q", "-batch"]);
        let directory = format!("set debug-file-directory {}", program.path("s").display());
        for words in [directory.as_str(), "file a", "info line called"] {
            command.args(["-ex", words]);
        }
        let output = command.current_dir(program.dir.path()).output();
        let said = output.expect("it runs").stdout;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("of \"a.c\""), "{file}: {said}");
        program.run("store gc --store s --size 0").ok();
    }
}

#[test]
fn symbol_files_of_a_store_are_found() {
    let program = program!();
    let debug_id = DebugId::of_build_id(&program.build_id)[0];
    let levels = vec![Level {
        name: "called(int)".to_owned(),
        place: Some(("/src/a.c".to_owned(), 2)),
    }];
    let range = program.addr..program.addr + 4;
    let module = format!("Linux x86_64 {debug_id} a");
    let text = testkit::breakpad::written(&module, None, &[Stretch { range, levels }]);
    fs::write(program.path("b.sym"), text).expect("ours");
    let added = program.run("store add --store s b.sym").ok();
    assert!(added.contains(&format!("{debug_id}  breakpad")), "{added}");
    assert!(program.path(&format!("s/a/{debug_id}/a.sym")).is_file());
    let named = program.run("symbolize -e a --symbols s ADDR").ok();
    assert!(named.contains("called(int)"), "{named}");
    let lines = json(&program.run("store ls --store s --format json").ok());
    assert_eq!(
        of_type(&lines, "stored")[0]["debug_id"],
        debug_id.to_string()
    );
}

/// Those of the default store without a flag; a file that is named instead of it.
#[test]
fn symbol_files_of_the_default_store_are_found() {
    let program = program!();
    let debug_id = DebugId::of_build_id(&program.build_id)[0];
    let module = format!("Linux x86_64 {debug_id} a");
    let write = |file: &str, name: &str| {
        let levels = vec![Level {
            name: name.to_owned(),
            place: Some(("/src/a.c".to_owned(), 2)),
        }];
        let range = program.addr..program.addr + 4;
        let text = testkit::breakpad::written(&module, None, &[Stretch { range, levels }]);
        fs::write(program.path(file), text).expect("ours");
    };
    write("b.sym", "kept(int)");
    write("c.sym", "named(int)");
    program.run("store add b.sym").ok();
    let found = program.run("symbolize -e a ADDR").ok();
    assert!(
        found.contains("kept(int)") && found.contains("a.c:2"),
        "{found}"
    );
    let found = program.run("addr2line -f -e a ADDR").ok();
    assert!(found.contains("kept"), "{found}");
    let alone = program.run("symbolize -e a --no-default-debug-dir ADDR");
    assert!(!alone.stdout.contains("kept(int)"), "{}", alone.stdout);
    let found = program.run("symbolize -e a --symbols c.sym ADDR").ok();
    assert!(found.contains("named(int)"), "{found}");
}

#[test]
fn files_that_cannot_be_added_are_reported() {
    let program = program!();
    fs::write(program.path("x\u{1b}[31m"), "text").expect("ours");
    fs::create_dir(program.path("dir")).expect("ours");
    fs::rename(program.path("a.c"), program.path("dir/a.c")).expect("ours");
    testkit::copy(program.path("a"), program.path("dir/a")).expect("ours");
    let ran = program.run_args(&["store", "add", "x\u{1b}[31m", "absent", "dir"]);
    let words = ["neither ELF nor GSYM", "absent: open: No such file"];
    ran.fails(1, &words);
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
    let counts = "1 file added, ";
    assert!(ran.stdout.contains(counts), "{ran:?}");
    assert!(
        ran.stdout
            .contains("; 2 neither ELF nor symbol files; 1 failed\n"),
        "{ran:?}"
    );
    // Of a directory, other files are counted, and named only with -v.
    let quiet = program.run("store add dir").ok();
    assert!(quiet.contains("1 neither ELF nor symbol files"), "{quiet}");
    let verbose = program.run("store add -v dir");
    verbose.fails(0, &["dir/a.c: neither ELF"]);
    // Another file where one of this build belongs.
    fs::write(program.by_id(".debug"), "text").expect("ours");
    let taken = program.run("store add a.debug");
    taken.fails(1, &["a.debug: its place in the store is taken", "remove "]);
    // Neither is it listed, nor removed.
    program
        .run("store ls")
        .fails(0, &["1 file by build ID not listed"]);
    program.run("store gc --size 0").ok();
    assert!(program.by_id(".debug").is_file());
    program
        .run("store gc --size 1.5G")
        .fails(2, &["a size is a number of bytes"]);
}

#[test]
fn a_store_that_cannot_be_used_says_why() {
    let program = program!();
    program.run("store add a").ok();
    set_mode(&program.store(), 0o777);
    for words in ["store add full", "store ls", "store gc --size 0"] {
        program.run(words).fails(1, &["others can change it"]);
    }
    fs::write(program.path("file"), "text").expect("ours");
    for words in ["store add --store file a", "store ls --store file"] {
        program.run(words).fails(1, &["file: "]);
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}
