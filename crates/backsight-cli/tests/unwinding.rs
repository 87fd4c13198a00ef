//! Recorded stack memory, unwound by us and by `perf`, compared frame by frame.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{backsight, json, objcopy, of_type, run};
use testkit::child::KillOnDrop;
use testkit::perf::{self, Recording};
use testkit::skip;
use testkit::tools::{compile, tool};

/// What the program does, how many times, and the recorded event.
const WAYS: [(&str, &str, &str); 6] = [
    ("vforks", "300", "context-switches"),
    ("aligned", "60000", "cpu-clock"),
    ("signals", "20000", "cpu-clock"),
    ("sorts", "500", "cpu-clock"),
    ("deeps", "60000", "cpu-clock"),
    ("bares", "60000", "cpu-clock"),
];

/// A user frame: the name of the file, and the address in it.
type Frame = (String, u64);

fn record(event: &str, args: &[&str]) -> Result<Recording, String> {
    // Do not add files to perf's cache: corrupted ones have the build ID of others.
    let rate = match event {
        "context-switches" => ["-c", "1"],
        _ => ["-F", "997"],
    };
    let how = [
        "-N",
        "-e",
        event,
        rate[0],
        rate[1],
        "--call-graph",
        "dwarf,8192",
    ];
    perf::record(&how, args)
}

fn program(flags: &[&str]) -> PathBuf {
    let mut args = vec!["-O2", "-fomit-frame-pointer", "-Wl,--build-id"];
    args.extend(flags);
    compile("stacks", include_str!("unwinding/stacks.c"), &args).expect("cc takes it")
}

/// Returns the user frames of each sample, innermost first, and the names of their functions.
fn ours(recording: &Recording) -> (Vec<Vec<Frame>>, BTreeMap<Frame, String>) {
    let output = recording.dir().join("out.ndjson");
    let (input, to) = (recording.data.to_str().unwrap(), output.to_str().unwrap());
    assert_eq!(run(["convert", "-i", input, "-o", to]).code, Some(0));
    let lines = json(&std::fs::read_to_string(output).unwrap());
    let (modules, places) = (of_type(&lines, "module"), of_type(&lines, "address"));
    let mut names = BTreeMap::new();
    let mut frame = |index: &serde_json::Value| {
        let place = &places[index.as_u64().unwrap() as usize];
        if place["kind"] == "kernel" {
            return None;
        }
        let Some(module) = place["module"].as_u64() else {
            return Some(("[unknown]".to_owned(), 0));
        };
        let path = modules[module as usize]["path"].as_str().unwrap();
        let name = path.rsplit('/').next().unwrap().to_owned();
        let hex = place["virtual_offset"].as_str().unwrap();
        // perf prints the address of the call, one byte before the return address.
        let call = u64::from(place["lookup"] == "return");
        let frame = (name, u64::from_str_radix(&hex[2..], 16).unwrap() - call);
        let function = place["frames"].as_array().and_then(|frames| frames.last());
        if let Some(function) = function.and_then(|frame| frame["function"].as_str()) {
            names.insert(frame.clone(), function.to_owned());
        }
        Some(frame)
    };
    let samples = of_type(&lines, "sample");
    let stacks = samples.iter().map(|sample| {
        let stack = sample["stack"].as_array().map_or(&[][..], Vec::as_slice);
        stack.iter().filter_map(&mut frame).collect()
    });
    (stacks.collect(), names)
}

/// The same from `perf script`.
fn theirs(recording: &Recording) -> Vec<Vec<Frame>> {
    let text = recording.script(&["--no-inline", "-F", "pid,ip,sym,dso", "--ns"]);
    let mut stacks = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        // Only a sample's first line starts with its process.
        let Some((addr, rest)) = line.trim().split_once(' ') else {
            stacks.push(Vec::new());
            continue;
        };
        let module = rest.rsplit_once('(').unwrap().1.trim_end_matches(')');
        let name = module.rsplit('/').next().unwrap();
        if !module.starts_with("[kernel") && !module.starts_with("[guest") {
            let addr = u64::from_str_radix(addr, 16).unwrap();
            let frame = match name {
                "[unknown]" => (name.to_owned(), 0),
                _ => (name.to_owned(), addr),
            };
            stacks.last_mut().unwrap().push(frame);
        }
    }
    stacks
}

/// A signal handler returns to a trampoline without a call; perf looks up one byte before it.
fn is_signal_s(names: &BTreeMap<Frame, String>, theirs: &Frame, ours: &Frame) -> bool {
    names.get(ours).is_some_and(|name| name == "__restore_rt")
        && (&theirs.0, theirs.1 + 1) == (&ours.0, ours.1)
}

#[test]
fn stacks_are_those_of_perf_and_none_is_invented() {
    if tool("cc").is_none() {
        return skip("there is no C compiler");
    }
    let program = program(&[]);
    for (way, turns, event) in WAYS {
        let args = [program.to_str().unwrap(), way, turns];
        let recording = match record(event, &args) {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let ((ours, names), theirs) = (ours(&recording), theirs(&recording));
        assert_eq!(ours.len(), theirs.len(), "{way}: samples");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut frames = [0, 0];
        for (ours, theirs) in ours.iter().zip(&theirs) {
            frames[0] += ours.len();
            frames[1] += theirs.len();
            // perf ends some stacks with a number that is not code.
            let known = theirs.iter().take_while(|(name, _)| name != "[unknown]");
            let known: Vec<_> = known.collect();
            let is_same = |a: &Frame, b: &Frame| a == b || is_signal_s(&names, a, b);
            // perf skips a function that aligns its stack, and continues with its caller.
            let mut rest = ours.iter();
            let is_it = known.iter().all(|a| rest.any(|b| is_same(a, b)));
            let kind = match is_it {
                true if ours.len() == theirs.len() => "the same",
                true => "perf knows less",
                false => "perf knows more, or something else",
            };
            *counts.entry(kind).or_default() += 1;
            if !is_it {
                eprintln!("{way}: ours {ours:x?}\n  perf's {theirs:x?}");
            }
            // The stacks contain only functions that the program calls.
            let called: Vec<&str> = ours
                .iter()
                .filter_map(|it| names.get(it))
                .map(String::as_str)
                .collect();
            if let Some(main) = called.iter().position(|name| *name == "main")
                && let Some(before) = main.checked_sub(1)
                && !called.iter().any(|name| name.starts_with("_dl"))
            {
                let callees = [
                    way,
                    "__GI_____strtol_l_internal",
                    "atol",
                    "strcmp",
                    "sigaction",
                ];
                let is_one = callees.iter().any(|name| called[before].contains(name));
                assert!(is_one || called[before].starts_with("__"), "{called:?}");
            }
            // The first is the register's, of which nothing is known while a program is
            // being loaded; those behind it are ours.
            let mut unwound = ours.iter().skip(1);
            let invented = unwound.find(|(name, _)| name == "[unknown]");
            assert_eq!(invented, None, "{way}: {ours:x?}");
        }
        eprintln!(
            "{way}: {} samples, {} frames of ours, {} of perf's: {counts:?}",
            ours.len(),
            frames[0],
            frames[1]
        );
        assert!(ours.len() > 20, "{way}: too few samples to say anything");
        assert_eq!(
            counts.get("perf knows more, or something else"),
            None,
            "{way}"
        );
        let called = |name: &str| names.values().any(|it| it.split('@').next() == Some(name));
        assert!(called(way) || way == "bares", "{way} is in no stack");
        assert!(called("__restore_rt") || way != "signals", "{names:?}");
    }
}

/// Runs the command, and fails if it takes a minute, because it would hang.
fn run_watched(args: &[&str]) -> (Option<i32>, String) {
    let mut command = backsight();
    let child = command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = KillOnDrop(child.spawn().expect("it runs"));
    let give_up = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.0.try_wait().expect("our child") {
            break status;
        }
        assert!(Instant::now() < give_up, "{args:?} hangs");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut said = String::new();
    let stderr = child.0.stderr.as_mut().expect("a pipe");
    std::io::Read::read_to_string(stderr, &mut said).expect("UTF-8");
    (status.code(), said)
}

/// Converts and normalizes a recording, and returns its stacks as folded text.
fn folded(recording: &Recording) -> String {
    let input = recording.data.to_str().unwrap();
    let [folded, ndjson] = ["out.folded", "out.ndjson"].map(|name| recording.dir().join(name));
    let [folded, ndjson] = [&folded, &ndjson].map(|path| path.to_str().unwrap());
    for args in [
        ["convert", "-i", input, "-o", folded],
        ["normalize", "-i", input, "-o", ndjson],
    ] {
        let (code, said) = run_watched(&args);
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    std::fs::read_to_string(folded).unwrap()
}

const HOSTILE: &str = r#"
#include <stdlib.h>
static volatile unsigned long sink;
__attribute__((noipa)) void spin(long turns)
{
    __asm__ volatile(".cfi_escape " ESCAPE);
    for (long i = 0; i < turns * 1000; i++)
        sink += i;
    sink++;
}
int main(int count, char **args)
{
    spin(atol(args[2]));
    return 0;
}
"#;

/// Expressions without an end or a value as rules for the CFA (`0x0f`) and for the return
/// address (`0x10` and `0x16`, column 16), and invalid rules.
const ESCAPES: [&str; 8] = [
    "0x0f,3,0x2f,0xfd,0xff",
    "0x10,16,3,0x2f,0xfd,0xff",
    "0x16,16,3,0x2f,0xfd,0xff",
    // A jump into an operand, which jumps back.
    "0x0f,7,0x2f,1,0,0x0a,0x2f,0xfd,0xff",
    // dup, mul, skip -5: growing numbers.
    "0x0f,6,0x31,0x12,0x1e,0x2f,0xfa,0xff",
    "0x0f,0",
    // A register that no machine has, and a CFA at the end of the address space.
    "0x0c,0xff,0xff,0x03,8",
    "0x0c,7,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0x7f",
];

#[test]
fn call_frames_that_never_end_do_not_hang() {
    if tool("cc").is_none() {
        return skip("there is no C compiler");
    }
    for escape in ESCAPES {
        let define = format!("-DESCAPE=\"{escape}\"");
        let flags = ["-Wl,--build-id", "-O2", define.as_str()];
        let program = compile("hostile", HOSTILE, &flags).expect("cc takes it");
        let args = [program.to_str().unwrap(), "x", "20000"];
        let recording = match record("cpu-clock", &args) {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let folded = folded(&recording);
        assert!(folded.contains(";spin "), "{escape}: {folded}");
    }
}

type Forge = Box<dyn Fn(&mut Vec<u8>)>;

/// Other `.eh_frame_hdr` contents for a program, which it does not need to run.
fn with_header(program: &Path, dir: &Path, forge: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let (section, forged) = (dir.join("section"), dir.join("forged"));
    let [from, at, to] = [program, &section, &forged].map(|path| path.to_str().unwrap());
    objcopy(&["-O", "binary", "-j", ".eh_frame_hdr", from, at]);
    let mut bytes = std::fs::read(&section).unwrap();
    let len = bytes.len();
    forge(&mut bytes);
    assert_eq!(bytes.len(), len);
    std::fs::write(&section, bytes).unwrap();
    objcopy(&["--update-section", &format!(".eh_frame_hdr={at}"), from, to]);
    forged
}

#[test]
fn a_corrupted_search_table_ends_a_stack_or_is_not_used() {
    if tool("cc").is_none() || tool("objcopy").is_none() {
        return skip("there is no C compiler, or no objcopy");
    }
    let program = program(&[]);
    let fill = |from: usize, value: u8| {
        move |bytes: &mut Vec<u8>| bytes[from..].iter_mut().for_each(|byte| *byte = value)
    };
    let forgeries: [(&str, Forge); 6] = [
        ("all functions are at one place", Box::new(fill(12, 0))),
        ("all are before the section", Box::new(fill(12, 0x80))),
        ("all are behind it", Box::new(fill(12, 0x7f))),
        (
            "it has 2^32 rows",
            Box::new(|bytes| bytes[8..12].fill(0xff)),
        ),
        ("its rows have 16 bytes", Box::new(|bytes| bytes[3] = 0x3c)),
        (
            "the section is elsewhere",
            Box::new(|bytes| bytes[4..8].fill(0x80)),
        ),
    ];
    for (what, forge) in forgeries {
        let dir = tempfile::tempdir().unwrap();
        let forged = with_header(&program, dir.path(), forge);
        let args = [forged.to_str().unwrap(), "sorts", "300"];
        let recording = match record("cpu-clock", &args) {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let folded = folded(&recording);
        assert!(folded.contains(";burn "), "{what}: {folded}");
        // If the table cannot be searched, an index is built from the section.
        if what.starts_with("it") || what.starts_with("the") {
            let whole = "main;sorts;";
            assert!(folded.contains(whole), "{what}: {folded}");
        }
    }
}
