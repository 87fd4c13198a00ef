//! `top`: a busy program is on top, as text and on a terminal.

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{backsight, run};
use terminal::Terminal;
use testkit::child::KillOnDrop;
use testkit::perf;
use testkit::skip;

/// A program that calls `leaf` all the time.
fn busy() -> Option<KillOnDrop> {
    let Some(program) = perf::program() else {
        skip("there is no C compiler");
        return None;
    };
    let child = std::process::Command::new(program)
        .args(["spin", "2000000000"])
        .spawn()
        .expect("it runs");
    Some(KillOnDrop(child))
}

#[test]
fn a_busy_function_is_on_top_of_each_table() {
    let Some(busy) = busy() else { return };
    let pid = busy.0.id().to_string();
    // So many samples that chance does not put another function on top, also on a busy machine:
    // `leaf` has about half of them, and the next function a fourth.
    let mut command = backsight();
    command.args(["top", "-p", &pid, "--every", "1s", "-d", "60s"]);
    command.args(["-F", "1999", "-n", "3"]);
    let mut top = KillOnDrop(command.stdout(Stdio::piped()).spawn().expect("it runs"));
    let lines = BufReader::new(top.0.stdout.take().expect("a pipe")).lines();
    let mut tables: Vec<Vec<String>> = Vec::new();
    for line in lines.map(|line| line.expect("text")) {
        if line.contains("the last ") {
            tables.push(Vec::new());
        }
        if tables.len() > 2 {
            break;
        }
        tables.last_mut().expect("a head comes first").push(line);
    }
    // The third has only begun.
    assert_eq!(tables.len(), 3, "{tables:?}");
    for table in tables.iter().take(2) {
        let head = &table[0];
        let (_, of) = head.split_once(" in ").expect("a head");
        let length = of.strip_prefix(&format!("process {pid}, the last "));
        let seconds = length.and_then(|text| text.split(' ').next());
        let seconds: f64 = seconds.expect(head).parse().expect(head);
        assert!(seconds >= 1.0, "{head}");
        let title = table.iter().position(|line| line.contains("  function"));
        let first = &table[title.expect("a table") + 1];
        assert!(first.contains("leaf"), "{table:?}");
        assert!(!first.contains("other_leaf"), "{table:?}");
    }
}

#[test]
fn the_length_of_a_short_interval_is_said() {
    let Some(busy) = busy() else { return };
    let pid = busy.0.id().to_string();
    let text = run(["top", "-p", &pid, "--every", "60s", "-d", "0.3s"]).stdout;
    let head = text.lines().next().expect("a head");
    // It ends before the minute is over.
    let (_, length) = head.split_once("the last ").expect(head);
    assert_ne!(length.split(',').next(), Some("60 s"), "{head}");
}

#[test]
fn keys_work_while_it_samples() {
    let Some(busy) = busy() else { return };
    let pid = busy.0.id().to_string();
    let args = ["top", "-p", &pid, "--every", "500ms", "-F", "199"];
    let mut terminal = Terminal::run(&args, (24, 100), &[]);
    terminal.wait_for("leaf");
    terminal.press("/leaf\r");
    terminal.wait_for("/leaf  Esc ends it");
    terminal.press("\r");
    terminal.wait_for("callers");
    // The page is of the newest profile.
    terminal.wait_for("spin");
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn who_is_shown_must_be_said_and_must_exist() {
    run(["top"]).fails(2, &["what to show", "-p PID"]);
    run(["top", "-p", "4194304"]).fails(1, &["4194304"]);
    run(["top", "-a", "-p", "1"]).fails(2, &["cannot be used with"]);
}
