//! `backsight doctor` reports findings and advice.

mod common;

use std::process::Command;

use common::{Ran, backsight, json, public_copy, run};
use nix::errno::Errno;
use serde_json::Value;
use testkit::kernel::{Ioctl, ioctl};
use testkit::user::unprivileged;

const NAMES: [&str; 12] = [
    "kernel",
    "procmap-query",
    "seccomp",
    "map-files",
    "ptrace",
    "yama",
    "hidepid",
    "descriptors",
    "debug-files",
    "kernel-symbols",
    "perf-events",
    "user",
];

/// Returns the finding with this name.
fn finding<'l>(lines: &'l [Value], name: &str) -> &'l Value {
    let found = lines.iter().find(|line| line["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

fn said(ran: Ran) -> Vec<Value> {
    let lines = json(&ran.ok());
    assert_eq!(
        (&lines[0]["type"], &lines[0]["schema_version"]),
        (&"header".into(), &1.into())
    );
    let names: Vec<_> = lines[1..]
        .iter()
        .map(|line| line["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, NAMES);
    for line in &lines[1..] {
        assert_eq!(line["type"], "check");
        let advised = line["advice"].is_string();
        match line["state"].as_str().unwrap() {
            "ok" => assert!(!advised, "{line}"),
            "limited" | "missing" => assert!(advised, "{line}"),
            other => panic!("{other} in {line}"),
        }
    }
    lines
}

#[test]
fn both_formats_say_the_same() {
    let lines = said(run(["doctor", "--format", "json"]));
    let text = run(["doctor"]).ok();
    for line in &lines[1..] {
        let [state, name, found] =
            ["state", "name", "found"].map(|key| line[key].as_str().unwrap());
        let whole = format!("{state:<8} {name:<15} {found}\n");
        assert!(text.contains(&whole), "{whole} in {text}");
        if let Some(advice) = line["advice"].as_str() {
            assert!(
                text.contains(&format!("→ {advice}\n")),
                "{advice} in {text}"
            );
        }
    }
}

#[test]
fn the_ioctl_is_found_as_the_kernel_has_it() {
    let lines = said(run(["doctor", "--format", "json"]));
    let want = match ioctl() {
        Ioctl::Answers => "ok",
        Ioctl::Refused(_) => "limited",
    };
    assert_eq!(finding(&lines, "procmap-query")["state"], want);
}

#[test]
fn an_old_kernel_and_a_filter_are_told_apart() {
    for errno in testkit::old_kernel::ERRNOS {
        let mut command = backsight();
        command.args(["doctor", "--format", "json"]);
        testkit::old_kernel::filter_command(&mut command, errno);
        let lines = said(command.output().unwrap().into());
        let query = finding(&lines, "procmap-query");
        assert_eq!(query["state"], "limited", "{errno}");
        let found = query["found"].as_str().unwrap();
        let said = format!("(os error {})", errno as i32);
        assert!(found.contains(&said), "{errno}: {found}");
        let advice = query["advice"].as_str().unwrap();
        let who = if testkit::kernel::version() < (6, 11) {
            "Linux 6.11"
        } else {
            "seccomp"
        };
        assert!(advice.contains(who), "{advice}");
        assert_eq!(finding(&lines, "seccomp")["state"], "limited");
    }
}

#[test]
fn events_that_a_filter_forbids_are_missing() {
    for errno in [Errno::EPERM, Errno::EACCES, Errno::ENOSYS] {
        let mut command = backsight();
        command.args(["doctor", "--format", "json"]);
        testkit::old_kernel::forbid_perf_events(&mut command, errno);
        let lines = said(command.output().unwrap().into());
        let events = finding(&lines, "perf-events");
        assert_eq!(events["state"], "missing", "{events}");
        // Where the kernel's own setting forbids them, too, that is said.
        let found = events["found"].as_str().unwrap();
        let is_said = found.contains(&format!("(os error {})", errno as i32));
        assert!(
            is_said || found.contains("paranoid") || found.contains("kernel"),
            "{events}"
        );
        let mut command = backsight();
        command.args(["record", "-d", "0.1", "--to", "folded", "-o", "-", "-p"]);
        command.arg(std::process::id().to_string());
        testkit::old_kernel::forbid_perf_events(&mut command, errno);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
}

#[test]
fn an_ordinary_user_is_told_what_is_not_allowed() {
    let (_dir, program) = public_copy();
    let ran: Ran = unprivileged(|| {
        let mut command = Command::new(&program);
        command
            .args(["doctor", "--format", "json"])
            .output()
            .unwrap()
            .into()
    });
    let lines = said(ran);
    for (name, advice) in [
        ("ptrace", "CAP_SYS_PTRACE"),
        ("map-files", "CAP_CHECKPOINT_RESTORE"),
    ] {
        let finding = finding(&lines, name);
        assert_eq!(finding["state"], "limited", "{finding}");
        assert!(
            finding["advice"].as_str().unwrap().contains(advice),
            "{finding}"
        );
    }
    let user = finding(&lines, "user")["found"].as_str().unwrap();
    assert!(user.contains("none of the capabilities"), "{user}");
}

#[test]
fn few_descriptors_are_told() {
    let program = env!("CARGO_BIN_EXE_backsight");
    let script = format!("ulimit -n 64 && exec {program} doctor --format json");
    let ran: Ran = Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap()
        .into();
    let descriptors = said(ran);
    let descriptors = finding(&descriptors, "descriptors");
    assert_eq!(descriptors["state"], "limited", "{descriptors}");
    assert!(
        descriptors["found"]
            .as_str()
            .unwrap()
            .starts_with("64 files"),
        "{descriptors}"
    );
}
