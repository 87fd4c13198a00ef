//! Files that go with a program's debug information (`.dwo`, `.dwp`, those of dwz): what is
//! said when they are gone, or are damaged, or are taken for programs.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{Ran, backsight};

const SOURCE: &str = "static inline __attribute__((always_inline)) int folded(int x) {\n    \
                      return x + 1;\n}\nint main(int count, char **args) {\n    \
                      return folded(count) + (args == 0);\n}\n";

struct Folder {
    dir: tempfile::TempDir,
    addr: String,
}

impl Folder {
    /// With `prog`, whose functions are in `prog.dwo`; `None` without a compiler.
    fn new() -> Option<Self> {
        let mut it = Self {
            dir: tempfile::tempdir().expect("a folder"),
            addr: String::new(),
        };
        fs::write(it.path("prog.c"), SOURCE).expect("ours");
        let args = ["-gdwarf-5", "-gsplit-dwarf", "-O1", "-c", "prog.c"];
        (it.run("cc", &args)? && it.run("cc", &["-o", "prog", "prog.o"])?).then_some(())?;
        let listed = Command::new("nm").arg(it.path("prog")).output().ok()?;
        let listed = String::from_utf8(listed.stdout).expect("text");
        let line = listed.lines().find(|line| line.ends_with(" T main"));
        let addr = line.and_then(|line| line.split(' ').next());
        addr.expect("it is defined").clone_into(&mut it.addr);
        Some(it)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Whether the tool made it; `None` where there is none.
    fn run(&self, tool: &str, args: &[&str]) -> Option<bool> {
        let mut command = Command::new(tool);
        let output = command.args(args).current_dir(&self.dir).output();
        Some(output.ok()?.status.success())
    }

    fn ask(&self, args: &[&str]) -> Ran {
        let mut command = backsight();
        command.current_dir(&self.dir).args(args);
        command.output().expect("it runs").into()
    }
}

/// addr2line has no `-v`.
#[test]
fn a_file_that_is_gone_is_said_with_the_flag_that_the_command_has() {
    let Some(folder) = Folder::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    fs::remove_file(folder.path("prog.dwo")).expect("made");
    let addr = folder.addr.as_str();
    for (args, flag) in [
        (["symbolize", "-e", "prog", addr], "-v"),
        (["addr2line", "-e", "prog", addr], "--verbose"),
    ] {
        let ran = folder.ask(&args);
        let hint = format!("({flag} shows where it was looked for)");
        assert!(ran.stderr.contains(&hint), "{args:?}: {}", ran.stderr);
        let more = folder.ask(&[&args[..], &[flag]].concat());
        assert_eq!(more.code, Some(0), "{}", more.stderr);
        let word = "prog.dwo: no split unit: ";
        assert!(more.stderr.contains(word), "{args:?}: {}", more.stderr);
    }
}

#[test]
fn a_file_that_is_there_and_damaged_is_named_with_the_cause() {
    let Some(folder) = Folder::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let path = folder.path("prog.dwo");
    let sound = fs::read(&path).expect("made");
    let args = ["symbolize", "-e", "prog", &folder.addr];
    assert_eq!(folder.ask(&args).stderr, "");
    let cases = [
        ("empty", Vec::new(), "not an ELF file"),
        ("zeros", vec![0; sound.len()], "not an ELF file"),
        (
            "half",
            sound[..sound.len() / 2].to_vec(),
            "the file: it is cut off: ",
        ),
    ];
    for (what, bytes, why) in cases {
        fs::write(&path, bytes).expect("ours");
        let ran = folder.ask(&args);
        let start = format!("prog.dwo: refused: {why}");
        assert_eq!(ran.code, Some(0), "{what}");
        assert_eq!(ran.stderr.lines().count(), 1, "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains(&start), "{what}: {}", ran.stderr);
    }
}

#[test]
fn no_index_is_built_of_a_file_without_code() {
    let Some(folder) = Folder::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let refused = |name: &str| {
        let ran = folder.ask(&["index", "build", name, "-o", "out"]);
        let want = format!("{name}: no code of its own: index the program that it belongs to");
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(&want), "{name}: {}", ran.stderr);
        assert!(!folder.path("out").exists(), "{name}");
    };
    refused("prog.dwo");
    match folder.run("dwp", &["-o", "prog.dwp", "prog.dwo"]) {
        // That of binutils does not know DWARF 5.
        Some(true) => refused("prog.dwp"),
        _ => testkit::skip("no dwp"),
    }
    for name in ["one", "two"] {
        let more = format!("-DMORE={}", name.len());
        let made = folder.run("cc", &["-g", &more, "-O1", "-o", name, "prog.c"]);
        assert_eq!(made, Some(true));
    }
    match folder.run("dwz", &["-m", "common", "one", "two"]) {
        Some(true) if folder.path("common").exists() => refused("common"),
        _ => testkit::skip("no dwz, or nothing in common"),
    }
}
