//! Code that was made at run time: its names are those that `perf script` gives, address
//! for address.

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::{json, of_type, run};
use testkit::perf::{self, Recording};
use testkit::perf_python::perf_python_or_skip;
use testkit::skip;
use testkit::tools::tool;

const NODE: &str = "
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
class Shape { get k() { return 3; } area(n) { let s = 0; for (let i = 0; i < n; i++) s += i * this.k; return s; } }
const until = Date.now() + 700, shape = new Shape();
let sum = 0;
while (Date.now() < until) sum += fib(18) + shape.area(500) + [1, 2].map((v) => v * sum).length;
";

const PYTHON: &str = "
import time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
end = time.time() + 0.7
while time.time() < end:
    fib(12)
";

const JAVA: &str = "
public class Fib {
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    public static void main(String[] args) {
        long end = System.currentTimeMillis() + 900, sum = 0;
        while (System.currentTimeMillis() < end) sum += fib(20);
        System.out.println(sum > 0);
    }
}
";

const ERLANG: &str = "
-module(work).
-export([main/0]).
fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).
thrower(N) ->
    case N rem 3 of 0 -> erlang:error(badarg); 1 -> throw(x); 2 -> exit(y) end.
loop(0) -> ok;
loop(N) -> try thrower(N) catch _:_ -> ok end, loop(N - 1).
until(End) ->
    fib(20), loop(1000),
    case erlang:monotonic_time(millisecond) < End of true -> until(End); false -> ok end.
main() -> until(erlang:monotonic_time(millisecond) + 900).
";

/// Compiles the file that is named behind it, runs it, and ends.
const ERLANG_RUN: &str = "
[File] = init:get_plain_arguments(), {ok, work, Code} = compile:file(File, [binary]),
{module, work} = code:load_binary(work, File, Code), work:main(), halt().
";

/// Records a program, whose map is left in `/tmp` until this is dropped.
struct Made {
    recording: Recording,
    map: Option<String>,
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(map) = &self.map {
            let _ = std::fs::remove_file(map);
        }
    }
}

fn made(file: (&str, &str), command: &[&str]) -> Option<Made> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file.0);
    std::fs::write(&path, file.1).unwrap();
    let path = path.to_str().unwrap();
    let mut command: Vec<&str> = command.to_vec();
    command.push(path);
    let args = ["-e", "cpu-clock", "-F", "499", "-g"];
    match perf::record(&args, &command) {
        Ok(recording) => {
            let text = recording.script(&["-F", "dso,ip,sym"]);
            let is_map = |word: &&str| word.starts_with("(/tmp/perf-");
            let map = text.split_whitespace().find(is_map);
            let map = map.map(|map| map.trim_matches(['(', ')']).to_owned());
            Some(Made { recording, map })
        }
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// How often each address with its name was met.
type Frames = HashMap<(u64, String), usize>;

/// Returns what perf calls the code at each address of the map, and how often it was met.
fn theirs(recording: &Recording) -> Frames {
    let mut all = HashMap::new();
    for line in recording.script(&["-F", "ip,sym,dso"]).lines() {
        let Some((line, dso)) = line.trim().rsplit_once(" (") else {
            continue;
        };
        if dso.starts_with("/tmp/perf-") {
            let (ip, name) = line.split_once(' ').unwrap();
            let ip = u64::from_str_radix(ip, 16).unwrap();
            *all.entry((ip, name.to_owned())).or_default() += 1;
        }
    }
    all
}

/// The same of ours.
fn ours(data: &Path) -> Frames {
    let output = data.with_extension("ndjson");
    let output_path = output.to_str().unwrap();
    run(["convert", "--quiet", data.to_str().unwrap(), output_path]).ok();
    let lines = json(&std::fs::read_to_string(&output).unwrap());
    let modules = of_type(&lines, "module");
    let places = of_type(&lines, "address");
    let mut all = HashMap::new();
    for sample in of_type(&lines, "sample") {
        for place in sample["stack"].as_array().unwrap() {
            let place = &places[place.as_u64().unwrap() as usize];
            let module = place["module"].as_u64().map(|at| &modules[at as usize]);
            let Some(module) = module.filter(|module| module["kind"] == "anonymous") else {
                continue;
            };
            assert!(module["path"].as_str().unwrap().starts_with("/tmp/perf-"));
            let address = place["address"].as_str().unwrap();
            let ip = u64::from_str_radix(&address[2..], 16).unwrap();
            let frame = &place["frames"][0];
            let name = frame["linkage_name"]
                .as_str()
                .or(frame["function"].as_str());
            let name = name.unwrap_or("[unknown]").to_owned();
            // perf prints of a return address what it looked up, of which it keeps
            // the name alone.
            *all.entry((ip, name)).or_default() += 1;
        }
    }
    all
}

/// Compares, and returns how many frames have names.
fn compare(made: &Made) -> usize {
    let ours = ours(&made.recording.data);
    assert_equal(made, &theirs(&made.recording), &ours);
    let named = ours.iter().filter(|((_, name), _)| name != "[unknown]");
    named.map(|(_, count)| count).sum()
}

/// Asserts that perf's frames are ours, name for name and count for count.
///
/// Where a return address is the end of an entry, we name the entry: the call is before that
/// address. perf looks at the address itself, and has the next entry, or none.
fn assert_equal(made: &Made, theirs: &Frames, ours: &Frames) {
    let ending = ending(made);
    let at_end = |ip: &u64| ending.contains_key(ip);
    let differing = |one: &Frames, other: &Frames| -> Frames {
        let one = one.iter().filter(|(key, n)| other.get(*key) != Some(n));
        one.map(|(key, n)| (key.clone(), *n)).collect()
    };
    let (only_theirs, only_ours) = (differing(theirs, ours), differing(ours, theirs));
    let context = || format!("perf {only_theirs:?}, we {only_ours:?}");
    for (ip, name) in only_ours.keys() {
        let of_entry = ending.get(ip).is_some_and(|names| names.contains(name));
        let of_perf = theirs.contains_key(&(*ip, name.clone())) && at_end(ip);
        assert!(of_entry || of_perf, "{}", context());
    }
    let sums = |all: &Frames| -> HashMap<u64, usize> {
        let mut sums = HashMap::new();
        for ((ip, _), n) in all {
            *sums.entry(*ip).or_default() += n;
        }
        sums
    };
    assert_eq!(sums(theirs), sums(ours), "{}", context());
}

/// Returns the names of the map's entries, by the address of their end.
fn ending(made: &Made) -> HashMap<u64, Vec<String>> {
    let mut ending: HashMap<u64, Vec<String>> = HashMap::new();
    let Some(map) = &made.map else { return ending };
    for line in std::fs::read_to_string(map).unwrap().lines() {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
        if let (Some(start), Some(size), Some(name)) = (number(), number(), words.next()) {
            let name = name.trim_start_matches('$').to_owned();
            ending.entry(start + size).or_default().push(name);
        }
    }
    ending
}

#[test]
fn node_has_the_names_that_perf_gives() {
    if tool("node").is_none() {
        return skip("there is no node");
    }
    let Some(made) = made(("fib.js", NODE), &["node", "--perf-basic-prof"]) else {
        return;
    };
    assert!(compare(&made) > 100);
    // The function, its file and where it begins stand apart.
    let data = made.recording.data.to_str().unwrap();
    let out = run([
        "convert",
        "--account",
        "always",
        data,
        "-",
        "--to",
        "ndjson",
    ]);
    let fib = out.stdout.lines().find(|line| line.contains(":*fib\""));
    let fib = &json(fib.expect("fib was compiled"))[0]["frames"][0];
    assert!(fib["file"].as_str().unwrap().ends_with("/fib.js"), "{fib}");
    assert_eq!(fib["start_line"], 2);
    let map = made.map.as_deref().unwrap();
    assert!(out.stderr.contains(&format!("{map}: ")), "{}", out.stderr);
    // Nobody's lists: no names, and what would help is said.
    let out = run([
        "convert",
        "--jit-maps",
        "none",
        "--account",
        "always",
        data,
        "-",
        "--to",
        "folded",
    ]);
    assert!(!out.stdout.contains(":*fib"), "{}", out.stdout);
    assert!(out.stdout.contains("[anonymous]"), "{}", out.stdout);
    assert!(
        out.stderr.contains("node --perf-basic-prof"),
        "{}",
        out.stderr
    );
}

#[test]
fn java_has_the_names_that_perf_gives() {
    // It compiles the program, too.
    if tool("javac").is_none() {
        return skip("there is no javac");
    }
    let command = [
        "java",
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+DumpPerfMapAtExit",
    ];
    if let Some(made) = made(("Fib.java", JAVA), &command) {
        assert!(compare(&made) > 100);
    }
}

/// What Erlang's machine begins each stack with. Nothing called it: the address is its start.
const BOTTOM: &str = "erts_beamasm:normal_exit/0";

#[test]
fn erlang_has_the_names_that_perf_gives() {
    if tool("erl").is_none() {
        return skip("there is no erl");
    }
    let command = [
        "erl", "+JPperf", "true", "-noshell", "-eval", ERLANG_RUN, "-extra",
    ];
    let Some(made) = made(("work.erl", ERLANG), &command) else {
        return;
    };
    // A `$` begins each name in the list, and is not shown.
    let plain = |all: Frames| -> Frames {
        let plain = |name: String| name.trim_start_matches('$').to_owned();
        let all = all.into_iter();
        all.map(|((ip, name), count)| ((ip, plain(name)), count))
            .collect()
    };
    let named = plain(ours(&made.recording.data));
    assert_equal(&made, &plain(theirs(&made.recording)), &named);
    let count = |name: &str| -> usize {
        let of_name = named.iter().filter(|((_, it), _)| it == name);
        of_name.map(|(_, count)| count).sum()
    };
    assert!(count("work:fib/1") > 10);
    assert!(count(BOTTOM) > 10);
    assert_eq!(count(&format!("{BOTTOM}-CodeInfoPrologue")), 0);
}

#[test]
fn python_has_the_names_that_perf_gives() {
    // Debian 12 has an older one.
    let Some(python) = perf_python_or_skip() else {
        return;
    };
    // Without frame pointers, stacks do not lead through what has the names; `jit_live.rs` asks
    // for them.
    let flags = "import sysconfig; print(sysconfig.get_config_var('PY_CORE_CFLAGS'))";
    let flags = std::process::Command::new(&python)
        .args(["-c", flags])
        .output();
    let flags = flags.expect("it runs").stdout;
    let has_frame_pointers = String::from_utf8_lossy(&flags).contains("-fno-omit-frame-pointer");
    let python = python.to_str().unwrap();
    if let Some(made) = made(("fib.py", PYTHON), &[python, "-X", "perf"]) {
        let named = compare(&made);
        assert!(named > 10 || !has_frame_pointers, "{named}");
    }
}
