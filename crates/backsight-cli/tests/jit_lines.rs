//! Lines in the files that `perf inject --jit` makes of what node tells of its code: some of what
//! node writes was freed before, and the rows of it lead anywhere. The others are those that
//! addr2line has.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, backsight, run};
use testkit::perf;
use testkit::skip;
use testkit::tools::tool;

const NODE: &str = "
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
function area(a) { let s = 0; for (let i = 0; i < a.length; i++) { s += a[i] * a[i]; } return s; }
const all = Array.from({ length: 10000 }, (_, i) => i % 7);
const until = Date.now() + 1500;
let sum = 0;
while (Date.now() < until) { sum += fib(20); sum += area(all); }
";

/// Returns the start and size of the code of a file.
fn code(file: &Path) -> Option<(u64, u64)> {
    let done = Command::new(tool("nm")?)
        .arg("-S")
        .arg(file)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut words = text.lines().next()?.split(' ');
    let mut number = || u64::from_str_radix(words.next()?, 16).ok();
    Some((number()?, number()?))
}

/// Returns the number behind the last colon of each line, without those that are none.
fn line_numbers(text: &str) -> Vec<Option<u64>> {
    let number = |line: &str| {
        let line = line.split(" (disc").next()?;
        let (_, number) = line.rsplit_once(':')?;
        number.parse().ok().filter(|number| *number > 0)
    };
    text.lines().map(number).collect()
}

#[test]
fn sound_rows_of_damaged_lines_count_and_the_rest_is_said() {
    if tool("node").is_none() || tool("addr2line").is_none() || tool("nm").is_none() {
        return skip("there is no node, addr2line or nm");
    }
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("area.js");
    fs::write(&script, NODE).unwrap();
    let args = ["-k", "mono", "-e", "cpu-clock", "-F", "499", "-g"];
    let node = ["node", "--perf-prof", script.to_str().unwrap()];
    let recording = match perf::record(&args, &node) {
        Ok(recording) => recording,
        Err(reason) => return skip(&reason),
    };
    let injected = recording.dir().join("injected.data");
    let mut inject = Command::new(tool("perf").unwrap());
    inject.current_dir(recording.dir());
    inject.args(["inject", "--jit", "-i"]).arg(&recording.data);
    inject.arg("-o").arg(&injected);
    let made = inject.stdin(Stdio::null()).stderr(Stdio::null()).status();
    assert!(made.unwrap().success());

    let all = fs::read_dir(recording.dir()).unwrap().flatten();
    let files = all.map(|it| it.path());
    let files = files.filter(|it| it.extension().is_some_and(|it| it == "so"));
    let (mut damaged, mut with_lines, mut compared) = (0, 0, 0_u32);
    for file in files {
        // Most are builtins without lines.
        let bytes = fs::read(&file).unwrap();
        let has_lines = bytes.windows(11).any(|part| part == b".debug_line");
        let Some((start, size)) = code(&file).filter(|_| has_lines) else {
            continue;
        };
        let places = (start..start + size).step_by(7);
        let places: Vec<String> = places.map(|at| format!("{at:#x}")).collect();
        let mut addr2line = Command::new(tool("addr2line").unwrap());
        let theirs = addr2line.arg("-e").arg(&file).args(&places).output();
        let theirs = line_numbers(&String::from_utf8_lossy(&theirs.unwrap().stdout));
        let mut ours = backsight();
        ours.args(["symbolize", "--format", "addr2line", "-e"]);
        let ran = Ran::from(ours.arg(&file).args(&places).output().unwrap());
        // Each takes a while.
        if damaged == 25 {
            break;
        }
        if !ran.stderr.contains("damaged") {
            continue;
        }
        damaged += 1;
        let ours = line_numbers(&ran.stdout);
        assert_eq!(ours.len(), theirs.len(), "{ran:?}");
        for ((ours, theirs), place) in ours.iter().zip(&theirs).zip(&places) {
            // A row of freed memory may have any line, also at the address of a sound one, of which
            // addr2line and we may then take another. Where the end of a sequence is such a place,
            // addr2line may have none for all of it.
            let is_line = |line: &Option<u64>| line.is_some_and(|line| line < 1000);
            let is_sound = is_line(ours) && is_line(theirs);
            assert!(
                !is_sound || ours == theirs,
                "{place} of {file:?}: {ours:?} {theirs:?}"
            );
            compared += u32::from(is_sound);
        }
        with_lines += u32::from(ours.iter().any(Option::is_some));
    }
    println!("{damaged} damaged files, {with_lines} with lines; {compared} places compared");
    if damaged == 0 {
        return skip("node wrote no lines that it had freed");
    }
    assert!(with_lines > 0 && compared > 0, "{damaged}");
    let data = injected.to_str().unwrap();
    let ran = run([
        "convert",
        data,
        "-",
        "--to",
        "folded",
        "--account",
        "always",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("whose lines are damaged in part"),
        "{ran:?}"
    );
}
