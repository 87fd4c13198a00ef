//! The account of a conversion, compared with `perf script`, with the lines of the output, and
//! with sums that must hold.

mod common;

use common::{json, of_type, run};
use serde_json::Value;
use testkit::perf::{self, Recording, WAYS};
use testkit::perf_file::{Event, PerfFile, USER, sample};
use testkit::skip;

/// Converts, and returns the account and the other messages.
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
    check_sums(&account);
    (account, others.into_iter().map(str::to_owned).collect())
}

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_object().unwrap();
    counts.values().map(|count| count.as_u64().unwrap()).sum()
}

/// Checks that frames by outcome add up to all frames, and stacks by end to all unwound ones.
fn check_sums(account: &Value) {
    if account["frames_without_name"].is_object() {
        let all = number(account, "frames_with_name") + sum(&account["frames_without_name"]);
        assert_eq!(all, number(account, "frames"), "{account}");
    }
    let ended = sum(&account["stacks_ended"]);
    assert_eq!(ended, number(account, "stacks_walked"), "{account}");
}

fn number(account: &Value, key: &str) -> u64 {
    account[key].as_u64().unwrap()
}

/// Returns the numbers of samples and frames of NDJSON, counted from its lines.
fn counted(ndjson: &str) -> (u64, u64) {
    let lines = json(ndjson);
    let samples = of_type(&lines, "sample");
    let frames = samples.iter().map(|sample| {
        let stack = sample["stack"].as_array();
        stack.map_or(0, |stack| stack.len() as u64)
    });
    (samples.len() as u64, frames.sum())
}

/// Returns the frames of NDJSON by outcome, counted from its lines: `""` for those with a name.
fn outcomes(ndjson: &str) -> std::collections::BTreeMap<String, u64> {
    let lines = json(ndjson);
    let addresses = of_type(&lines, "address").into_iter();
    let outcome = |address: Value| {
        let frames = address["frames"].as_array();
        let mut frames = frames.into_iter().flatten();
        if frames.any(|frame| frame["function"].is_string()) {
            return String::new();
        }
        address["reason"].as_str().unwrap_or("unknown").to_owned()
    };
    let by_number: Vec<String> = addresses.map(outcome).collect();
    let mut counts = std::collections::BTreeMap::new();
    for sample in of_type(&lines, "sample") {
        for number in sample["stack"].as_array().into_iter().flatten() {
            let at = usize::try_from(number.as_u64().unwrap()).unwrap();
            *counts.entry(by_number[at].clone()).or_insert(0) += 1;
        }
    }
    counts
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
        // Except for groups, perf has the same number.
        let theirs = recording.script(&["-G", "-F", "pid"]);
        let theirs = theirs
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count() as u64;
        assert!(samples >= theirs, "{samples} of {theirs}");
        // The outcomes agree with those of the lines, frame by frame.
        let mut wanted = outcomes(&std::fs::read_to_string(&ndjson).unwrap());
        let named = wanted.remove("").unwrap_or_default();
        assert_eq!(number(&whole, "frames_with_name"), named, "{way}");
        let reasons = whole["frames_without_name"].as_object().unwrap();
        let reasons = reasons
            .iter()
            .map(|(of, n)| (of.clone(), n.as_u64().unwrap()));
        assert_eq!(
            reasons.collect::<std::collections::BTreeMap<_, _>>(),
            wanted
        );
        // Only recorded stack memory is unwound, once for each sample that has some.
        let walked = number(&whole, "stacks_walked");
        match way {
            "user stacks" => assert!(walked > 0 && walked <= samples, "{walked} of {samples}"),
            _ => assert_eq!(walked, 0, "{way}"),
        }
        let (normalized, _) = account(&["normalize", "-i", input, "-o", &file("n.ndjson")]);
        // `symbolize -i` of that output prints the same account as `convert`.
        let (converted, _) = account(&["convert", &file("n.ndjson"), "-o", &file("m.ndjson")]);
        let (symbolized, _) = account(&["symbolize", "-i", &file("n.ndjson")]);
        assert_eq!(symbolized, converted, "{way}");
        assert_eq!(symbolized["frames"], whole["frames"], "{way}");
        assert_eq!(normalized["samples_written"], whole["samples_written"]);
        // Without symbolization, no names are missing.
        assert_eq!(normalized.get("frames_without_name"), None);
        // The other formats are tested with one recording, and with several events.
        if !["frame pointers", "several events"].contains(&way) {
            continue;
        }
        for output in ["a.pb.gz", "a.otlp", "a.folded", "a.json", "a.svg"] {
            let (of_output, _) = account(&["convert", "-i", input, "-o", &file(output)]);
            assert_eq!(of_output["samples_read"], whole["samples_read"], "{output}");
        }
        // The output is valid input.
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

/// Two events, a sample of neither, and a truncated sample.
fn written() -> PerfFile {
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
    file
}

#[test]
fn each_sample_left_out_has_a_cause() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let input = file("perf.data");
    std::fs::write(&input, written().file()).unwrap();
    let damaged = [
        "samples of events that are not described",
        "samples that do not fit the attribute of their event",
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
    std::fs::write(&input, written().file()).unwrap();
    let said = |how: &[&str]| {
        let args = ["convert", "-i", &input, "-o", &output];
        run([&args[..], how].concat()).stderr
    };
    let always = said(&["--account", "always"]);
    assert!(
        always.contains(
            "13 samples read, 7 written, 1 stacks, weighed by cpu-clock-samples; left out: "
        ),
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

#[test]
fn records_other_than_samples_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (input, output) = (file("perf.data"), file("a.ndjson"));
    let mut lossy = written();
    lossy.record(2, 0, |at| {
        at.words(&[1, 5]).trailer(5, 5, 90, 1);
    });
    std::fs::write(&input, lossy.file()).unwrap();
    let convert = ["convert", "-i", &input, "-o", &output];
    let (said, others) = account(&convert);
    assert_eq!(
        said["others_left_out"],
        serde_json::json!({ "records that perf lost": 5 })
    );
    assert!(!others.concat().contains("lost"), "{others:?}");
    // It is reported even if all names were found.
    let no_symbols = run([&convert[..], &["--no-symbols"]].concat());
    let words = "left out besides samples: 5 records that perf lost";
    assert!(no_symbols.stderr.contains(words), "{no_symbols:?}");
    let quiet = run([&convert[..], &["--no-symbols", "--quiet"]].concat());
    assert!(!quiet.stderr.contains("lost"), "{quiet:?}");
}

#[test]
fn a_capture_without_samples_counts_its_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ndjson");
    let lines = [
        r#"{"type":"address","address":"0x10","reason":"unmapped"}"#,
        r#"{"type":"address","address":"0x20","frames":[{"function":"f"}]}"#,
        "nothing",
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let said = |how: &[&str]| {
        let args = ["symbolize", "-i", path.to_str().unwrap()];
        run([&args[..], how].concat())
    };
    let ran = said(&["--account", "json"]);
    let account = ran.stderr.lines().find(|line| line.starts_with('{'));
    let account: Value = serde_json::from_str(account.unwrap()).unwrap();
    check_sums(&account);
    assert_eq!(account["addresses"], 2);
    assert_eq!(account["frames_with_name"], 1);
    assert_eq!(account["samples_left_out"]["malformed lines"], 1);
    let always = said(&["--account", "always"]).stderr;
    assert!(
        always.contains("2 addresses looked up; left out: 1 malformed lines"),
        "{always}"
    );
    assert!(
        always.contains("50.0 % of all frames have no name: unmapped"),
        "{always}"
    );
    // If stderr is not a terminal, it is silent by default: each answer has its reason.
    for quiet in [&[][..], &["-q"], &["--account", "never"]] {
        let quiet = said(quiet).stderr;
        assert!(
            !quiet.contains("looked up") && !quiet.contains("no name"),
            "{quiet}"
        );
    }
    let usage = run(["symbolize", "-e", "/bin/ls", "0", "--account", "always"]);
    usage.fails(2, &["--account and --quiet apply only to a capture (-i)"]);
}

/// Returns the files below a directory.
fn files(folder: &std::path::Path, all: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, all),
            false => all.push(path),
        }
    }
}

/// Each fixture is read in its format or rejected by name; and if any format is forced,
/// everything that is read has an account.
#[test]
fn every_fixture_is_accounted_for_or_refused() {
    let mut all = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");
    files(folder.as_ref(), &mut all);
    assert!(all.len() > 5, "{all:?}");
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("a.ndjson");
    let output = output.to_str().unwrap();
    let mut read = 0;
    for path in all {
        let path = path.to_str().unwrap();
        let forced = ["ndjson", "folded", "perf-script"];
        let forced = forced.iter().map(|from| vec!["--from", from]);
        for more in [vec![]].into_iter().chain(forced) {
            let args = [&["convert", "-i", path, "-o", output][..], &more].concat();
            let ran = run([&args[..], &["--account", "json"]].concat());
            if ran.code == Some(0) {
                account(&args);
                read += 1;
            } else {
                ran.fails(1, &["backsight: "]);
            }
        }
    }
    assert!(read > 0);
}
