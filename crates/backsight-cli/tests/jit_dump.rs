//! Code whose compiler tells when it was where: against what `perf inject --jit` makes of it.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf::{self, Recording};
use testkit::skip;
use testkit::tools::tool;

/// The functions change, so that code gives way to other code.
const NODE: &str = "
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
const until = Date.now() + 900;
let sum = 0;
for (let round = 0; Date.now() < until; round++) {
    const made = new Function('x', `let s = 0; for (let i = 0; i < 3000; i++) s += i * x + ${round % 7}; return s`);
    for (let i = 0; i < 20; i++)
        sum += made(i);
    sum += fib(17);
}
";

fn recorded(args: &[&str]) -> Option<Recording> {
    if tool("node").is_none() {
        skip("there is no node");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("made.js");
    fs::write(&script, NODE).unwrap();
    let args = [&["-e", "cpu-clock", "-F", "499", "-g"], args].concat();
    match perf::record(&args, &["node", "--perf-prof", script.to_str().unwrap()]) {
        Ok(recording) => Some(recording),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// Returns how often perf gives each name in code of files that it made.
fn theirs(data: &Path) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for line in perf::script(data, &["-F", "ip,sym,dso"]).lines() {
        let Some((line, dso)) = line.trim().rsplit_once(" (") else {
            continue;
        };
        let Some((_, name)) = line.split_once(' ') else {
            continue;
        };
        // These are in the program's own file, whose symbols name them here.
        let is_of_file = ["Builtin:", "BytecodeHandler:"]
            .iter()
            .any(|it| name.starts_with(it));
        if dso.contains("/jitted-") && !is_of_file {
            *names.entry(name.to_owned()).or_default() += 1;
        }
    }
    names
}

/// Returns the lines of a conversion, and what is said of lists.
fn converted(data: &Path) -> (Vec<Value>, Value) {
    let data = data.to_str().unwrap();
    let args = ["convert", "--account", "json", data, "-", "--to", "ndjson"];
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // What is said of the recording itself comes before it.
    println!("{}", ran.stderr);
    let account = ran.stderr.lines().next_back().expect("an account");
    (json(&ran.stdout), json(account)[0]["jit_maps"].clone())
}

/// Returns how often each name is in places that `is_it` takes.
fn names(lines: &[Value], is_it: impl Fn(&Value) -> bool) -> BTreeMap<String, usize> {
    let modules = of_type(lines, "module");
    let places = of_type(lines, "address");
    let mut names = BTreeMap::new();
    for sample in of_type(lines, "sample") {
        for place in sample["stack"].as_array().unwrap() {
            let place = &places[place.as_u64().unwrap() as usize];
            let module = place["module"].as_u64().map(|at| &modules[at as usize]);
            if module.is_some_and(&is_it) {
                let frame = &place["frames"][0];
                let name = frame["linkage_name"]
                    .as_str()
                    .or(frame["function"].as_str());
                let name = name.unwrap_or("[unknown]").to_owned();
                *names.entry(name).or_default() += 1;
            }
        }
    }
    names
}

#[test]
fn each_sample_has_the_code_of_its_time() {
    let Some(recording) = recorded(&["-k", "mono"]) else {
        return;
    };
    let (lines, said) = converted(&recording.data);
    let ours = names(&lines, |module| module["kind"] == "anonymous");
    assert_eq!(
        (&said[0]["malformed"], &said[0]["lacks_times"]),
        (&0.into(), &false.into()),
        "{said}"
    );
    assert_eq!(said[0]["limit_reached"], false);

    // Lines are of the script.
    let lines_of_fib: Vec<u64> = of_type(&lines, "address")
        .iter()
        .filter_map(|place| place["frames"].as_array()?.first().cloned())
        .filter(|frame| {
            frame["function"]
                .as_str()
                .is_some_and(|it| it.ends_with(":*fib"))
        })
        .map(|frame| frame["line"].as_u64().expect("a line"))
        .collect();
    assert!(
        !lines_of_fib.is_empty() && lines_of_fib.iter().all(|line| *line == 2),
        "{lines_of_fib:?}"
    );

    let injected = recording.dir().join("injected.data");
    let mut inject = Command::new(tool("perf").unwrap());
    inject
        .current_dir(recording.dir())
        .args(["inject", "--jit", "-i"]);
    inject.arg(&recording.data).arg("-o").arg(&injected);
    let made = inject.stdin(Stdio::null()).stderr(Stdio::null()).status();
    assert!(made.unwrap().success());
    let theirs = theirs(&injected);
    assert!(theirs.values().sum::<usize>() > 100, "{theirs:?}");
    assert_eq!(ours, theirs);

    // What it made are files, which have the same names.
    let (lines, _) = converted(&injected);
    let is_made = |module: &Value| module["path"].as_str().unwrap().contains("/jitted-");
    let mut of_files = names(&lines, is_made);
    of_files
        .retain(|name, _| !name.starts_with("Builtin:") && !name.starts_with("BytecodeHandler:"));
    assert_eq!(of_files, theirs);
}

#[test]
fn of_another_clock_the_last_code_counts_and_that_is_said() {
    let Some(recording) = recorded(&[]) else {
        return;
    };
    let (lines, said) = converted(&recording.data);
    assert_eq!(said[0]["lacks_times"], true, "{said}");
    let ours = names(&lines, |module| module["kind"] == "anonymous");
    assert!(ours.keys().any(|name| name.contains(":*fib ")), "{ours:?}");

    // Away from the recording, it is the file that was mapped.
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("perf.data");
    fs::copy(&recording.data, &moved).unwrap();
    let (lines, said) = converted(&moved);
    assert_eq!(
        said[0]["path"]
            .as_str()
            .map(Path::new)
            .and_then(Path::parent),
        Some(recording.dir())
    );
    assert_eq!(names(&lines, |module| module["kind"] == "anonymous"), ours);
    // Another file that stands in its place is not.
    let path = Path::new(said[0]["path"].as_str().unwrap());
    fs::copy(path, path.with_extension("new")).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
    let (_, said) = converted(&moved);
    assert_eq!(said[0]["refused"], "identity-unproven", "{said}");
}
