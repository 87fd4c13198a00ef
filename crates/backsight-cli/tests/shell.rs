//! Completions, help and manual pages.

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::{run, run_with};

const SUBCOMMANDS: [&str; 20] = [
    "stack",
    "record",
    "report",
    "annotate",
    "view",
    "top",
    "maps",
    "normalize",
    "symbolize",
    "convert",
    "addr2line",
    "buildid",
    "index",
    "inspect",
    "store",
    "demo",
    "diff",
    "doctor",
    "completions",
    "man",
];

/// Nested subcommands, which have manual pages, too.
const NESTED: [&str; 6] = [
    "index-build",
    "index-show",
    "index-verify",
    "store-add",
    "store-gc",
    "store-ls",
];

/// The pages of the command and of all subcommands.
const PAGES: usize = 1 + SUBCOMMANDS.len() + NESTED.len();

#[test]
fn completions_know_every_subcommand_and_none_that_is_hidden() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).ok();
        for name in SUBCOMMANDS {
            assert!(script.contains(name), "{shell}: no {name}");
        }
        assert!(
            script.contains("--proc-root") || script.contains("proc-root"),
            "{shell}"
        );
        assert!(!script.contains("demo-child"), "{shell}");
    }
    run(["completions", "cmd"]).fails(2, &["possible values", "bash"]);
}

#[test]
fn shells_accept_their_completions() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let Some(program) = testkit::tools::tool(shell) else {
            // The other shells are often missing.
            if shell == "bash" {
                testkit::skip("no bash");
            }
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("completions");
        fs::write(&file, run(["completions", shell]).ok()).unwrap();
        let read = Command::new(program)
            .arg(check)
            .arg(&file)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&read.stderr);
        assert!(
            read.status.success() && words.is_empty(),
            "{shell}: {words}"
        );
    }
}

/// Asks the shell itself for completions.
#[test]
fn processes_are_completed() {
    for (shell, words) in [
        ("bash", "[0-9]*)"),
        ("zsh", ":PID:_pids"),
        ("fish", "(__fish_complete_pids)"),
    ] {
        let script = run(["completions", shell]).ok();
        // In maps, normalize and symbolize; bash has both the short and the long option.
        let each = if shell == "bash" { 2 } else { 1 };
        assert!(script.matches(words).count() >= 3 * each, "{shell}");
    }
    let Some(bash) = testkit::tools::tool("bash") else {
        return testkit::skip("no bash");
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completions");
    fs::write(&file, run(["completions", "bash"]).ok()).unwrap();
    let script = "source \"$1\"; COMP_WORDS=(backsight symbolize \"$2\" \"$3\"); COMP_CWORD=3
                  _backsight backsight \"$3\" \"$2\"; echo \"${COMPREPLY[@]}\"";
    let this = std::process::id().to_string();
    for flag in ["-p", "--pid"] {
        let shown = Command::new(&bash)
            .args(["-c", script, "bash"])
            .arg(&file)
            .args([flag, &this[..1]])
            .output()
            .unwrap();
        let offered = String::from_utf8_lossy(&shown.stdout).into_owned();
        let offered: Vec<&str> = offered.split_whitespace().collect();
        assert!(offered.contains(&&*this), "{flag}: {shown:?}");
    }
}

#[test]
fn wrong_words_get_a_pointer() {
    for (word, way) in [
        ("version", "--version"),
        ("flamegraph", "convert perf.data flame.svg"),
        ("hottest", "backsight report"),
    ] {
        let ran = run([word, "x"]);
        ran.fails(2, &[word, way]);
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
    run(["nonsense"]).fails(2, &["nonsense", "--help"]);
}

#[test]
fn help_ends_with_examples_and_the_exit_status() {
    for name in SUBCOMMANDS {
        let help = run([name, "--help"]).ok();
        for part in ["Examples:\n  # ", "Exit status:\n  0 ", "See also:\n"] {
            assert!(help.contains(part), "{name}: no {part:?} in {help}");
        }
        let short = run([name, "-h"]).ok();
        assert!(!short.contains("Examples:"), "{name}: -h stays short");
    }
}

/// Each roff request is at the start of a line, and is a known one.
#[test]
fn man_pages_are_roff() {
    let all = run(["man"]).ok();
    assert_eq!(all.matches("\n.TH backsight").count(), PAGES);
    for line in all.lines().filter(|line| line.starts_with(['.', '\''])) {
        let request = line.split(' ').next().unwrap();
        let known = [
            ".TH", ".SH", ".TP", ".PP", ".RS", ".RE", ".IP", ".br", ".ie", ".el",
        ];
        assert!(known.contains(&request), "{line}");
    }
    assert!(!all.contains("demo\\-child"), "hidden");
    for name in SUBCOMMANDS.iter().chain(&NESTED) {
        let one = run(["man", name]).ok();
        assert!(one.contains(&format!("\n.TH backsight-{name} 1")), "{one}");
        assert!(all.contains(&one), "{name}");
    }
    run(["man", "nonsense"]).fails(2, &["nonsense", "--help"]);
}

#[test]
fn man_pages_go_to_a_folder_and_render() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    let to = pages.to_str().unwrap();
    assert_eq!(run(["man", "--out", to]).ok(), "");
    assert_eq!(fs::read_dir(&pages).unwrap().count(), PAGES);
    run(["man", "--out", "/dev/null/x"]).fails(1, &["/dev/null/x: Not a directory"]);
    if testkit::tools::tool("man").is_none() {
        return testkit::skip("no man");
    }
    for name in SUBCOMMANDS.iter().chain(&NESTED) {
        let page = pages.join(format!("backsight-{name}.1"));
        let shown = Command::new("man")
            .env("LC_ALL", "C.UTF-8")
            .env("MAN_KEEP_FORMATTING", "")
            .args(["--warnings", "-P", "cat", "-l"])
            .arg(&page)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (text, words) = (
            String::from_utf8_lossy(&shown.stdout),
            String::from_utf8_lossy(&shown.stderr),
        );
        assert!(
            shown.status.success() && words.is_empty(),
            "{name}: {words}"
        );
        for part in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXAMPLES",
            "EXIT STATUS",
            "SEE ALSO",
        ] {
            assert!(text.contains(part), "{name}: no {part} in {text}");
        }
    }
}

#[test]
fn pages_and_completions_are_output_like_any_other() {
    for args in [&["man"][..], &["completions", "bash"], &["doctor"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ran: common::Ran = common::backsight()
            .args(args)
            .stdout(full)
            .output()
            .unwrap()
            .into();
        ran.fails(1, &["cannot write the results: No space left on device"]);
    }
    // They take no input.
    assert!(!run_with(["man", "maps"], b"x").ok().is_empty());
}

/// Runs groff directly, because `man` converts characters first.
#[test]
fn groff_reads_the_pages_without_a_warning() {
    let Some(groff) = testkit::tools::tool("groff") else {
        return testkit::skip("no groff");
    };
    let all = run(["man"]).ok();
    assert!(all.is_ascii());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.1");
    fs::write(&file, &all).unwrap();
    let shown = Command::new(groff)
        .args(["-ww", "-man", "-Tutf8"])
        .arg(&file)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && words.is_empty(), "{words}");
    // Non-ASCII characters are rendered correctly.
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains('…') && !text.contains("[u2026]"));
}
