//! `stack`: what it prints, and what it says of stacks that are cut or left out.

mod common;
mod stacks;

use std::fs;
use std::process::Command;

use common::{json, of_type, run, sleeping, wait_until};
use serde_json::Value;
use stacks::{Built, Stacks, of_json, of_process, program, runs_freely, started};
use testkit::child::KillOnDrop;
use testkit::skip;

/// Starts the C program with threads of these ways.
fn ways(names: &[&str]) -> Result<(KillOnDrop, Built), String> {
    let command = ["cc", "-O1", "-fomit-frame-pointer", "-pthread", "stacks.c"];
    let program = program(include_str!("stacks/stacks.c"), &command)?;
    let child = started(Command::new(&program.path).args(names));
    Ok((child, program))
}

fn names(stacks: &Stacks, tid: u64) -> Vec<&str> {
    stacks[&tid].iter().map(|frame| &*frame.name).collect()
}

/// Returns the value of a label of a thread, by the thread's name.
fn label(lines: &[Value], thread: &str, key: &str) -> Option<Value> {
    let of = |sample: &Value, key: &str| {
        let labels = sample["labels"].as_array().expect("labels");
        let found = labels.iter().find(|label| label["key"] == key)?;
        Some(match &found["text"] {
            Value::Null => found["number"].clone(),
            text => text.clone(),
        })
    };
    let samples = of_type(lines, "sample");
    let sample = samples
        .iter()
        .find(|it| of(it, "comm") == Some(thread.into()));
    of(sample.expect("a thread of that name"), key)
}

#[test]
fn text_has_each_thread_and_says_for_how_long_it_was_stopped() {
    let child = sleeping();
    let pid = child.pid();
    let text = of_process(&child, &[]).ok();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(&*format!("thread {pid} sleep")));
    assert!(text.contains("nanosleep"), "{text}");
    assert!(
        text.trim_end().ends_with("/sleep)") || text.contains("libc"),
        "{text}"
    );
    let verbose = of_process(&child, &["-v"]).stdout;
    let first = verbose.lines().next().unwrap_or_default();
    assert!(
        first.contains("[stopped ") && first.contains(" µs"),
        "{verbose}"
    );
    let found = json(&of_process(&child, &["--format", "json"]).ok());
    assert!(label(&found, "sleep", "stopped").unwrap().as_u64() > Some(0));
    assert_eq!(label(&found, "sleep", "stops"), Some(1.into()));
    assert_eq!(label(&found, "sleep", "end"), Some("outermost".into()));
    assert_eq!(of_type(&found, "header")[0]["pid"], pid);
    let only = of_process(&child, &["--tid", &pid.to_string()]).ok();
    assert_eq!(only, text);
    of_process(&child, &["--tid", "1"]).fails(1, &["no thread 1", "/task"]);
    assert!(runs_freely(pid));
}

#[test]
fn several_processes_are_read_also_when_one_cannot() {
    let (first, second) = (sleeping(), sleeping());
    let pids = format!("{},{}", first.pid(), second.pid());
    let text = run(["stack", "-p", &pids]).ok();
    for child in [&first, &second] {
        assert!(
            text.contains(&format!("process {}\n", child.pid())),
            "{text}"
        );
    }
    // As from `$(pidof sleep)`, and without -p.
    let [one, other] = [&first, &second].map(|child| child.pid().to_string());
    assert_eq!(run(["stack", "-p", &one, &other]).ok(), text);
    assert_eq!(run(["stack", &one, &other]).ok(), text);
    let ran = run(["stack", &one, "2147483647", &other]);
    ran.fails(1, &["no process 2147483647"]);
    assert_eq!(ran.stdout, text);
    run(["stack"]).fails(2, &["PID"]);
}

#[test]
fn a_thread_in_a_leaf_function_has_its_callers() {
    let (child, _program) = match ways(&["leaf"]) {
        Ok(both) => both,
        Err(why) => return skip(&why),
    };
    for _ in 0..20 {
        let stacks = of_json(&of_process(&child, &["--format", "json"]).ok());
        let (tid, _) = stacks.last_key_value().expect("two threads");
        let found = names(&stacks, *tid);
        assert_eq!(found[..2], ["spins", "is_in_leaf"], "{found:?}");
        assert!(found.contains(&"start_thread"), "{found:?}");
    }
    assert!(runs_freely(child.pid()));
}

/// It runs in the vDSO most of the time.
#[test]
fn a_thread_in_the_vdso_has_its_callers() {
    let (child, _program) = match ways(&["clock"]) {
        Ok(both) => both,
        Err(why) => return skip(&why),
    };
    let mut in_vdso = 0;
    wait_until("stack in the vDSO", || {
        let text = of_process(&child, &["--format", "json"]).ok();
        let lines = json(&text);
        let modules = of_type(&lines, "module");
        let vdso = modules.iter().find(|module| module["kind"] == "vdso");
        let stacks = of_json(&text);
        let (tid, _) = stacks.last_key_value().expect("two threads");
        let found = names(&stacks, *tid);
        assert!(found.contains(&"asks_clock"), "{found:?}");
        in_vdso += usize::from(vdso.is_some());
        in_vdso >= 5
    });
}

#[test]
fn a_cut_stack_says_so() {
    let (child, _program) = match ways(&["deep"]) {
        Ok(both) => both,
        Err(why) => return skip(&why),
    };
    let text = of_process(&child, &["-n", "10"]).ok();
    assert!(text.contains("[more frames: -n 0 shows all]"), "{text}");
    let cut = |args: &[&str]| {
        let ran = of_process(&child, &[args, &["--format", "json"]].concat());
        let stacks = of_json(&ran.ok());
        let (_, deep) = stacks.last_key_value().expect("two threads");
        deep.len()
    };
    assert_eq!(cut(&["-n", "10"]), 10);
    assert_eq!(cut(&[]), 1024);
    let whole = cut(&["-n", "0"]);
    assert!(whole > 3000, "{whole}");
    // 3,000 frames of more than 200 bytes are more than this.
    let few = ["-n", "0", "--max-stack", "100K"];
    let some = cut(&few);
    assert!((300..1500).contains(&some), "{some}");
    let text = of_process(&child, &few).ok();
    assert!(text.contains("--max-stack"), "{text}");
    let json_of =
        |args: &[&str]| json(&of_process(&child, &[args, &["--format", "json"]].concat()).ok());
    assert_eq!(
        label(&json_of(&few), "deep", "end"),
        Some("byte-limit".into())
    );
    let end = label(&json_of(&["-n", "5"]), "deep", "end");
    assert_eq!(end, Some("frame-limit".into()));
    // What was not copied at first was copied again.
    assert!(
        label(&json_of(&["-n", "0"]), "deep", "stops")
            .unwrap()
            .as_u64()
            > Some(1)
    );
    assert_eq!(of_process(&child, &["-n", "10", "--strict"]).code, Some(3));
}

#[test]
fn a_program_whose_first_thread_has_ended_still_has_the_others() {
    let (child, _program) = match ways(&["interrupted", "leaves"]) {
        Ok(both) => both,
        Err(why) => return skip(&why),
    };
    let status = format!("/proc/{0}/task/{0}/status", child.pid());
    wait_until("zombie", || {
        fs::read_to_string(&status).unwrap().contains("State:\tZ")
    });
    let text = of_process(&child, &[]).ok();
    assert!(text.contains("[no stack: it has ended]"), "{text}");
    assert!(text.contains("interrupted+"), "{text}");
}

#[test]
fn code_made_at_run_time_is_named_or_left_out() {
    if !cfg!(target_arch = "x86_64") {
        return skip("the code is for x86-64");
    }
    let made = match program(include_str!("stacks/made.c"), &["cc", "-O1", "made.c"]) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(&mut Command::new(&made.path));
    let map = format!("/tmp/perf-{}.map", child.pid());
    let named = of_process(&child, &["--format", "json"]);
    let native = of_process(&child, &["--native-only"]);
    let marked = of_process(&child, &["--native-only", "--format", "json"]);
    fs::remove_file(map).expect("it wrote one");
    let named = of_json(&named.ok());
    let found = names(&named, child.pid().into());
    let at = found.iter().position(|name| *name == "made_function");
    let at = at.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(
        (found[at - 1], found[at + 1]),
        ("waits", "main"),
        "{found:?}"
    );
    let text = native.ok();
    assert!(
        text.contains("[1 frame of code made at run time]"),
        "{text}"
    );
    assert!(!text.contains("made_function"), "{text}");
    let lines = json(&marked.ok());
    assert_eq!(label(&lines, "made", "left_out"), Some(1.into()));
    // The callers of code without call frame information follow from its frame pointer.
    assert!(label(&lines, "made", "guessed").unwrap().as_u64() > Some(0));
}
