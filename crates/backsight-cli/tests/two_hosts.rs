//! A recording that is normalized on one host and symbolized on another gives the same result as
//! in one step on the first.
//!
//! The other host has neither the process nor its files: the program is moved away, and its
//! debug information is in a directory by build ID.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf;

/// The recorded program, alone in a directory.
struct Host {
    dir: tempfile::TempDir,
    program: PathBuf,
    debug: PathBuf,
}

impl Host {
    /// Copies the program, and its debug information into a directory by build ID.
    fn new() -> Option<Self> {
        let original = perf::program()?;
        testkit::tools::tool("objcopy")?;
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("it");
        testkit::copy(original, &program).expect("ours");
        let id = run(["buildid".as_ref(), program.as_os_str()]).ok();
        let id = id.split(' ').next().expect("a build ID").trim().to_owned();
        let (first, rest) = id.split_at(2);
        let debug = dir.path().join("debug");
        let home = debug.join(".build-id").join(first);
        fs::create_dir_all(&home).expect("ours");
        let kept = Command::new("objcopy")
            .arg("--only-keep-debug")
            .arg(&program)
            .arg(home.join(format!("{rest}.debug")))
            .status();
        assert!(kept.expect("objcopy").success());
        Some(Self {
            dir,
            program,
            debug,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn backsight(command: &str, input: &Path, output: &Path, flags: &[&OsStr]) {
    let mut args: Vec<&OsStr> = vec![command.as_ref(), "-i".as_ref(), input.as_ref()];
    args.extend([OsStr::new("-o"), output.as_ref()]);
    args.extend(flags);
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// The contents of each sample: thread, time, values, and the frames of its stack, or the
/// module, offset and reason.
fn said(lines: &[Value]) -> Vec<Value> {
    let modules = of_type(lines, "module");
    let places = of_type(lines, "address");
    let place = |index: &Value| {
        let mut place = places[index.as_u64().expect("an index") as usize].clone();
        let module = place["module"].as_u64();
        let path = module.map(|index| modules[index as usize]["path"].clone());
        place["module"] = path.unwrap_or_default();
        place["index"].take();
        place
    };
    let sample = |sample: &Value| {
        let mut sample = sample.clone();
        let stack = sample["stack"].as_array().expect("a stack");
        sample["stack"] = stack.iter().map(place).collect();
        sample
    };
    of_type(lines, "sample").iter().map(sample).collect()
}

/// Folded stacks with nameless locations reduced to their module, because pprof has return
/// addresses minus one.
fn stacks(path: &Path) -> BTreeMap<String, u64> {
    let mut stacks = BTreeMap::new();
    for line in fs::read_to_string(path).expect("it was written").lines() {
        let (names, value) = line.rsplit_once(' ').expect("a value");
        let names = names
            .split(';')
            .map(|name| name.split("+0x").next().expect("a name"));
        let names: Vec<&str> = names.collect();
        let value: u64 = value.parse().expect("a number");
        *stacks.entry(names.join(";")).or_default() += value;
    }
    stacks
}

fn read(path: &Path) -> Vec<Value> {
    json(&fs::read_to_string(path).expect("it was written"))
}

#[test]
fn two_steps_say_what_one_does() {
    let Some(host) = Host::new() else {
        return testkit::skip("no C compiler, or no objcopy");
    };
    let program = host.program.to_str().expect("text");
    let ways: [&[&str]; 3] = [
        &["-e", "cpu-clock", "-g", "-F", "2000"],
        &["-e", "cpu-clock", "-g", "-F", "2000", "--buildid-mmap"],
        &["-e", "cpu-clock", "--call-graph", "dwarf,8192", "-F", "500"],
    ];
    for way in ways {
        let recording = match perf::record(way, &[program, "threads", "100000"]) {
            Ok(recording) => recording,
            Err(why) => return testkit::skip(&why),
        };
        let debug_dir = [OsStr::new("--debug-dir"), host.debug.as_ref()];
        let at_once = host.path("at_once.ndjson");
        backsight("convert", &recording.data, &at_once, &debug_dir);
        let folded = host.path("at_once.folded");
        backsight("convert", &recording.data, &folded, &debug_dir);
        let captured = host.path("captured.ndjson");
        backsight("normalize", &recording.data, &captured, &[]);
        let packed = host.path("captured.pb.gz");
        let pprof = ["--format".as_ref(), "pprof".as_ref()];
        backsight("normalize", &recording.data, &packed, &pprof);
        let elsewhere = host.path("moved away");
        fs::rename(&host.program, &elsewhere).expect("ours");

        let want = said(&read(&at_once));
        let all = serde_json::to_string(&want).expect("JSON");
        assert!(all.contains("input.c"), "{way:?}: the program has lines");
        // A host with less information still has the locations in other files, with their
        // reasons.
        let later = host.path("later.ndjson");
        backsight("convert", &captured, &later, &debug_dir);
        assert_eq!(said(&read(&later)), want, "{way:?}: convert");

        let mut args: Vec<&OsStr> = vec!["symbolize".as_ref(), "-i".as_ref(), captured.as_ref()];
        args.extend(debug_dir);
        // Names in broken stacks are found or not by chance.
        args.extend(["--quiet", "--format", "json"].map(OsStr::new));
        let streamed = run(args).ok();
        assert_eq!(said(&json(&streamed)), want, "{way:?}: symbolize");

        let later = host.path("later.folded");
        for from in [&captured, &packed] {
            backsight("convert", from, &later, &debug_dir);
            assert_eq!(
                stacks(&later),
                stacks(&folded),
                "{way:?}: {}",
                from.display()
            );
        }
        fs::rename(&elsewhere, &host.program).expect("ours");
    }
}
