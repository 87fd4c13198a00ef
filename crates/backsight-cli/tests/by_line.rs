//! Commands that are used line by line through a pipe: each entry gets an answer, and the caller
//! can tell where the answers end.

mod common;
mod dialogue;

use common::{backsight, json, run_with, sleeping};
use dialogue::Dialogue;

const SELF: &str = env!("CARGO_BIN_EXE_backsight");

#[test]
fn an_entry_that_is_no_address_is_answered_in_its_place() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let input = b"0x10 zz\n\n11 \xff # more\n";
    let text = "0x10               [unmapped]\n\
                zz                 [malformed: not a hexadecimal address]\n\
                0x11               [unmapped]\n\
                \u{fffd}                  [malformed: not a hexadecimal address]\n";
    for command in ["symbolize", "normalize"] {
        let args = [command, "-p", &pid, "-"];
        let ran = run_with(args, input);
        assert_eq!(ran.stdout, text, "{command}");
        ran.fails(0, &["standard input, line 1", "standard input, line 3"]);
        let ran = run_with(args.iter().chain(&["--format", "json", "--strict"]), input);
        ran.fails(3, &["line 1", "line 3"]);
        let types: Vec<String> = json(&ran.stdout)
            .iter()
            .map(|line| line["type"].as_str().unwrap_or_default().to_owned())
            .collect();
        let want = ["header", "address", "malformed", "address", "malformed"];
        assert_eq!(types, want, "{command}");
    }
}

/// Like binutils, which treats an invalid entry as an unknown address.
#[test]
fn the_listing_of_addr2line_keeps_its_count() {
    let ran = run_with(["addr2line", "-e", SELF, "-f"], b"zz\n0x1\n");
    assert_eq!(ran.stdout, "??\n??:0\n??\n??:0\n");
}

#[test]
fn each_line_ends_with_the_mark_that_was_asked_for() {
    let input = b"0x10 zz\n\n# none\n11";
    let lines = |stdout: &str| stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    let child = sleeping();
    let pid = child.0.id().to_string();
    for (flag, mark) in [("--end-mark", ""), ("--end-mark=<end>", "<end>")] {
        let ran = run_with(["symbolize", "-p", &pid, flag, "-"], input);
        let first: Vec<String> = lines(&ran.stdout)
            .iter()
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        let want = ["0x10", "zz", mark, mark, mark, "0x11", mark];
        assert_eq!(first, want, "{flag}");
    }
    let args = [
        "symbolize",
        "-p",
        &pid,
        "--end-mark",
        "--format",
        "json",
        "-",
    ];
    let ran = run_with(args, input);
    let ends = json(&ran.stdout);
    let ends: Vec<u64> = ends
        .iter()
        .filter_map(|line| match line["type"].as_str() {
            Some("end") => line["line"].as_u64(),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [1, 2, 3, 4]);
}

/// A client that reads up to the mark never blocks, whatever it sent.
#[test]
fn a_client_reads_to_the_mark_and_asks_on() {
    let mut command = backsight();
    let args = ["symbolize", "-e", SELF, "--end-mark=.", "-"];
    let mut dialogue = Dialogue::with(command.args(args).stderr(std::process::Stdio::null()));
    for asked in ["0x1\n", "no address\n", "\n", "0x2 0x3\n"] {
        dialogue.ask(asked);
        let mut answers = 0;
        while dialogue.line() != ".\n" {
            answers += 1;
        }
        assert_eq!(answers, asked.split_whitespace().count(), "{asked:?}");
    }
    dialogue.end();
}

/// A capture is passed through, including malformed lines.
#[test]
fn a_malformed_line_of_a_capture_is_answered() {
    let capture = "{\"type\":\"header\",\"schema_version\":1,\"tool\":\"t\"}\nnonsense\n\
                   {\"type\":\"address\",\"address\":\"0x10\",\"reason\":\"unmapped\"}\n";
    let ran = run_with(["symbolize", "-i", "-"], capture.as_bytes());
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(
        lines[0].starts_with("?                  [malformed: "),
        "{ran:?}"
    );
    assert_eq!(lines[1], "0x10               [unmapped]");
    let ran = run_with(
        ["symbolize", "-i", "-", "--format", "json"],
        capture.as_bytes(),
    );
    let lines = json(&ran.stdout);
    assert_eq!(lines[1]["type"], "malformed");
    assert_eq!(lines[1]["line"], 2);
    // Unknown records are skipped.
    let again = run_with(["symbolize", "-i", "-"], ran.stdout.as_bytes());
    assert_eq!(again.ok(), "0x10               [unmapped]\n");
}
