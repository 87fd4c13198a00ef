//! The interactive view, on a terminal: its figures are those of `report`, and keys do what they
//! say.

mod common;
#[path = "common/reported.rs"]
mod reported;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::path::PathBuf;

use common::{run, run_with};
use reported::{SCRIPT, reported};
use tempfile::TempDir;
use terminal::Terminal;

struct Input {
    _dir: TempDir,
    path: PathBuf,
}

impl Input {
    fn new(text: &str, name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        Self { _dir: dir, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn view(&self, size: (u16, u16), env: &[(&str, &str)]) -> Terminal {
        let args = ["view", self.path(), "--no-symbols", "-q"];
        Terminal::run(&args, size, env)
    }
}

/// The rows on the screen of the table.
fn shown(terminal: &Terminal) -> Vec<(String, String, String)> {
    let text = terminal.text();
    let rows = text.lines().skip(2).filter(|line| line.contains('%'));
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let own = words.next().unwrap().to_owned();
        let total = words.find(|word| word.ends_with('%')).unwrap().to_owned();
        (own, total, words.next().unwrap().to_owned())
    };
    rows.map(row).collect()
}

#[test]
fn the_figures_are_those_of_report() {
    let input = Input::new(SCRIPT, "in.perf");
    let mut terminal = input.view((24, 100), &[]);
    terminal.wait_for("q quit");
    terminal.wait_for("cycles-samples: 4");
    // By samples, then by cycles.
    assert_eq!(
        shown(&terminal),
        reported(&input.path, &["--sample-type", "cycles-samples"])
    );
    terminal.press("e");
    terminal.wait_for("events and values");
    terminal.press("j\r");
    terminal.wait_for("cycles: 100 (");
    assert_eq!(
        shown(&terminal),
        reported(&input.path, &["--sample-type", "cycles"])
    );
    terminal.press("s");
    terminal.wait_for("total*");
    let more = ["--sample-type", "cycles", "--sort", "total"];
    assert_eq!(shown(&terminal), reported(&input.path, &more));
    terminal.press("s");
    terminal.wait_for("self*");
    // The thread with the second largest share.
    terminal.press("t");
    terminal.wait_for("thread worker (8)");
    terminal.press("jjjjj");
    let text = terminal.text();
    let rows: Vec<&str> = text.lines().skip(2).collect();
    let at = rows
        .iter()
        .position(|row| row.contains("thread worker"))
        .unwrap();
    terminal.press(&("g".to_owned() + &"j".repeat(at) + "\r"));
    terminal.wait_for("cycles: 25 (");
    let more = ["--sample-type", "cycles", "--tid", "8"];
    assert_eq!(shown(&terminal), reported(&input.path, &more));
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn keys_search_and_open_callers_and_callees() {
    let input = Input::new(SCRIPT, "in.perf");
    let mut terminal = input.view((30, 100), &[]);
    terminal.wait_for("q quit");
    terminal.press("/le.f\r");
    terminal.wait_for("/le.f  Esc ends it");
    let found: Vec<String> = shown(&terminal).into_iter().map(|row| row.2).collect();
    assert_eq!(found, ["leaf"]);
    terminal.press("\r");
    terminal.wait_for("callees");
    let text = terminal.text();
    assert!(text.contains("self 50.00%  total 50.00%  leaf"), "{text}");
    // Half of its samples are from `middle`, half from `main` itself.
    assert!(text.contains("25.00%  + middle"), "{text}");
    assert!(text.contains("25.00%    main"), "{text}");
    // Closed, opened again, and the other side.
    terminal.press("h");
    terminal.wait_for("50.00% + leaf");
    terminal.press("l\t*");
    terminal.wait_for("25.00%    leaf");
    terminal.press("\x1b");
    terminal.wait_for("self*");
    terminal.press("/(");
    terminal.wait_for("nothing is found");
    terminal.press("\r");
    terminal.wait_for("(as text)");
    terminal.press("\x1b");
    terminal.wait_for("main");
    terminal.press("c*");
    terminal.wait_for("what the outermost functions call");
    terminal.wait_for("25.00%  - leaf");
    terminal.press("?");
    terminal.wait_for("open all branches");
    terminal.press("\x03");
    assert!(terminal.end().success());
}

#[test]
fn narrow_screens_no_colours_and_other_locales_have_all() {
    let input = Input::new(SCRIPT, "in.perf");
    let mut coloured = input.view((24, 80), &[]);
    coloured.wait_for("leaf");
    assert!(coloured.has_colours());
    coloured.press("q");
    assert!(coloured.end().success());
    for (size, env) in [
        ((24, 20), ("NO_COLOR", "1")),
        ((4, 20), ("NO_COLOR", "1")),
        ((2, 5), ("NO_COLOR", "1")),
        ((24, 80), ("NO_COLOR", "1")),
    ] {
        let mut terminal = input.view(size, &[env, ("LC_ALL", "C")]);
        // Half of the samples are of leaf; on the smallest screen there is room for the title.
        terminal.wait_for(if size.0 < 4 { "cy" } else { "50.00" });
        for keys in [
            "\r", "\x1b", "c", "*", "\x1b", "e", "\x1b", "t", "\x1b", "?", "\x1b",
        ] {
            terminal.press(keys);
        }
        let text = terminal.text();
        assert!(
            !terminal.has_colours() && text.is_ascii(),
            "{size:?} {text}"
        );
        terminal.press("q");
        assert!(terminal.end().success(), "{size:?}");
    }
}

#[test]
fn hostile_names_do_not_act() {
    let names = "\u{1b}[2Ja\u{9b}31m\u{202e}b 4\n";
    let input = Input::new(names, "in.folded");
    let mut terminal = input.view((24, 80), &[]);
    terminal.wait_for("\\x1b[2Ja\\u{9b}31m\\u{202e}b");
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn a_terminal_that_goes_ends_it() {
    let input = Input::new(SCRIPT, "in.perf");
    let terminal = input.view((24, 80), &[]);
    terminal.wait_for("q quit");
    // setsid has forked, or has become the command.
    let group = terminal.processes();
    assert!(!group.is_empty());
    terminal.close();
    common::wait_until("end", || group.iter().all(|pid| has_ended(*pid)));
}

/// Whether a process is gone, or waits for its parent alone.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn a_signal_restores_the_terminal_and_a_pipe_is_refused() {
    let input = Input::new(SCRIPT, "in.perf");
    let terminal = input.view((24, 80), &[]);
    terminal.wait_for("q quit");
    assert!(terminal.is_on_other_screen());
    let ran = std::process::Command::new("pkill")
        .args(["-TERM", "-P", &terminal.id().to_string()])
        .status();
    // Where setsid did not fork, it has become the command.
    if !ran.is_ok_and(|status| status.success()) {
        let pid = i32::try_from(terminal.id()).unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM);
    }
    terminal.end();
    let refused = run(["view", input.path(), "--no-symbols", "-q"]);
    refused.fails(1, &["view needs a terminal", "backsight report"]);
}

#[test]
fn keys_that_are_pressed_while_it_loads_are_not_shown() {
    let input = Input::new("", "empty");
    let fifo = input.path.with_file_name("in.folded");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let args = ["view", fifo.to_str().unwrap(), "--no-symbols", "-q"];
    let start = || {
        let mut terminal = Terminal::run(&args, (24, 80), &[]);
        common::wait_until("terminal without echo", || !terminal.echoes());
        terminal.press("xyzzy");
        terminal
    };
    // It waits for the input. Afterwards the terminal is as before.
    let mut terminal = start();
    fs::write(&fifo, "main;leaf 5\n").unwrap();
    terminal.wait_for("q quit");
    terminal.press("q");
    common::wait_until("end of the view", || !terminal.is_on_other_screen());
    common::wait_until("terminal as before", || terminal.echoes());
    assert!(!terminal.text().contains("xyzzy"), "{}", terminal.text());
    assert!(terminal.end().success());
    // So it is if a signal ends it.
    let mut terminal = start();
    terminal.press("\u{3}");
    common::wait_until("terminal as before", || terminal.echoes());
    assert!(!terminal.text().contains("xyzzy"), "{}", terminal.text());
    assert!(!terminal.end().success());
}

#[test]
fn the_head_says_the_time_of_samples_as_report_does() {
    let records = run_with(
        ["convert", "-", "-", "--from", "folded", "--to", "ndjson"],
        b"main;leaf 5\n",
    );
    let types = r#"[{"kind":"samples","unit":"count"}]"#;
    let both = r#"[{"kind":"samples","unit":"count"},{"kind":"time","unit":"nanoseconds"}]"#;
    let records = records.ok();
    assert!(records.contains(types), "{records}");
    let records = records.replace(types, both);
    let records = records.replace(r#""values":[5]"#, r#""values":[5,1500000]"#);
    let input = Input::new(&records, "in.ndjson");
    let text = run(["report", input.path(), "--sample-type", "samples", "-q"]).ok();
    let head = text.lines().next().unwrap();
    assert!(head.starts_with("samples: 5 (time 1.50 ms) in "), "{head}");
    let args = ["view", input.path(), "--sample-type", "samples", "-q"];
    let mut terminal = Terminal::run(&args, (24, 200), &[]);
    terminal.wait_for("samples: 5 (time 1.50 ms) in ");
    terminal.press("q");
    assert!(terminal.end().success());
    // Rows of a time have times.
    let text = run(["report", input.path(), "--sample-type", "time", "-q"]).ok();
    let rows: Vec<String> = text
        .lines()
        .skip(2)
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        })
        .collect();
    assert_eq!(rows[0], "self time total time function module");
    assert!(rows[1].starts_with("100.00% 1.50 ms "), "{text}");
    assert!(rows[1].contains(" 100.00% 1.50 ms leaf"), "{text}");
    assert!(
        rows[2].contains("0.00% 0 ns 100.00% 1.50 ms main"),
        "{text}"
    );
}
