//! Code whose compiler tells when it was where: against what `perf inject --jit` makes of it.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
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

/// Returns what `perf inject --jit` makes of a recording: another one, and files of the code.
fn injected(recording: &Recording) -> PathBuf {
    let injected = recording.dir().join("injected.data");
    let mut inject = Command::new(tool("perf").unwrap());
    inject
        .current_dir(recording.dir())
        .args(["inject", "--jit", "-i"]);
    inject.arg(&recording.data).arg("-o").arg(&injected);
    let made = inject.stdin(Stdio::null()).stderr(Stdio::null()).status();
    assert!(made.unwrap().success());
    injected
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

/// Returns the places in code that was made: address, kind of lookup, module and frame.
fn places(lines: &[Value]) -> BTreeSet<String> {
    let modules = of_type(lines, "module");
    let mut found = BTreeSet::new();
    for place in of_type(lines, "address") {
        let module = place["module"].as_u64().map(|at| &modules[at as usize]);
        let Some(module) = module.filter(|module| module["kind"] == "anonymous") else {
            continue;
        };
        let at = &place["file_offset"];
        let (lookup, path) = (&place["lookup"], &module["path"]);
        found.insert(format!("{at} {lookup} {path} {}", place["frames"]));
    }
    found
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

    let injected = injected(&recording);
    let theirs = theirs(&injected);
    assert!(theirs.values().sum::<usize>() > 100, "{theirs:?}");
    assert_eq!(ours, theirs);

    // What it made are files: the same code, in the same module.
    let (lines, _) = converted(&injected);
    let mut of_files = names(&lines, |module| module["kind"] == "anonymous");
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
    testkit::copy(&recording.data, &moved).unwrap();
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
    testkit::copy(path, path.with_extension("new")).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
    let (_, said) = converted(&moved);
    assert_eq!(said[0]["refused"], "identity-unproven", "{said}");
}

const ERLANG: &str = "
-module(work).
-export([main/0]).
fib(N) when N < 2 ->
    N;
fib(N) ->
    fib(N - 1) +
        fib(N - 2).
thrower(N) ->
    case N rem 3 of
        0 -> erlang:error(badarg);
        1 -> throw(x);
        2 -> exit(y)
    end.
loop(0) -> ok;
loop(N) ->
    try thrower(N) catch _:_ -> ok end,
    loop(N - 1).
turns(0) -> ok;
turns(N) ->
    fib(20),
    loop(1000),
    turns(N - 1).
main() ->
    turns(4000).
";

/// Compiles the file that is named behind it, runs it, and ends.
const ERLANG_RUN: &str = "
[File] = init:get_plain_arguments(), {ok, work, Code} = compile:file(File, [binary]),
{module, work} = code:load_binary(work, File, Code), work:main(), halt().
";

/// Takes the files of a process away that Erlang's machine and `perf inject` leave in `/tmp`.
struct OfProcess(u64);

impl Drop for OfProcess {
    fn drop(&mut self) {
        let Self(pid) = self;
        let jitted = format!("jitted-{pid}-");
        for file in fs::read_dir("/tmp").into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let is_one = name.starts_with(&jitted)
                || name == format!("jit-{pid}.dump")
                || name == format!("perf-{pid}.map");
            if is_one {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// Returns where the code of the files is that `perf inject` made: the address of its start, and
/// the end, of each file, with the offset in the file. Nothing is moved or replaced.
fn jitted_files(injected: &Path) -> BTreeMap<u64, (u64, u64, String)> {
    let mut files = BTreeMap::new();
    for line in perf::script(injected, &["--show-mmap-events"]).lines() {
        // `PERF_RECORD_MMAP2 1/1: [0x7f(0x20) @ 0x80 fe:00 1 1]: --xs /tmp/jitted-1-2.so`
        let Some((before, path)) = line.split_once("]: ") else {
            continue;
        };
        let Some((_, file)) = path.split_once("/tmp/jitted-") else {
            continue;
        };
        let (_, place) = before.split_once(": [0x").unwrap();
        let mut words = place.split(|c: char| !c.is_ascii_alphanumeric());
        let mut words = words.by_ref().filter(|word| !word.is_empty());
        let mut number = || {
            let word = words.next().unwrap();
            u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap()
        };
        let (start, size, offset) = (number(), number(), number());
        files.insert(start, (start + size, offset, format!("/tmp/jitted-{file}")));
    }
    files
}

/// The lines that binutils reads in the files of `perf inject`, for each address of a stack.
#[test]
fn erlang_has_the_lines_that_perf_writes() {
    if tool("erl").is_none() || tool("addr2line").is_none() {
        return skip("there is no erl or no addr2line");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("work.erl");
    fs::write(&file, ERLANG).unwrap();
    let file = file.to_str().unwrap();
    let erl = [
        "erl", "+JPperf", "true", "-noshell", "-eval", ERLANG_RUN, "-extra", file,
    ];
    let args = ["-k", "mono", "-e", "cpu-clock", "-F", "499", "-g"];
    let recording = match perf::record(&args, &erl) {
        Ok(recording) => recording,
        Err(reason) => return skip(&reason),
    };
    let (lines, said) = converted(&recording.data);
    let _of_process = OfProcess(said[0]["pid"].as_u64().unwrap());
    assert_eq!(
        (&said[0]["malformed"], &said[0]["unreadable_file_names"]),
        (&0.into(), &0.into()),
        "{said}"
    );
    let injected = injected(&recording);
    // By what perf made of it, each place has the same function, file and line, also where a
    // return address is the first byte of a function.
    let (of_files, _) = converted(&injected);
    let files = jitted_files(&injected);
    let (direct, of_files) = (places(&lines), places(&of_files));
    let others: Vec<_> = of_files.difference(&direct).collect();
    assert!(others.is_empty(), "{others:?}");
    // What is missing is a return address right behind a piece of code (decision 0026), where perf
    // has nothing; or on a busy machine what ran before the dump had it, which has its name by the
    // perf map, without a line.
    let missing: Vec<_> = direct.difference(&of_files).collect();
    for key in &missing {
        let at = key.trim_start_matches("\"0x").split('"').next().unwrap();
        let at = u64::from_str_radix(at, 16).unwrap();
        let file = files.range(..=at).next_back();
        let is_covered = file.is_some_and(|(_, (end, ..))| at < *end);
        assert!(!is_covered || !key.contains("\"line\":"), "{key}");
    }
    let modules = of_type(&lines, "module");
    let mut asked: BTreeMap<String, Vec<(u64, Option<String>)>> = BTreeMap::new();
    for place in of_type(&lines, "address") {
        let module = place["module"].as_u64().map(|at| &modules[at as usize]);
        let frame = &place["frames"][0];
        if module.is_none_or(|module| module["kind"] != "anonymous") || frame.is_null() {
            continue;
        }
        let (at, path) = (&place["file_offset"], &module.unwrap()["path"]);
        let key = format!("{at} {} {path} {}", place["lookup"], place["frames"]);
        // On a busy machine, code may run before the dump has it: then it has its name by the
        // perf map, which has no lines, and perf has nothing there.
        if frame["line"].is_null() && missing.iter().any(|it| **it == key) {
            continue;
        }
        let offset = place["file_offset"].as_str().unwrap();
        let address = u64::from_str_radix(&offset[2..], 16).unwrap();
        let start = u64::from_str_radix(&frame["start"].as_str().unwrap()[2..], 16).unwrap();
        let is_return = place["lookup"] == "return" && address != start;
        let looked_up = address - u64::from(is_return);
        let (at, (end, offset, file)) = files.range(..=looked_up).next_back().unwrap();
        assert!(looked_up < *end, "{place}");
        let line = frame["line"].as_u64();
        let line = line.map(|line| format!("{}:{line}", frame["file"].as_str().unwrap()));
        let asked = asked.entry(file.clone()).or_default();
        asked.push((looked_up - at + offset, line));
    }
    let mut of_work = BTreeSet::new();
    for (file, places) in asked {
        let mut addr2line = Command::new(tool("addr2line").unwrap());
        addr2line.arg("-e").arg(&file);
        addr2line.args(places.iter().map(|(place, _)| format!("{place:#x}")));
        let theirs = String::from_utf8(addr2line.output().unwrap().stdout).unwrap();
        assert_eq!(theirs.lines().count(), places.len());
        for ((place, ours), theirs) in places.iter().zip(theirs.lines()) {
            let theirs = theirs
                .split(" (disc")
                .next()
                .filter(|it| !it.starts_with("??"));
            let theirs = theirs.filter(|line| !line.ends_with(":?"));
            assert_eq!(ours.as_deref(), theirs, "{file} {place:#x}");
            of_work.extend(
                ours.iter()
                    .filter(|line| line.contains("/work.erl:"))
                    .cloned(),
            );
        }
    }
    // Several lines of one function among them.
    for line in [7, 8] {
        let line = format!("/work.erl:{line}");
        assert!(of_work.iter().any(|it| it.ends_with(&line)), "{of_work:?}");
    }
}
