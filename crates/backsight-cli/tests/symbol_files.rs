//! `--symbols`: GSYM and Breakpad files, through the commands that look symbols up.

mod common;

use std::fs;

use backsight_types::DebugId;
use common::run;
use common::stripped_program::{Program, run_tool};
use testkit::breakpad::{Level, Stretch};

impl Program {
    /// Writes `a.gsym` of the program with its debug information.
    fn gsym(&self) -> Result<(), String> {
        let names = ["llvm-gsymutil", "llvm-gsymutil-19"];
        let made = names.iter().any(|name| {
            let words = format!("{name} --convert full --out-file a.gsym");
            run_tool(self.dir.path(), &words).is_ok()
        });
        made.then_some(())
            .ok_or_else(|| "llvm-gsymutil: absent".to_owned())
    }

    fn debug_id(&self) -> DebugId {
        DebugId::of_build_id(&self.build_id)[0]
    }

    /// Writes a Breakpad file of this debug ID.
    fn breakpad(&self, name: &str, debug_id: &str) {
        let level = Level {
            name: "called(int)".to_owned(),
            place: Some(("/src/a.c".to_owned(), 2)),
        };
        let range = self.addr..self.addr + 4;
        let levels = vec![level];
        let module = format!("Linux x86_64 {debug_id} a");
        let text = testkit::breakpad::written(&module, None, &[Stretch { range, levels }]);
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        fs::write(path, text).expect("ours");
    }

    /// Runs a subcommand in the directory.
    fn run(&self, words: &str) -> common::Ran {
        let mut command = common::backsight();
        command.current_dir(self.dir.path());
        let words = words.replace("ADDR", &format!("{:#x}", self.addr));
        let output = command.args(words.split_whitespace()).output();
        output.expect("it runs").into()
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
fn a_breakpad_file_names_a_stripped_program() {
    let program = program!();
    let debug_id = program.debug_id().to_string();
    program.breakpad("a.sym", &debug_id);
    program.breakpad(&format!("store/a/{debug_id}/a.sym"), &debug_id);
    let unnamed = program.run("symbolize -e a ADDR").ok();
    assert!(!unnamed.contains("called"), "{unnamed}");
    for symbols in ["a.sym", "store"] {
        let named = program
            .run(&format!("symbolize -e a --symbols {symbols} ADDR"))
            .ok();
        assert!(
            named.contains("called(int)") && named.contains("a.c:2"),
            "{named}"
        );
        let listed = program
            .run(&format!("addr2line -f -e a --symbols {symbols} ADDR"))
            .ok();
        assert_eq!(listed, "called(int)\n/src/a.c:2\n", "{symbols}");
    }
    let ran = program.run("symbolize -v -e a --symbols a.sym ADDR");
    ran.fails(0, &["a.sym: symbol file, used"]);
    // Normalized elsewhere, the program not at hand.
    let normalized = format!(
        "{{\"type\":\"header\",\"schema_version\":1,\"tool\":\"t\"}}\n\
         {{\"type\":\"module\",\"index\":0,\"path\":\"/gone/a\",\"deleted\":false,\
         \"build_id_kind\":\"gnu\",\"build_id\":\"{}\"}}\n\
         {{\"type\":\"address\",\"address\":\"0x1\",\"module\":0,\"virtual_offset\":\"{:#x}\"}}\n",
        program.build_id, program.addr
    );
    fs::write(program.path("n.ndjson"), normalized).expect("ours");
    let named = program.run("symbolize -i n.ndjson --symbols store").ok();
    assert!(named.contains("called(int)"), "{named}");
    let named = program.run("convert n.ndjson -o - --to ndjson --symbols a.sym");
    assert!(named.stdout.contains("called(int)"), "{named:?}");
}

#[test]
fn a_gsym_file_names_a_stripped_program() {
    let program = program!();
    if let Err(reason) = program.gsym() {
        return testkit::skip(&reason);
    }
    let named = program.run("symbolize -e a --symbols a.gsym ADDR").ok();
    assert!(
        named.contains("called") && named.contains("a.c:"),
        "{named}"
    );
    let about = program.run("inspect a.gsym").ok();
    let id = program.build_id;
    assert!(
        about.starts_with(&format!("format    GSYM\nbuild ID  {id}\nfunctions ")),
        "{about}"
    );
}

#[test]
fn unused_symbol_files_are_said() {
    let program = program!();
    let (own, id) = (program.debug_id().to_string(), program.build_id);
    let other = "00112233445566778899AABBCCDDEEFF0";
    program.breakpad("other.sym", other);
    let ran = program.run("symbolize -e a --symbols other.sym ADDR");
    let words = format!("--symbols other.sym: it is of debug ID {other}, and build ID {id} was");
    ran.fails(0, &[&words]);
    // Before and behind the answers, each once.
    let ran = program.run("symbolize -e a --symbols absent --symbols a.c ADDR");
    ran.fails(
        1,
        &[
            "--symbols absent: No such file",
            "--symbols a.c: not a symbol file",
        ],
    );
    assert_eq!(ran.stderr.matches("absent").count(), 1, "{ran:?}");
    program.breakpad("one.sym", &own);
    program.breakpad("two.sym", &own);
    let mut text = fs::read_to_string(program.path("two.sym")).expect("ours");
    text.push_str("PUBLIC ffff 0 other\n");
    fs::write(program.path("two.sym"), text).expect("ours");
    // Neither is used: a failure if one of them was named, as with any file that cannot be used.
    fs::create_dir(program.path("both")).expect("new");
    fs::create_dir(program.path("first")).expect("new");
    for (from, to) in [
        ("one.sym", "both/one.sym"),
        ("two.sym", "both/two.sym"),
        ("one.sym", "first/one.sym"),
    ] {
        testkit::copy(program.path(from), program.path(to)).expect("ours");
    }
    for (flags, code) in [
        ("--symbols one.sym --symbols two.sym", 1),
        ("--symbols first --symbols two.sym", 1),
        ("--symbols two.sym --symbols first", 1),
        ("--symbols both", 0),
    ] {
        let ran = program.run(&format!("symbolize -e a {flags} ADDR"));
        ran.fails(code, &["claim to be of the same build: give one of them"]);
        assert_eq!(ran.stderr.matches("claim to be").count(), 1, "{ran:?}");
        assert!(!ran.stdout.contains("called"), "{ran:?}");
    }
    let ran = program.run("symbolize -e one.sym ADDR");
    ran.fails(
        1,
        &["one.sym: not an ELF file, but a symbol file of Breakpad: give it with --symbols"],
    );
    // Lines that cannot be read.
    let mut text = fs::read_to_string(program.path("one.sym")).expect("ours");
    text.push_str("FUNC 10\nFILE x\n");
    fs::write(program.path("one.sym"), text).expect("ours");
    let ran = program.run("symbolize -e a --symbols one.sym ADDR");
    ran.fails(0, &["one.sym: 2 of its lines cannot be read"]);
    assert!(ran.stdout.contains("called(int)"), "{ran:?}");
}

#[test]
fn a_file_that_claims_two_builds_is_refused_everywhere() {
    let program = program!();
    let own = program.debug_id();
    program.breakpad("two.sym", &own.to_string());
    let path = program.path("two.sym");
    let text = fs::read_to_string(&path).expect("ours");
    let (first, rest) = text.split_once('\n').expect("lines");
    let other = "ab".repeat(20);
    fs::write(&path, format!("{first}\nINFO CODE_ID {other}\n{rest}")).expect("ours");
    let words = format!("it claims debug ID {own} and build ID {other}, which contradict");
    let commands = [
        ("symbolize -e a --symbols two.sym ADDR", 1),
        ("symbolize -e a --symbols . ADDR", 0),
        ("addr2line -f -e a --symbols two.sym ADDR", 1),
        ("inspect two.sym", 1),
    ];
    for (command, code) in commands {
        let ran = program.run(command);
        ran.fails(code, &["two.sym: ", &words]);
        assert!(!ran.stdout.contains("called(int)"), "{command}: {ran:?}");
    }
    let ran = program.run("store add --store kept two.sym");
    ran.fails(1, &["two.sym", "which contradict each other"]);
}

#[test]
fn inspect_says_what_a_file_is() {
    let program = program!();
    let own = program.debug_id().to_string();
    program.breakpad("a.sym", &own);
    let about = program.run("inspect a.sym").ok();
    let want = format!(
        "format    Breakpad\nmodule    a (Linux x86_64)\nbuild ID  none\ndebug ID  {own}\n\
         functions 1\nlines     1\ninlined   0\nsymbols   0\nSTACK CFI 0\n"
    );
    assert_eq!(about, want);
    let path = program.path("a.sym");
    let mut text = fs::read_to_string(&path).expect("ours");
    text.push_str("STACK CFI INIT 10 4 .cfa: +\nSTACK WIN 4 1 2\n??\n");
    fs::write(&path, text).expect("ours");
    let ran = program.run("inspect a.sym");
    ran.fails(
        0,
        &[
            "1 of its lines cannot",
            "1 ranges of STACK CFI have rules that cannot",
        ],
    );
    assert!(
        ran.stdout
            .ends_with("STACK CFI 1\nSTACK WIN 1 (not used)\n"),
        "{ran:?}"
    );
    let ran = program.run("inspect --format json a.sym");
    ran.fails(1, &["a.sym: a symbol file is described as text alone"]);
    fs::write(&path, "MODULE Linux").expect("ours");
    program
        .run("inspect a.sym")
        .fails(1, &["a.sym: a symbol file: its MODULE line"]);
    let ran = program.run("inspect --symbols a.sym full main");
    ran.fails(1, &["--symbols: not used", "its MODULE line"]);
    assert!(run(["inspect", "--help"]).ok().contains("GSYM"));
}

/// A store may have both, which `store add` puts there: GSYM is used, and nothing is wrong.
#[test]
fn of_two_formats_of_one_build_gsym_is_used() {
    let program = program!();
    if let Err(reason) = program.gsym() {
        return testkit::skip(&reason);
    }
    let debug_id = program.debug_id().to_string();
    program.breakpad("a.sym", &debug_id);
    let text = fs::read_to_string(program.path("a.sym")).expect("ours");
    let (module, rest) = text.split_once('\n').expect("lines");
    let rest = rest.replace("called(int)", "of_breakpad");
    let code_id = format!("INFO CODE_ID {}", program.build_id);
    let text = format!("{module}\n{code_id}\n{rest}");
    fs::write(program.path("a.sym"), text).expect("ours");
    let added = program.run("store add --store kept a.gsym a.sym");
    assert_eq!(added.code, Some(0), "{added:?}");
    for symbols in ["--symbols kept", "--symbols a.sym --symbols a.gsym"] {
        let words = format!("symbolize -e a {symbols} ADDR");
        let named = program.run(&words).ok();
        assert!(
            named.contains("called") && named.contains("a.c:"),
            "{named}"
        );
    }
    // The other one is not used because of its format, but it could be.
    let named = program.run("symbolize -e a --symbols a.sym ADDR").ok();
    assert!(named.contains("of_breakpad"), "{named}");
}

/// Its head is whole, so that it is found out when it is used.
#[test]
fn a_named_file_that_is_cut_off_ends_the_command_with_1() {
    let program = program!();
    if let Err(reason) = program.gsym() {
        return testkit::skip(&reason);
    }
    let whole = fs::read(program.path("a.gsym")).expect("ours");
    fs::write(program.path("cut.gsym"), &whole[..100]).expect("ours");
    let profile = format!(
        "{{\"type\":\"header\",\"schema_version\":1}}\n\
         {{\"type\":\"module\",\"index\":0,\"kind\":\"file\",\"path\":\"{}\",\"build_id\":\"{}\"}}\n\
         {{\"type\":\"address\",\"index\":0,\"module\":0,\"virtual_offset\":\"{:#x}\"}}\n",
        program.path("a").display(),
        program.build_id,
        program.addr
    );
    fs::write(program.path("in.ndjson"), profile).expect("ours");
    for words in [
        "symbolize -e a --symbols cut.gsym ADDR",
        "addr2line -e a --symbols cut.gsym ADDR",
        "inspect a --symbols cut.gsym",
        "symbolize -i in.ndjson --symbols cut.gsym",
    ] {
        let ran = program.run(words);
        ran.fails(1, &["--symbols cut.gsym", "a table exceeds the file"]);
    }
}
