//! The files of `contrib/`: `record` works as they start it, with their capabilities and system
//! calls, and `systemd-analyze` finds nothing wrong.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, public_copy};
use seccompiler::BpfProgram;
use serde_json::{Value, json};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::tool;
use testkit::user::is_root;

const UNIT: &str = include_str!("../../../contrib/backsight-record.service");
const DAEMON_SET: &str = include_str!("../../../contrib/daemonset.yaml");
const SYSTEM_CALLS: &str = include_str!("../../../contrib/seccomp.json");

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// Returns the value of an option of the unit.
fn option(name: &str) -> &'static str {
    let mut lines = UNIT.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}="))
}

/// Returns `+perfmon,+syslog` of the names of capabilities.
fn in_words(names: impl Iterator<Item = &'static str>) -> String {
    let names = names.map(|name| name.trim_start_matches("CAP_").to_lowercase());
    let words: Vec<String> = names.map(|name| format!("+{name}")).collect();
    words.join(",")
}

/// Returns the items of a list of the DaemonSet.
fn items(key: &str) -> Vec<&'static str> {
    let mut lines = DAEMON_SET.lines();
    let start = lines.find(|line| line.trim() == format!("{key}:"));
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(start.unwrap_or_else(|| panic!("no {key}:")));
    let lines = lines.take_while(|line| indent(line) > depth);
    lines
        .filter_map(|line| line.trim().strip_prefix("- "))
        .collect()
}

#[test]
fn each_option_of_the_unit_has_its_reason() {
    let mut has_reason = false;
    for line in UNIT.lines().skip_while(|line| *line != "[Service]") {
        match line {
            "" => has_reason = false,
            line if line.starts_with('#') => has_reason = true,
            line if line.starts_with('[') => has_reason = line == "[Install]",
            line => assert!(has_reason, "{line} has no comment before it"),
        }
    }
    // The capabilities are named twice.
    assert_eq!(
        option("AmbientCapabilities"),
        option("CapabilityBoundingSet")
    );
    let mut of_unit: Vec<&str> = option("AmbientCapabilities").split(' ').collect();
    of_unit
        .iter_mut()
        .for_each(|name| *name = name.trim_start_matches("CAP_"));
    assert_eq!(items("add"), of_unit, "the DaemonSet has the same");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if tool("systemd-analyze").is_none() {
        return skip("no systemd-analyze");
    }
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("backsight-record.service");
    let program = env!("CARGO_BIN_EXE_backsight");
    fs::write(&unit, UNIT.replace("/usr/bin/backsight", program)).unwrap();
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        Ran::from(command.args(args).arg(&unit).output().unwrap())
    };
    let ran = analyze(&["verify"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{}", ran.stdout);
    // Of 100, where 0 is a service that may do nothing.
    let ran = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20"]);
    if ran.stderr.contains("unrecognized option") {
        return skip("systemd-analyze is older than 250");
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Records with these arguments of a file, but for a moment. Returns `None` where capabilities
/// cannot be given.
fn recorded(mut command: Command, program: &Path, args: &[&str], place: &Path) -> Option<Ran> {
    let args = args.iter().map(|arg| match *arg {
        "60s" => "300ms",
        "${STATE_DIRECTORY}" | "/profiles" => place.to_str().unwrap(),
        arg => arg,
    });
    command
        .arg(program)
        .args(args)
        .args(["--duration", "1500ms"]);
    command.stdin(Stdio::null());
    let ran = Ran::from(command.output().unwrap());
    if ran.stderr.starts_with("setpriv: ") {
        skip(&ran.stderr);
        return None;
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for words in ["is left out", "get no names", "no capability is dropped"] {
        assert!(!ran.stderr.contains(words), "{ran:?}");
    }
    let files = fs::read_dir(place).unwrap().count();
    assert!(files > 0, "no file: {ran:?}");
    Some(ran)
}

/// Whether root may do here what these tests need.
fn may_try() -> bool {
    let lacking = match () {
        () if !is_root() => "only root can give capabilities",
        () if tool("setpriv").is_none() => "no setpriv",
        () if fs::read_to_string("/proc/sys/kernel/kptr_restrict")
            .is_ok_and(|it| it.trim() == "2") =>
        {
            "kernel.kptr_restrict is 2: CAP_SYSLOG is not enough"
        }
        () => return true,
    };
    skip(lacking);
    false
}

/// A program of root that runs.
fn running() -> Option<KillOnDrop> {
    let mut command = match busy(true) {
        Ok(busy) => Command::new(busy),
        Err(reason) => {
            skip(&reason);
            return None;
        }
    };
    let command = command.args(["spin", "600000"]).stdout(Stdio::null());
    Some(KillOnDrop(command.spawn().unwrap()))
}

#[test]
fn the_service_records() {
    if !may_try() {
        return;
    }
    let Some(_running) = running() else { return };
    let (_folder, program) = public_copy();
    let place = tempfile::tempdir().unwrap();
    chown(place.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let start: Vec<&str> = option("ExecStart").split(' ').collect();
    let caps = in_words(option("AmbientCapabilities").split(' '));
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--no-new-privs",
        ])
        .args(["--inh-caps", &format!("-all,{caps}")])
        .args(["--ambient-caps", &format!("-all,{caps}")])
        .args(["--bounding-set", &format!("-all,{caps}"), "--"]);
    recorded(command, &program, &start[1..], place.path());
}

/// Returns the filter of the DaemonSet for this machine.
fn filter() -> BpfProgram {
    let profile: Value = serde_json::from_str(SYSTEM_CALLS).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let arch = std::env::consts::ARCH;
    let compiled = |names: &[&str]| {
        let rules: Vec<Value> = names.iter().map(|name| json!({"syscall": name})).collect();
        let filter = json!({"filter": {
            "mismatch_action": {"errno": 1},
            "match_action": "allow",
            "filter": rules,
        }});
        let filter = serde_json::to_vec(&filter).unwrap();
        seccompiler::compile_from_json(&filter[..], arch.try_into().unwrap())
    };
    let names = profile["syscalls"][0]["names"].as_array().unwrap();
    let names = names.iter().map(|name| name.as_str().unwrap());
    // Newer machines do not have each old call.
    let names: Vec<&str> = match arch {
        "x86_64" => names.collect(),
        _ => names.filter(|name| compiled(&[*name]).is_ok()).collect(),
    };
    let mut programs = compiled(&names).expect("names of system calls");
    programs.remove("filter").unwrap()
}

#[test]
fn the_daemon_set_records() {
    if !may_try() {
        return;
    }
    let Some(_running) = running() else { return };
    let (folder, program) = public_copy();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let caps = in_words(items("add").into_iter());
    let args = items("args");
    let host = folder.path().join("host");
    std::os::unix::fs::symlink("/", &host).unwrap();
    let args: Vec<&str> = args
        .into_iter()
        .map(|arg| {
            if arg == "/host" {
                host.to_str().unwrap()
            } else {
                arg
            }
        })
        .collect();
    let filter = filter();
    let ran = std::thread::scope(|scope| {
        let run = || {
            // Only this thread, and what it starts.
            seccompiler::apply_filter(&filter).unwrap();
            let mut command = Command::new("setpriv");
            command.args(["--inh-caps", &format!("-all,{caps}")]).args([
                "--bounding-set",
                &format!("-all,{caps}"),
                "--",
            ]);
            recorded(command, &program, &args, place.path())
        };
        scope.spawn(run).join().unwrap()
    });
    let Some(_) = ran else { return };
    // Functions have names, by the files below the root.
    let mut named = 0;
    for entry in fs::read_dir(place.path()).unwrap() {
        let path = entry.unwrap().path();
        let folded = common::run([
            "convert",
            "--to",
            "folded",
            "-q",
            "-o",
            "-",
            "-i",
            path.to_str().unwrap(),
        ]);
        named += folded.stdout.matches(";hot ").count();
    }
    assert!(named > 0, "no file has the function of the program");
}
