//! `backsight addr2line` prints the same as binutils' addr2line.

mod common;
mod dialogue;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{backsight, run, run_with};
use dialogue::Dialogue;
use testkit::differential::{self, Asked, Oracle, Subject};

/// Two functions, and one that is inlined into the first. There is no padding and no thunk, so
/// that each byte has a line.
const PROGRAM: &str = r"
static volatile int depth;
static inline __attribute__((always_inline)) int sound(int at) {
    depth = at;
    return depth * 3;
}
__attribute__((noinline)) int survey(int at) {
    int here = sound(at);
    return here + depth;
}
int main(int argc, char **argv) {
    (void)argv;
    return survey(argc) & 1;
}
";

/// Returns the program and addresses in it, some of them outside of code; `None`, with a skip
/// message, without the tools.
fn program() -> Option<(PathBuf, Vec<String>)> {
    for tool in ["addr2line", "nm"] {
        if testkit::tools::tool(tool).is_none() {
            testkit::skip(&format!("no {tool}"));
            return None;
        }
    }
    let program = match testkit::tools::compile("addr2line", PROGRAM, &["-O2", "-gdwarf-4"]) {
        Ok(program) => program,
        Err(why) => {
            testkit::skip(&why);
            return None;
        }
    };
    let symbols = Command::new("nm").arg("-S").arg(&program).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let mut addrs = vec!["0".to_owned(), "0xfffffff0".to_owned()];
    for line in symbols.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if let [start, size, _, "survey" | "main"] = fields[..] {
            let hex = |digits| u64::from_str_radix(digits, 16).unwrap();
            let all = (0..hex(size)).map(|into| format!("{:#x}", hex(start) + into));
            addrs.extend(all);
        }
    }
    assert!(addrs.len() > 10, "{symbols}");
    Some((program, addrs))
}

fn binutils(program: &Path, flags: &[&str], addrs: &[String]) -> String {
    let mut command = Command::new("addr2line");
    command.env("LC_ALL", "C").arg("-e").arg(program);
    let done = command.args(flags).args(addrs).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    // We have no discriminators.
    let lines = text
        .lines()
        .map(|line| line.split(" (discriminator").next().unwrap());
    lines.map(|line| format!("{line}\n")).collect()
}

/// In an object with one code section, addresses are the offsets in it.
#[test]
fn an_object_file_is_listed_as_binutils_does() {
    // It is cached like a program, so it needs a name of its own.
    let object = testkit::tools::compile("object", PROGRAM, &["-c", "-Og", "-gdwarf-5"]);
    let object = match object {
        Ok(object) if testkit::tools::tool("addr2line").is_some() => object,
        Ok(_) => return testkit::skip("no addr2line"),
        Err(why) => return testkit::skip(&why),
    };
    let addrs: Vec<String> = (0..0x30).map(|addr| format!("{addr:#x}")).collect();
    let theirs = binutils(&object, &["-fia"], &addrs);
    assert!(theirs.contains("survey\n"), "{theirs}");
    let own = ["addr2line", "-fia", "-e", object.to_str().unwrap()];
    let addrs = addrs.iter().map(String::as_str);
    assert_eq!(run(own.into_iter().chain(addrs)).ok(), theirs);
}

#[test]
fn every_flag_lists_as_binutils_does() {
    let Some((program, addrs)) = program() else {
        return;
    };
    let flags: [&[&str]; 14] = [
        &[],
        &["-f"],
        &["-i"],
        &["-a"],
        &["-s"],
        &["-p"],
        &["-C"],
        &["-f", "-i"],
        &["-fip"],
        &["-afipCs"],
        &["-a", "-p"],
        &["-p", "-s", "-i"],
        &["--functions", "--inlines", "--addresses"],
        &["--pretty-print", "--basenames", "--demangle"],
    ];
    let elf = program.to_str().unwrap();
    for flags in flags {
        let args = ["addr2line", "-e", elf].into_iter();
        let args = args.chain(flags.iter().copied());
        let ours = run(args.chain(addrs.iter().map(String::as_str))).ok();
        assert_eq!(ours, binutils(&program, flags, &addrs), "{flags:?}");
    }
    let inlined = run(["addr2line", "-fip", "-e", elf]
        .into_iter()
        .chain(addrs.iter().map(String::as_str)));
    let inlined = inlined.ok();
    assert!(inlined.contains("sound at "), "{inlined}");
    assert!(inlined.contains(" (inlined by) survey at "), "{inlined}");
}

#[test]
fn every_difference_from_other_tools_is_a_known_one() {
    let Some((program, _)) = program() else {
        return;
    };
    let addrs = differential::sample(&program, 500);
    let mut command = backsight();
    command.args(["addr2line", "-a", "-f", "-i", "-e"]);
    let ours = differential::listing(command.arg(&program), &addrs).unwrap();
    let asked = Asked {
        columns: false,
        ..Asked::new(&program, &program)
    };
    let mut theirs = Vec::new();
    for oracle in [Oracle::LlvmSymbolizer, Oracle::BinutilsAddr2line] {
        match oracle.ask(&asked, &addrs) {
            Ok(levels) => theirs.push((oracle, levels)),
            Err(why) => testkit::skip(&why),
        }
    }
    let subject = Subject::of(&[&program]);
    for (oracle, comparison) in differential::compare(&subject, &addrs, &ours, &theirs) {
        assert!(comparison.unknown.is_empty(), "{oracle:?}: {comparison:#?}");
        assert!(
            comparison.counts["equal"] > 100,
            "{oracle:?}: {comparison:?}"
        );
    }
}

#[test]
fn without_addresses_standard_input_is_answered_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    // The default file is a.out in the current directory.
    testkit::copy(testkit::child::program(), dir.path().join("a.out")).unwrap();
    let mut command = backsight();
    command.args(["addr2line", "-f", "-a"]);
    let mut dialogue = Dialogue::with(command.current_dir(dir.path()));
    for ask in ["0x10\n", "20\n"] {
        dialogue.ask(ask);
        let lines = [(); 3].map(|()| dialogue.line());
        let digits = ask.trim().trim_start_matches("0x");
        assert_eq!(
            lines,
            [format!("0x{digits:0>16}\n"), "??\n".into(), "??:0\n".into()]
        );
    }
    dialogue.end();
}

#[test]
fn a_missing_file_a_bad_address_and_strict_have_their_codes() {
    run(["addr2line", "-e", "/no/such", "10"]).fails(1, &["/no/such: No such file"]);
    run(["addr2line", "-e", "/", "10"]).fails(1, &["/: not a regular file"]);
    run(["addr2line", "-e", "/bin/sh", "main"]).fails(2, &["not a hexadecimal address"]);
    let own = env!("CARGO_BIN_EXE_backsight");
    assert_eq!(run(["addr2line", "-e", own, "10"]).ok(), "??:0\n");
    let strict = run(["addr2line", "-e", own, "--strict", "10"]);
    assert_eq!((strict.code, &*strict.stdout), (Some(3), "??:0\n"));
    let bad_line = run_with(["addr2line", "-e", own, "--strict"], b"zz\n");
    bad_line.fails(3, &["standard input, line 1"]);
}

/// In `symbolize`, `-i` and `-p` have another meaning, so the flags have only long names.
#[test]
fn the_listing_serves_every_source_and_its_flags_ask_for_it() {
    let Some((program, addrs)) = program() else {
        return;
    };
    let elf = program.to_str().unwrap();
    let with = |command: &[&str]| {
        let all = command
            .iter()
            .copied()
            .chain(addrs.iter().map(String::as_str));
        run(all).ok()
    };
    let plain = with(&["addr2line", "-e", elf]);
    assert_eq!(
        with(&["symbolize", "-e", elf, "--format", "addr2line"]),
        plain
    );
    let all = with(&["addr2line", "-e", elf, "-afipCs"]);
    let flags = ["-afCs", "--inlines", "--pretty-print"];
    let implied = [&["symbolize", "-e", elf], &flags[..]].concat();
    assert_eq!(with(&implied), all);
    let said = [&implied[..], &["--format", "addr2line"]].concat();
    assert_eq!(with(&said), all);

    for format in ["text", "json"] {
        let other = run(["symbolize", "-e", elf, "-f", "--format", format, "10"]);
        other.fails(2, &["--format", "addr2line"]);
    }

    let child = common::sleeping();
    let pid = child.0.id().to_string();
    let pc = format!("{:#x}", common::program_counter(child.0.id()));
    let live = run(["symbolize", "-p", &pid, "-af", &pc, "10"]).ok();
    let lines: Vec<_> = live.lines().collect();
    assert!(
        lines[0].ends_with(&pc[2..]) && lines[1].contains("nanosleep"),
        "{live}"
    );
    assert_eq!(
        lines[lines.len() - 3..],
        ["0x0000000000000010", "??", "??:0"]
    );
    let capture = run(["normalize", "-p", &pid, "--format", "json", &pc, "10"]).ok();
    let later = run_with(["symbolize", "-i", "-", "-af"], capture.as_bytes());
    assert_eq!(later.ok(), live);
}
