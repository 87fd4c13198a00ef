//! Recordings processed in two steps give the same result as in one.

mod common;

use std::fs;
use std::path::Path;

use common::{json, of_type, run, run_with};
use testkit::perf::{self, Recording};
use testkit::skip;

fn record(args: &[&str], what: &str) -> Option<Recording> {
    let Some(program) = perf::program() else {
        skip("no C compiler");
        return None;
    };
    let args = [&["-F", "2000", "-e", "cpu-clock"], args].concat();
    match perf::record(&args, &[program.to_str().unwrap(), what, "60000"]) {
        Ok(recording) => Some(recording),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

fn folded(input: &Path, dir: &Path) -> String {
    let output = dir.join("out.folded");
    let (input, output) = (input.to_str().unwrap(), output.to_str().unwrap());
    run(["convert", "-q", "-i", input, "-o", output]).ok();
    fs::read_to_string(output).unwrap()
}

#[test]
fn normalized_first_and_symbolized_later_is_the_same() {
    let ways: [(&[&str], &str); 3] = [
        (&["-g"], "forks"),
        (&["--call-graph", "dwarf,4096"], "threads"),
        (&["-g", "-z", "--buildid-mmap"], "forks"),
    ];
    for (args, what) in ways {
        let Some(recording) = record(args, what) else {
            return;
        };
        let at_once = folded(&recording.data, recording.dir());
        let sent = recording.dir().join("sent.ndjson");
        let data = recording.data.to_str().unwrap();
        run(["normalize", "-q", "-i", data, "-o", sent.to_str().unwrap()]).ok();
        // The recording is not available where names are looked up.
        fs::remove_file(&recording.data).unwrap();
        assert_eq!(folded(&sent, recording.dir()), at_once, "{args:?}");
        assert!(at_once.contains(";leaf "), "{at_once}");
        // Also through symbolize, line by line.
        let named = run([
            "symbolize",
            "-q",
            "-i",
            sent.to_str().unwrap(),
            "--format",
            "json",
        ])
        .ok();
        let later = recording.dir().join("named.ndjson");
        fs::write(&later, named).unwrap();
        assert_eq!(folded(&later, recording.dir()), at_once, "{args:?}");
    }
}

#[test]
fn a_recording_comes_through_a_pipe() {
    let Some(recording) = record(&["-g", "-o", "-"], "spin") else {
        return;
    };
    let bytes = fs::read(&recording.data).unwrap();
    let piped = run_with(["normalize", "-q", "-i", "-"], &bytes).ok();
    let file = run(["normalize", "-q", "-i", recording.data.to_str().unwrap()]).ok();
    assert_eq!(piped, file);
    let lines = json(&piped);
    let samples = of_type(&lines, "sample");
    assert!(samples.len() > 50);
    let modules = of_type(&lines, "module");
    let program = modules.iter().find(|module| {
        module["path"]
            .as_str()
            .is_some_and(|path| path.contains("testkit-perf"))
    });
    // Its file is available, so its segments and build ID are known.
    let program = program.unwrap();
    assert_eq!(program["build_id_kind"], "gnu", "{program}");
    assert!(
        program["segments"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    let threads = of_type(&lines, "thread");
    let is_named = |name: &str| name.starts_with("testkit-perf");
    assert!(
        threads
            .iter()
            .any(|thread| thread["name"].as_str().is_some_and(is_named))
    );
}

#[test]
fn a_recording_that_is_cut_is_read_and_said_to_be() {
    let Some(recording) = record(&["-g"], "spin") else {
        return;
    };
    let bytes = fs::read(&recording.data).unwrap();
    let whole = folded(&recording.data, recording.dir());
    fs::write(&recording.data, &bytes[..bytes.len() / 3]).unwrap();
    let data = recording.data.to_str().unwrap();
    let output = recording.dir().join("cut.folded");
    let args = ["convert", "-i", data, "-o", output.to_str().unwrap()];
    let cut = run(args);
    assert_eq!(cut.code, Some(0), "{cut:?}");
    assert!(cut.stderr.contains("cut off"), "{cut:?}");
    let cut = fs::read_to_string(&output).unwrap();
    let count = |text: &str| -> u64 {
        let values = text.lines().filter_map(|line| line.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    };
    assert!(count(&cut) > 10 && count(&cut) < count(&whole), "{cut}");
    run([&args[..], &["--strict"]].concat()).fails(3, &["cut off"]);
}

#[test]
fn contradicting_options_are_refused() {
    let text = std::env::current_exe().unwrap();
    let text = text.to_str().unwrap();
    run(["normalize", "-i", text]).fails(1, &["a program or library (ELF)", "symbolize -e"]);
    run(["normalize", "-i", text, "1146"]).fails(2, &["cannot be used with"]);
    run(["normalize", "-i", "/nowhere/perf.data"]).fails(1, &["/nowhere/perf.data"]);
    run_with(["normalize", "-i", "-"], b"PERFILE2").fails(1, &["standard input", "perf.data"]);
}
