//! `report`: its figures are those of `perf report` and of `go tool pprof`.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{json, of_type, run};
use testkit::perf::{self, Recording, WAYS};
use testkit::skip;
use testkit::tools::tool;

/// The rows of a report: amounts of their own, and totals, by function. Functions of several
/// modules are summed, as in pprof.
fn rows(data: &Path, more: &[&str]) -> (i64, BTreeMap<String, (i64, i64)>) {
    let data = data.to_str().unwrap();
    let args = ["report", data, "--format", "json", "--account", "never"];
    let ran = run([&args, more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = json(&ran.stdout);
    let heads = of_type(&lines, "report");
    assert_eq!(heads.len(), 1, "{}", ran.stdout);
    let head = &heads[0];
    let mut rows: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in of_type(&lines, "row") {
        let name = row["function"].as_str().unwrap().to_owned();
        let amount = |key: &str| row[key].as_i64().unwrap();
        let sums = rows.entry(name).or_default();
        sums.0 += amount("self");
        sums.1 += amount("total");
    }
    (head["whole"].as_i64().unwrap(), rows)
}

/// Five ways of recording with stacks, of one event.
fn recordings() -> Vec<(&'static str, Recording)> {
    let Some(program) = perf::program() else {
        skip("there is no C compiler");
        return Vec::new();
    };
    let program = program.to_str().unwrap();
    let mut made = Vec::new();
    for (name, args, what) in WAYS {
        let wanted = [
            "frame pointers",
            "threads",
            "compressed",
            "plain",
            "user stacks",
        ];
        if !wanted.contains(&name) {
            continue;
        }
        match perf::record(&[args, &["-F", "2000"]].concat(), &[program, what, "60000"]) {
            Ok(recording) => made.push((name, recording)),
            Err(why) => skip(&why),
        }
    }
    made
}

/// What `perf report` prints: shares in percent of user code, by function.
fn perf_shares(recording: &Recording, args: &[&str]) -> BTreeMap<String, f64> {
    let mut command = Command::new("perf");
    command
        .env("LC_ALL", "C")
        // Its cache of files is that of no user.
        .env("HOME", recording.dir())
        .args(["report", "--stdio", "-g", "none", "-t", "|"]);
    command.args(args).arg("-i").arg(&recording.data);
    let text = command.output().unwrap();
    assert!(text.status.success(), "{text:?}");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let mut shares = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((share, name)) = line.split_once('|') else {
            continue;
        };
        // Kernel code has aliases, of which each tool chooses.
        if let Some(name) = name.trim().strip_prefix("[.] ") {
            let share = share.trim().trim_end_matches('%');
            let share: f64 = share.parse().unwrap_or_else(|_| panic!("{args:?}: {line}"));
            *shares.entry(name.trim().to_owned()).or_default() += share;
        }
    }
    shares
}

/// Chooses the own amount of a row, or its total.
type Shown = fn((i64, i64)) -> i64;

#[test]
fn shares_are_those_of_perf_report() {
    for (name, recording) in recordings() {
        let (whole, rows) = rows(
            &recording.data,
            &["--merge-inlines", "--sample-type", "cpu-clock"],
        );
        let share = |amount: i64| amount as f64 / whole as f64 * 100.0;
        let ways: [(&[&str], Shown); 2] = [
            (&["--no-children", "-F", "overhead,sym"], |(own, _)| own),
            (
                &["--children", "-F", "overhead_children,sym"],
                |(_, total)| total,
            ),
        ];
        let mut compared = 0;
        for (args, of) in ways {
            // Without stacks, perf knows no totals; and it unwinds stack memory in its own way.
            if ["plain", "user stacks"].contains(&name) && args.contains(&"--children") {
                continue;
            }
            for (function, theirs) in perf_shares(&recording, args) {
                // Libraries and the kernel have aliases, of which each tool has its choice.
                if !["leaf", "other_leaf", "middle", "spin", "main"].contains(&&*function) {
                    continue;
                }
                let sums = rows.get(&function);
                let sums = sums.unwrap_or_else(|| panic!("{name}: {function} is missing"));
                let ours = share(of(*sums));
                assert!(
                    (ours - theirs).abs() < 0.0101,
                    "{name}, {function}: {ours} {theirs}"
                );
                compared += 1;
            }
        }
        assert!(compared >= 2, "{name}: {compared} functions in common");
    }
}

#[test]
fn figures_are_those_of_go_tool_pprof() {
    if tool("go").is_none() {
        return skip("there is no go");
    }
    for (name, recording) in recordings() {
        let (whole, rows) = rows(&recording.data, &["--sample-type", "samples"]);
        let converted = recording.dir().join("profile.pb.gz");
        let paths = [&recording.data, &converted].map(|path| path.to_str().unwrap());
        let ran = run(["convert", paths[0], paths[1], "--account", "never"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let mut command = Command::new("go");
        command.args([
            "tool",
            "pprof",
            "-top",
            "-nodecount=100000",
            "-nodefraction=0",
        ]);
        command.args([
            "-edgefraction=0",
            "-sample_index=samples",
            "-symbolize=none",
        ]);
        let said = command.arg(&converted).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut compared = 0;
        let lines = text
            .lines()
            .skip_while(|line| !line.trim_start().starts_with("flat "));
        for line in lines.skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (own, total) = (number(words[0]), number(words[3]));
            let function = words[5..].join(" ");
            let function = function
                .trim_end_matches(" (inline)")
                .trim_end_matches(" (partial-inline)");
            // Frames without a name are addresses there.
            let Some(ours) = rows.get(function) else {
                assert!(
                    !function.starts_with(|c: char| c.is_ascii_lowercase()),
                    "{name}: {line}"
                );
                continue;
            };
            assert_eq!(*ours, (own, total), "{name}: {line} of {whole}");
            compared += 1;
        }
        assert!(compared >= 2, "{name}: {text}");
    }
}

/// pprof rounds only numbers with a unit; samples have none.
fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Folded stacks that are written here.
fn folded(lines: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".folded")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

#[test]
fn text_has_bars_and_what_is_not_shown() {
    let file = folded("main;a 6\nmain;b 3\nmain;c 1\n");
    let path = file.path().to_str().unwrap();
    let text = run(["report", path, "-n", "2"]).ok();
    let rows: Vec<&str> = text.lines().skip(2).map(str::trim).collect();
    assert!(rows[0].starts_with("self"), "{text}");
    assert!(rows[1].starts_with("60.00% ██████"), "{text}");
    assert!(rows[1].ends_with("60.00%  a"), "{text}");
    assert!(
        rows[3].starts_with("10.00%") && rows[3].ends_with("in 2 more rows (-n)"),
        "{text}"
    );
    // The same in a tree, where branches are folded behind those that are shown.
    let tree = run(["report", path, "--tree", "--fold", "20"]).ok();
    let rows: Vec<&str> = tree.lines().skip(3).collect();
    let want = [
        " 100.00%           main",
        "  60.00%   60.00%   a",
        "  30.00%   30.00%   b",
        "  10.00%            (1 more, see --fold)",
    ];
    assert_eq!(rows, want, "{tree}");
    let callers = run(["report", path, "--callers", "^a$"]).ok();
    assert!(callers.contains("60.00%  from main"), "{callers}");
    let callees = run(["report", path, "--callees", "main"]).ok();
    assert!(callees.contains("10.00%    to c"), "{callees}");
}

#[test]
fn a_narrow_terminal_and_old_locales_have_room() {
    let long = "x".repeat(300);
    let file = folded(&format!("main;\u{1b}[31m{long} 5\nmain;é 5\n"));
    let path = file.path().to_str().unwrap();
    let mut command = common::backsight();
    command
        .args(["report", path])
        .env("COLUMNS", "20")
        .env("LC_ALL", "C");
    let text = command.output().unwrap().stdout;
    assert!(text.is_ascii(), "{}", String::from_utf8_lossy(&text));
    assert!(!text.contains(&0x1b), "an escape reaches the terminal");
    let text = String::from_utf8(text).unwrap();
    let longest = text.lines().skip(2).map(str::len).max().unwrap();
    assert!(longest <= 30, "{text}");
}

#[test]
fn filters_say_what_they_leave_out() {
    let file = folded("main;a 6\nmain;b 3\n");
    let path = file.path().to_str().unwrap();
    let ran = run([
        "report",
        path,
        "--focus",
        "^a$",
        "--format",
        "csv",
        "--account",
        "always",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "function,module,self,total\na,,6,6\nmain,,0,6\n"
    );
    assert!(
        ran.stderr
            .contains("left out: 3 samples that no filter takes"),
        "{}",
        ran.stderr
    );
    // The same samples by every command that reads.
    let ran = run(["convert", path, "-", "--to", "folded", "--focus", "^a$"]);
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "main;a 6\n"), "{ran:?}");
    run(["report", path, "--pid", "1"]).fails(1, &["--pid", "no processes"]);
    run(["report", path, "--time", "1,2"]).fails(1, &["--time", "have no times"]);
    run(["report", path, "--focus", "("]).fails(2, &["--focus", "unclosed group"]);
    run(["report", path, "--callers", "nobody"]).fails(1, &["no function", "nobody"]);
    run(["report", path, "--user", "--kernel"]).fails(2, &["--user", "--kernel"]);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let file = folded(
        &(0..20_000)
            .map(|n| format!("main;f{n} 1\n"))
            .collect::<String>(),
    );
    let mut child = common::backsight();
    child.args(["report", file.path().to_str().unwrap(), "-n", "20000"]);
    let mut child = child.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_value_without_samples_is_said() {
    let text = "w 7/7 1.25: 5 cycles: \n\t1146 aim (/a)\n\n\
                v 8/8 1.26: 5 faults: \n\t1146 aim (/a)\n\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.perf");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let wanted = [
        "--comm",
        "w",
        "--sample-type",
        "faults",
        "--no-symbols",
        "-q",
    ];
    let words = ["no samples of faults", "--by event"];
    run([&["report", path][..], &wanted].concat()).fails(1, &words);
    run([&["diff", path, path][..], &wanted].concat()).fails(1, &words);
    let same = run([
        "diff",
        path,
        path,
        "--no-symbols",
        "-q",
        "--sample-type",
        "cycles",
    ]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.stdout.contains("nothing changed"), "{same:?}");
}

/// The last sample is at 100 % of the time.
#[test]
fn the_whole_time_has_all_samples() {
    let samples = (1..=5).map(|second| {
        format!("it 7/7 {second}.000000: 1 cpu-clock: \n\t1000 f{second} (/no/such/file)\n\n")
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), samples.collect::<String>()).unwrap();
    let path = file.path().to_str().unwrap();
    for (span, want) in [
        ("0%,100%", 5),
        ("0%,", 5),
        (",100%", 5),
        ("50%,100%", 3),
        ("0%,50%", 2),
        ("0,4", 4),
    ] {
        let ran = run(["report", "-q", path, "--time", span]);
        let rows = ran
            .stdout
            .lines()
            .filter(|line| line.contains("/file") || line.contains(" f"));
        let rows = rows.filter(|line| line.contains('%')).count();
        assert_eq!(rows, want, "{span}: {ran:?}");
    }
}
