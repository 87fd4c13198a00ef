//! What a conversion says that it came to, against `perf script`, the lines of the output,
//! and sums that must hold.

mod common;

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf::{self, Recording, WAYS};
use testkit::perf_file::{Event, PerfFile, USER, sample};
use testkit::skip;

/// Converts, and returns the account and what else was said.
fn account(args: &[&str]) -> (Value, Vec<String>) {
    let ran = run([args, &["--account", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (json, others): (Vec<&str>, Vec<&str>) =
        ran.stderr.lines().partition(|line| line.starts_with('{'));
    let [account] = json[..] else {
        panic!("one account: {ran:?}");
    };
    let account: Value = serde_json::from_str(account).unwrap();
    assert_eq!(account["type"], "account");
    let left_out = account["samples_left_out"].as_object().unwrap();
    let left_out: u64 = left_out.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(
        number(&account, "samples_read"),
        number(&account, "samples_written") + left_out
    );
    if let Some(reasons) = account["frames_without_name"].as_object() {
        let nameless: u64 = reasons.values().map(|count| count.as_u64().unwrap()).sum();
        assert!(nameless <= number(&account, "frames"), "{account}");
    }
    (account, others.into_iter().map(str::to_owned).collect())
}

fn number(account: &Value, key: &str) -> u64 {
    account[key].as_u64().unwrap()
}

/// The samples and the frames of NDJSON, by its lines.
fn counted(ndjson: &str) -> (u64, u64) {
    let lines = json(ndjson);
    let samples = of_type(&lines, "sample");
    let frames = samples.iter().map(|sample| {
        let stack = sample["stack"].as_array();
        stack.map_or(0, |stack| stack.len() as u64)
    });
    (samples.len() as u64, frames.sum())
}

fn recorded() -> Result<Vec<(&'static str, Recording)>, String> {
    let program = perf::program().ok_or("there is no C compiler")?;
    let own = WAYS.iter().filter(|(_, args, _)| !args.contains(&"-a"));
    let made = own.map(|(way, args, what)| {
        let command = [program.to_str().unwrap(), what, "400"];
        Ok((*way, perf::record(args, &command)?))
    });
    made.collect()
}

#[test]
fn each_sample_is_written_or_left_out_in_every_format() {
    let recordings = match recorded() {
        Ok(recordings) => recordings,
        Err(reason) => return skip(&reason),
    };
    for (way, recording) in recordings {
        let input = recording.data.to_str().unwrap();
        let file = |name: &str| recording.dir().join(name).to_str().unwrap().to_owned();
        let ndjson = file("out.ndjson");
        let (whole, _) = account(&["convert", "-i", input, "-o", &ndjson]);
        let (samples, frames) = counted(&std::fs::read_to_string(&ndjson).unwrap());
        assert_eq!(
            (number(&whole, "samples_written"), number(&whole, "frames")),
            (samples, frames)
        );
        // Without groups, perf has as many.
        let theirs = recording.script(&["-G", "-F", "pid"]);
        let theirs = theirs
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count() as u64;
        assert!(samples >= theirs, "{samples} of {theirs}");
        let (normalized, _) = account(&["normalize", "-i", input, "-o", &file("n.ndjson")]);
        assert_eq!(normalized["samples_written"], whole["samples_written"]);
        // Nobody looked for names, so none are missing.
        assert_eq!(normalized.get("frames_without_name"), None);
        // The formats do not depend on the way of recording; several events matter.
        if !["frame pointers", "several events"].contains(&way) {
            continue;
        }
        for output in ["a.pb.gz", "a.otlp", "a.folded", "a.json", "a.svg"] {
            let (of_output, _) = account(&["convert", "-i", input, "-o", &file(output)]);
            assert_eq!(of_output["samples_read"], whole["samples_read"], "{output}");
        }
        // What was written is an input again.
        for again in ["out.ndjson", "a.pb.gz", "a.otlp", "a.folded"] {
            let (again, _) = account(&["convert", "-i", &file(again), "-o", &file("b.ndjson")]);
            assert!(number(&again, "samples_read") > 0);
        }
        let text = file("perf.txt");
        std::fs::write(&text, recording.script(&[])).unwrap();
        let (of_text, _) = account(&["convert", "-i", &text, "-o", &file("c.ndjson")]);
        assert_eq!(number(&of_text, "samples_read"), theirs);
    }
}

/// Two events, one sample of neither, and one that is cut.
fn written() -> Vec<u8> {
    let event = |name, config, id| Event {
        name,
        kind: 1,
        config,
        period: 1,
        sample_type: sample::IDENTIFIER | sample::IP | sample::TID | sample::TIME,
        ids: vec![id],
        ..Event::default()
    };
    let mut file = PerfFile::new(
        false,
        &[event("cpu-clock", 0, 1), event("page-faults", 2, 2)],
    );
    file.comm(5, 5, "prog", 1)
        .map(5, 0x40_0000, 0x1000, "/bin/prog", 1);
    for (id, count) in [(1, 7), (2, 3), (9, 2)] {
        for time in 0..count {
            file.record(9, USER, |at| {
                at.words(&[id, 0x40_0010]).u32(5).u32(5).u64(100 + time);
            });
        }
    }
    file.record(9, USER, |at| {
        at.words(&[1, 0x40_0010]);
    });
    file.file()
}

#[test]
fn what_is_left_out_has_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let input = file("perf.data");
    std::fs::write(&input, written()).unwrap();
    let damaged = [
        "samples of an event that nothing describes",
        "samples that are not as their event says",
    ];
    let said = |args: &[&str]| {
        let (account, _) = account(args);
        let causes = account["samples_left_out"].as_object().unwrap().clone();
        let written = number(&account, "samples_written");
        let count = |cause: &str| causes.get(cause).and_then(Value::as_u64);
        let of_damaged = damaged.map(count);
        assert_eq!(of_damaged, [Some(2), Some(1)], "{account}");
        (
            written,
            causes.len(),
            count("samples of events that are not chosen"),
            count("samples of values that are not shown"),
        )
    };
    let (ndjson, folded) = (file("a.ndjson"), file("a.folded"));
    assert_eq!(
        said(&["convert", "-i", &input, "-o", &ndjson]),
        (10, 2, None, None)
    );
    assert_eq!(
        said(&["convert", "-i", &input, "-o", &folded]),
        (7, 3, None, Some(3))
    );
    let one = [
        "convert",
        "-i",
        &input,
        "-o",
        &folded,
        "--event",
        "page-faults",
    ];
    assert_eq!(said(&one), (3, 3, Some(7), None));
}

#[test]
fn the_account_is_short_and_silent_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (input, output) = (file("perf.data"), file("a.folded"));
    std::fs::write(&input, written()).unwrap();
    let said = |how: &[&str]| {
        let args = ["convert", "-i", &input, "-o", &output];
        run([&args[..], how].concat()).stderr
    };
    let always = said(&["--account", "always"]);
    assert!(
        always.contains("13 samples read, 7 written, 1 stacks; left out: "),
        "{always}"
    );
    assert!(
        always.contains("100.0 % of all frames have no name: "),
        "{always}"
    );
    assert!(always.contains(" in /bin/prog ("), "{always}");
    assert!(always.lines().count() <= 16, "{always}");
    let auto = said(&[]);
    assert!(auto.contains("have no name"), "{auto}");
    for quiet in [
        &["--quiet"][..],
        &["-q"],
        &["--account", "never"],
        &["--no-symbols"],
    ] {
        let quiet = said(quiet);
        assert!(
            !quiet.contains("samples read") && !quiet.contains("no name"),
            "{quiet}"
        );
    }
}
