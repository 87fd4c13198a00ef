//! Eleven recordings made here and now, sample for sample against `perf script`.
//!
//! The leaf of each sample must lie in the module that perf names. Its function must
//! have the name that perf gives, or begin where perf's begins: then it is another name
//! of the same code. What is left is counted, and must be less than half a percent.

mod common;

use std::collections::{BTreeMap, HashMap};

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf::{self, Recording};
use testkit::skip;

/// A leaf as either side sees it.
#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    pid: u64,
    module: String,
    /// `None` where there is no name.
    function: Option<String>,
    /// Where it begins, as far as that is known: in the file, or in the kernel.
    start: Option<u64>,
}

fn hex(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.trim_start_matches("0x"), 16).ok()
}

fn ours(recording: &Recording) -> Vec<Leaf> {
    let output = recording.dir().join("out.ndjson");
    let input = recording.data.to_str().unwrap();
    run(["convert", "-i", input, "-o", output.to_str().unwrap()]).ok();
    let lines = json(&std::fs::read_to_string(output).unwrap());
    let modules = of_type(&lines, "module");
    let places = of_type(&lines, "address");
    let leaf = |sample: &Value| {
        let place = &places[sample["stack"][0].as_u64().unwrap() as usize];
        let module = place["module"].as_u64();
        let module = module.map(|index| &modules[index as usize]);
        // perf was asked for no inlined functions.
        let frame = place["frames"].as_array().and_then(|frames| frames.last());
        Leaf {
            pid: sample["pid"].as_u64().unwrap(),
            module: module.map_or("[unknown]".to_owned(), |module| {
                module["path"].as_str().unwrap().to_owned()
            }),
            function: frame.and_then(|frame| frame["function"].as_str().map(str::to_owned)),
            start: frame.and_then(|frame| hex(&frame["start"])),
        }
    };
    of_type(&lines, "sample").iter().map(leaf).collect()
}

fn theirs(recording: &Recording) -> Vec<Leaf> {
    let fields = ["-G", "--no-inline", "--ns", "-F", "pid,ip,sym,dso"];
    let text = recording.script(&fields);
    // `  7016      7f927f602fb8 name of it (/usr/bin/it)`
    let leaf = |line: &str| {
        let (pid, rest) = line.trim().split_once(char::is_whitespace).unwrap();
        let (_addr, rest) = rest.trim().split_once(' ').unwrap();
        let (function, module) = rest.rsplit_once(" (").unwrap();
        let module = module.trim_end_matches(')');
        Leaf {
            pid: pid.parse::<i64>().unwrap() as u32 as u64,
            module: module.trim_end_matches(" (deleted)").to_owned(),
            function: Some(function.trim().to_owned()).filter(|name| name != "[unknown]"),
            start: None,
        }
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(leaf).collect()
}

/// Where the names of the kernel and of a program begin, by `nm` and kallsyms.
struct Starts(HashMap<String, HashMap<String, Vec<u64>>>);

impl Starts {
    fn of(&mut self, module: &str, name: &str) -> Vec<u64> {
        let names = self.0.entry(module.to_owned()).or_insert_with(|| {
            let mut names: HashMap<String, Vec<u64>> = HashMap::new();
            let list = match module {
                "[kernel.kallsyms]" => std::fs::read_to_string("/proc/kallsyms").unwrap(),
                _ => nm(module),
            };
            for line in list.lines() {
                let mut words = line.split_whitespace();
                let (Some(start), Some(_), Some(name)) = (words.next(), words.next(), words.next())
                else {
                    continue;
                };
                let start = u64::from_str_radix(start, 16).unwrap_or_default();
                let name = name.split('@').next().unwrap_or_default();
                names.entry(name.to_owned()).or_default().push(start);
            }
            names
        });
        names.get(name).cloned().unwrap_or_default()
    }
}

/// All names of a file, those of its debug file among them.
fn nm(module: &str) -> String {
    let mut text = String::new();
    let id = testkit::tools::readelf_build_id(module.as_ref())
        .flatten()
        .unwrap_or_default();
    let debug = id
        .split_at_checked(2)
        .map_or_else(String::new, |(first, rest)| {
            format!("/usr/lib/debug/.build-id/{first}/{rest}.debug")
        });
    for (file, dynamic) in [(module, "-D"), (module, "-a"), (&debug, "-a")] {
        let listed = std::process::Command::new("nm")
            .args([dynamic, file])
            .output();
        text += &String::from_utf8_lossy(&listed.expect("nm runs").stdout);
    }
    text
}

/// Returns whether a module is of the processes that the test started, or the kernel.
fn is_ours(module: &str) -> bool {
    let known = ["testkit-perf", "/libc.so", "/ld-linux", "[kernel", "[vdso]"];
    known.iter().any(|part| module.contains(part))
}

/// Returns whether this is where perf looks for the names of code made at run time.
fn is_jit_map(module: &str) -> bool {
    module.starts_with("/tmp/perf-") && module.ends_with(".map")
}

/// Says why two names differ, or that nothing explains it.
fn explain(ours: &Leaf, theirs: &Leaf, starts: &mut Starts) -> Option<&'static str> {
    match (&ours.function, &theirs.function) {
        // Perf calls anonymous memory by the file where it looks for what a compiler at run
        // time says of it: whatever makes code beside the tests.
        (None, _) if ours.module == "[unknown]" && is_jit_map(&theirs.module) => {
            Some("code made at run time")
        }
        _ if ours.module != theirs.module => None,
        (Some(ours), Some(theirs)) if ours == theirs => Some("the same"),
        (None, None) => Some("neither has a name"),
        // Whatever runs beside the tests: C++ names without parameters, Rust names of
        // another scheme, symbols that perf did not load.
        _ if !is_ours(&ours.module) => Some("a name in another program"),
        (Some(_), None) => Some("perf has no name"),
        (None, Some(name)) if name == "@plt" => Some("perf makes names of the PLT up"),
        (Some(_), Some(name)) if name.ends_with("@plt") => Some("perf makes names of the PLT up"),
        (Some(function), Some(name)) => {
            let mine = starts.of(&ours.module, function);
            let mine = ours.start.map_or(mine, |start| vec![start]);
            let there = starts.of(&theirs.module, name);
            let is_alias = there.iter().any(|start| mine.contains(start));
            is_alias.then_some("another name of the same code")
        }
        (None, Some(_)) => None,
    }
}

#[test]
fn leaves_are_those_of_perf() {
    let Some(program) = perf::program() else {
        return skip("no C compiler");
    };
    let program = program.to_str().unwrap();
    for (way, args, what) in perf::WAYS {
        let args = [&["-F", "2000"], args].concat();
        let recording = match perf::record(&args, &[program, what, "100000"]) {
            Ok(recording) => recording,
            Err(why) => return skip(&why),
        };
        let (ours, theirs) = (ours(&recording), theirs(&recording));
        assert!(theirs.len() > 50, "{way}: {} samples", theirs.len());
        assert_eq!(ours.len(), theirs.len(), "{way}");
        let mut starts = Starts(HashMap::new());
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        let mut unexplained = Vec::new();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            match explain(ours, theirs, &mut starts) {
                Some(reason) => *reasons.entry(reason).or_default() += 1,
                None => unexplained.push((ours, theirs)),
            }
            assert_eq!(ours.pid, theirs.pid, "{way}");
        }
        println!("{way}: {} samples, {reasons:?}", ours.len());
        let few = unexplained.iter().take(5).collect::<Vec<_>>();
        assert!(
            unexplained.len() * 200 <= ours.len(),
            "{way}: {} of {}: {few:#?}",
            unexplained.len(),
            ours.len()
        );
        let same = reasons.get("the same").copied().unwrap_or_default();
        let all = way == "all processes";
        assert!(all || same * 100 > ours.len() * 80, "{way}: {reasons:?}");
    }
}
