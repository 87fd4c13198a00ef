//! Recordings made on the spot, compared with `perf script` sample by sample.
//!
//! The leaf of each sample must be in the module that perf prints. Its function must have the
//! same name, or the same start address: then it is another name of the same code. The rest is
//! counted, and must be less than half a percent.
//!
//! A recording of all processes includes those of other users of the machine. They are read, and
//! their number and IDs must agree with perf; names are compared only for processes that the
//! test started, so that other processes do not matter.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf::{self, Recording};
use testkit::skip;

/// A leaf according to either tool.
#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    pid: u64,
    module: String,
    /// `None` if there is no name.
    function: Option<String>,
    /// Its start, if known: in the file, or in the kernel.
    start: Option<u64>,
    /// The name of its thread, according to perf.
    thread: Option<String>,
    /// The time of its sample by the tool's clock, and its thread.
    when: (u64, u64),
}

/// Sorts leaves by time. If samples of two CPUs have the same time, their order is undefined, so
/// they are sorted by thread.
fn in_order(mut leaves: Vec<Leaf>) -> Vec<Leaf> {
    leaves.sort_by_key(|leaf| leaf.when);
    leaves
}

fn hex(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.trim_start_matches("0x"), 16).ok()
}

fn ours(recording: &Recording) -> Vec<Leaf> {
    let output = recording.dir().join("out.ndjson");
    let input = recording.data.to_str().unwrap();
    // Processes of others are compared or not, depending on the recording.
    let output_path = output.to_str().unwrap();
    run(["convert", "--quiet", "-i", input, "-o", output_path]).ok();
    let lines = json(&std::fs::read_to_string(output).unwrap());
    let modules = of_type(&lines, "module");
    let places = of_type(&lines, "address");
    let leaf = |sample: &Value| {
        let place = &places[sample["stack"][0].as_u64().unwrap() as usize];
        let module = place["module"].as_u64();
        let module = module.map(|index| &modules[index as usize]);
        // perf was run without inlined functions.
        let frame = place["frames"].as_array().and_then(|frames| frames.last());
        Leaf {
            pid: sample["pid"].as_u64().unwrap(),
            module: module.map_or("[unknown]".to_owned(), |module| {
                module["path"].as_str().unwrap().to_owned()
            }),
            function: frame.and_then(|frame| frame["function"].as_str().map(str::to_owned)),
            start: frame.and_then(|frame| hex(&frame["start"])),
            thread: None,
            when: (
                sample["time_ns"].as_u64().unwrap(),
                u64::from(sample["tid"].as_u64().unwrap() as u32),
            ),
        }
    };
    in_order(of_type(&lines, "sample").iter().map(leaf).collect())
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
            thread: None,
            when: (0, 0),
        }
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let leaves = lines.map(leaf);
    // `a name of up to 15 bytes  7016/7018   352.019283746: `, in the same order.
    let names = recording.script(&["-G", "--ns", "-F", "comm,pid,tid,time"]);
    let names: Vec<&str> = names
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut leaves: Vec<Leaf> = leaves.collect();
    assert_eq!(names.len(), leaves.len());
    for (leaf, line) in leaves.iter_mut().zip(names) {
        let (line, time) = line.trim().rsplit_once(char::is_whitespace).unwrap();
        let (name, thread) = line.trim().rsplit_once(char::is_whitespace).unwrap();
        let (pid, tid) = thread.split_once('/').unwrap();
        let number = |text: &str| text.parse::<i64>().unwrap() as u32 as u64;
        assert_eq!(number(pid), leaf.pid);
        leaf.thread = Some(name.trim().to_owned());
        let digits = time.trim_end_matches(':').replace('.', "");
        leaf.when = (digits.parse().unwrap(), number(tid));
    }
    in_order(leaves)
}

/// Returns the processes that the test started. Some of their threads have names of their own.
fn of_test(leaves: &[Leaf]) -> HashSet<u64> {
    let is_ours = |leaf: &&Leaf| {
        let name = leaf.thread.as_deref().unwrap_or_default();
        name.starts_with("testkit-perf")
    };
    leaves.iter().filter(is_ours).map(|leaf| leaf.pid).collect()
}

/// The start addresses of names in the kernel and in a program, from `nm` and kallsyms.
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

/// All symbols of a file, including those of its debug file.
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

/// Returns why two names differ, or that there is no explanation.
fn explain(ours: &Leaf, theirs: &Leaf, starts: &mut Starts) -> Option<&'static str> {
    match (&ours.function, &theirs.function) {
        _ if ours.module != theirs.module => None,
        (Some(ours), Some(theirs)) if ours == theirs => Some("the same"),
        (None, None) => Some("neither has a name"),
        (Some(_), None) => Some("perf has no name"),
        (None, Some(name)) if name == "@plt" => Some("perf makes names of the PLT up"),
        (Some(_), Some(name)) if name.ends_with("@plt") => Some("perf makes names of the PLT up"),
        (Some(function), Some(name)) => {
            let mine = starts.of(&ours.module, function);
            let mine = ours.start.map_or(mine, |start| vec![start]);
            // perf appends versions to the names of libc's symbols.
            let bare = name.split('@').next().unwrap_or_default();
            let there = starts.of(&theirs.module, bare);
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
        assert_eq!(ours.len(), theirs.len(), "{way}");
        let of_test = of_test(&theirs);
        let mut starts = Starts(HashMap::new());
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut unexplained, mut compared) = (Vec::new(), 0);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.pid, theirs.pid, "{way}");
            if !of_test.contains(&theirs.pid) {
                continue;
            }
            compared += 1;
            match explain(ours, theirs, &mut starts) {
                Some(reason) => *reasons.entry(reason).or_default() += 1,
                None => unexplained.push((ours, theirs)),
            }
        }
        println!("{way}: {compared} of {} samples, {reasons:?}", ours.len());
        assert!(compared > 50, "{way}: {compared} of {} samples", ours.len());
        let few = unexplained.iter().take(5).collect::<Vec<_>>();
        assert!(
            unexplained.len() * 200 <= compared,
            "{way}: {} of {compared}: {few:#?}",
            unexplained.len()
        );
        let same = reasons.get("the same").copied().unwrap_or_default();
        assert!(same * 100 > compared * 80, "{way}: {reasons:?}");
    }
}
