//! The progress of long work, on a terminal: no trace of it is left among messages.

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::fmt::Write;
use std::fs;

use terminal::Terminal;

#[test]
fn progress_leaves_nothing_among_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mut script = String::new();
    // A malformed line in the middle is said while the bar is shown.
    for nth in 0..30_000 {
        let micros = nth % 1_000_000;
        let _ = writeln!(script, "w 7/7 1.{micros:06}: 1 cycles: ");
        for depth in 0..20 {
            let _ = writeln!(
                script,
                "\t{:x} f{}+0x1 (/app)",
                0x1000 + depth,
                depth + nth % 7
            );
        }
        script.push('\n');
        if nth == 20_000 {
            script.push_str("nonsense that is no sample\n\n");
        }
    }
    let input = dir.path().join("in.perf");
    fs::write(&input, script).unwrap();
    let output = dir.path().join("out.folded");
    let args = [
        "convert",
        input.to_str().unwrap(),
        output.to_str().unwrap(),
        "--no-symbols",
    ];
    let terminal = Terminal::run(&args, (24, 120), &[]);
    terminal.wait_for("samples read, 30000 written");
    let text = terminal.text();
    assert!(
        !text.contains(" % of ") && !text.contains("reading"),
        "{text}"
    );
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    for line in lines {
        assert!(line.starts_with("backsight: "), "{text}");
    }
    assert!(terminal.end().success());
}
