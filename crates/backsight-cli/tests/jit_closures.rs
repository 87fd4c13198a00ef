//! Functions of JavaScript of one name and without names: told apart by where they begin, by each
//! way and in each format.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{backsight, json, run};
use serde_json::Value;
use tempfile::TempDir;
use testkit::perf;
use testkit::skip;
use testkit::tools::tool;

/// In a folder with a blank in its name, and again in another one.
const INDEX: &str = "
exports.work = (n) => { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s; };
exports.named = function next(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 5; return s; };
";

/// Its time is that of the processor, so that all functions are met on a busy machine too.
const MAIN: &str = "
const a = require('./a b/index.js'), c = require('./c/index.js');
const shape = () => new class { get k() { let s = 0; for (let i = 0; i < 20000; i++) s += i % 3; return s; } };
function make(step) {
  return [
    function next(n) { let s = 0; for (let i = 0; i < n; i++) s += i % step; return s; },
    (n) => { let s = 0; for (let i = 0; i < n; i++) s += i % step; return s; }, (n) => { let s = 0; for (let i = 0; i < n; i++) s += i % step; return s; },
  ];
}
const functions = [...make(9), a.work, c.work, a.named, c.named];
// Of so many classes that the getter is not inlined.
const shapes = Array.from({ length: 8 }, shape);
let sum = 0, turn = 0;
while (process.cpuUsage().user < 2500000) {
  for (const f of functions) sum += f(20000);
  sum += shapes[turn++ % 8].k;
}
";

/// Where each of them begins: file, line and column.
const PLACES: [&str; 8] = [
    "/main.js:6:18",
    "/main.js:7:5",
    "/main.js:7:81",
    "/main.js:3:38",
    "/a b/index.js:2:16",
    "/a b/index.js:3:30",
    "/c/index.js:2:16",
    "/c/index.js:3:30",
];

fn program() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["a b", "c"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        fs::write(dir.path().join(folder).join("index.js"), INDEX).unwrap();
    }
    fs::write(dir.path().join("main.js"), MAIN).unwrap();
    dir
}

fn rows(args: &[&str]) -> Vec<Value> {
    let args = [&["report", "--format", "json"], args].concat();
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let rows = json(&ran.stdout);
    rows.into_iter()
        .filter(|row| row["type"] == "row")
        .collect()
}

/// Returns the functions of the program, as their runtime names them, with their own values and
/// totals.
fn functions(input: &Path) -> BTreeMap<String, (i64, i64)> {
    let mut found = BTreeMap::new();
    for row in rows(&[input.to_str().unwrap()]) {
        let name = row["function"].as_str().unwrap();
        if PLACES.iter().any(|place| name.ends_with(place)) {
            let value = |key: &str| row[key].as_i64().unwrap();
            // The same function, compiled again, has another prefix.
            let before = found.insert(name.to_owned(), (value("self"), value("total")));
            assert_eq!(before, None, "{name} twice");
        }
    }
    found
}

#[track_caller]
fn each_is_there(found: &BTreeMap<String, (i64, i64)>) {
    for place in PLACES {
        let own = found.iter().filter(|(name, _)| name.ends_with(place));
        let own: i64 = own.map(|(_, (own, _))| own).sum();
        assert!(own > 0, "{place} in {found:?}");
    }
}

fn converted(data: &Path, output: &str) -> PathBuf {
    let output = data.with_file_name(output);
    let ran = run([
        "convert",
        "--account",
        "never",
        data.to_str().unwrap(),
        output.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    output
}

/// Checks a recording, and what it converts to.
fn check(data: &Path, has_lines: bool) {
    let direct = functions(data);
    each_is_there(&direct);
    // `perf` prints the names of a map; those of a jitdump would be injected into the recording.
    let mut ways = vec!["out.pb.gz", "out.otlp", "out.ndjson", "out.folded"];
    if !has_lines {
        let text = perf::script(data, &["-F", "comm,pid,tid,time,event,ip,sym,dso"]);
        fs::write(data.with_file_name("out.script"), text).unwrap();
        ways.push("out.script");
    }
    let lines = |input: &Path| {
        let mut lines = BTreeSet::new();
        for row in rows(&["--by", "line", input.to_str().unwrap()]) {
            let file = row["file"].as_str().unwrap_or_default();
            if file.ends_with("/main.js") || file.ends_with("/index.js") {
                lines.insert(row.to_string());
            }
        }
        lines
    };
    let direct_lines = lines(data);
    assert!(direct_lines.len() >= PLACES.len(), "{direct_lines:?}");
    for way in ways {
        let output = match way {
            "out.script" => data.with_file_name(way),
            _ => converted(data, way),
        };
        assert_eq!(functions(&output), direct, "by {way}");
        if ["out.pb.gz", "out.otlp", "out.ndjson"].contains(&way) {
            assert_eq!(lines(&output), direct_lines, "by {way}");
        }
    }
    // The text names each once, and functions without a name by their place.
    let text = run(["report", "-n", "1000", data.to_str().unwrap()]).stdout;
    let text: Vec<&str> = text.lines().collect();
    for place in PLACES {
        // Folders are shown where file names do not tell.
        let shown = match place.strip_prefix("/main.js") {
            Some(at) => format!(" main.js{at} "),
            None => format!("{place} "),
        };
        let shown = text.iter().filter(|line| line.contains(&shown));
        assert!(shown.count() > 0, "{place}: {text:#?}");
    }
    let without_name = text
        .iter()
        .filter(|line| line.contains("(anonymous) main.js:7:"));
    assert!(without_name.count() > 0, "{text:#?}");
    let by_line = run([
        "report",
        "--by",
        "line",
        "-n",
        "1000",
        data.to_str().unwrap(),
    ])
    .stdout;
    assert_eq!(by_line.contains("/main.js:6 "), has_lines, "{by_line}");
    assert_eq!(by_line.contains(" from line 6 "), !has_lines, "{by_line}");
}

/// Records the program with perf.
fn recorded(flag: &str, args: &[&str]) -> Option<(perf::Recording, TempDir)> {
    if tool("node").is_none() {
        skip("there is no node");
        return None;
    }
    let dir = program();
    let main = dir.path().join("main.js");
    let args = [&["-e", "cpu-clock", "-F", "499", "-g"], args].concat();
    match perf::record(&args, &["node", flag, main.to_str().unwrap()]) {
        Ok(recording) => Some((recording, dir)),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

#[test]
fn by_a_perf_map_each_function_has_a_row() {
    if let Some((recording, _dir)) = recorded("--perf-basic-prof", &[]) {
        check(&recording.data, false);
    }
}

#[test]
fn by_a_jitdump_each_function_has_a_row_and_lines() {
    if let Some((recording, _dir)) = recorded("--perf-prof", &["-k", "mono"]) {
        check(&recording.data, true);
    }
}

/// `perf inject --jit` makes a file of each function, and has the names that the jitdump has: what
/// was recorded by it has the same rows, in the same module.
#[test]
fn by_the_files_of_perf_each_function_has_the_same_row() {
    let Some((recording, _dir)) = recorded("--perf-prof", &["-k", "mono"]) else {
        return;
    };
    let data = recording.dir().join("injected.data");
    let mut inject = Command::new(tool("perf").unwrap());
    inject.current_dir(recording.dir());
    inject.args(["inject", "--jit", "-i"]).arg(&recording.data);
    let made = inject.arg("-o").arg(&data).stdin(Stdio::null()).output();
    assert!(made.unwrap().status.success());
    let direct = functions(&recording.data);
    each_is_there(&direct);
    for input in [
        data.clone(),
        converted(&data, "injected.pb.gz"),
        converted(&data, "i.ndjson"),
    ] {
        assert_eq!(functions(&input), direct, "{}", input.display());
        let module = |row: &Value| {
            let is_one = row["function"].as_str().unwrap().ends_with("/main.js:6:18");
            is_one.then(|| row["module"].clone())
        };
        let modules = |input: &Path| -> BTreeSet<String> {
            let rows = rows(&[input.to_str().unwrap()]);
            rows.iter()
                .filter_map(module)
                .map(|it| it.to_string())
                .collect()
        };
        assert_eq!(modules(&input), modules(&recording.data));
        assert_eq!(modules(&input).len(), 1);
    }
    // By module it is one row, and no file of perf is another.
    let by_module = rows(&["--by", "module", data.to_str().unwrap()]);
    let made = by_module.iter().filter(|row| {
        let module = row["module"].as_str().unwrap_or_default();
        assert!(!module.contains("/jitted-"), "{row}");
        module.starts_with("/tmp/perf-")
    });
    assert_eq!(made.count(), 1, "{by_module:?}");
    // Without lists of names, they are files.
    let ran = run(["report", "--jit-maps", "none", data.to_str().unwrap()]);
    assert!(
        ran.code == Some(0) && ran.stdout.contains(" jitted-"),
        "{ran:?}"
    );
}

/// The last names are written when the program ends.
#[test]
fn of_a_live_program_each_function_has_a_row() {
    if tool("node").is_none() {
        return skip("there is no node");
    }
    for flag in ["--perf-basic-prof", "--perf-prof"] {
        let dir = program();
        let output = dir.path().join("live.pb.gz");
        let mut record = backsight();
        record.current_dir(dir.path());
        record.args(["record", "-o", output.to_str().unwrap(), "--"]);
        let made = record.args(["node", flag, "main.js"]).output().unwrap();
        let said = String::from_utf8(made.stderr).unwrap();
        if !output.exists() {
            return skip(&format!("nothing was recorded: {said}"));
        }
        let found = functions(&output);
        each_is_there(&found);
        // The summary tells them apart, too.
        assert!(said.contains(" main.js:6:18 "), "{said}");
        // The script itself, in which the program is all the time, was compiled late.
        let rows = rows(&[output.to_str().unwrap()]);
        let is_script = |row: &&Value| {
            let name = row["function"].as_str().unwrap();
            name.ends_with("/main.js:1:1")
        };
        let total: i64 = rows
            .iter()
            .filter(is_script)
            .map(|row| row["total"].as_i64().unwrap())
            .sum();
        let inside: i64 = found.values().map(|(own, _)| own).sum();
        assert!(
            total * 10 > inside * 8,
            "{flag}: {total} of {inside}: {said}"
        );
    }
}
