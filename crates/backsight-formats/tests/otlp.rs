//! OTLP profiles, written and read back, and read by OpenTelemetry's messages for Python.

#![cfg(feature = "otlp")]

mod profiles;
mod said;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use backsight_formats::flaws::Flaws;
use backsight_formats::otlp::{self, Limits, Options};
use backsight_formats::pprof;
use backsight_profile::Profile;
use backsight_types::Lookup;
use profiles::profiles;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use said::{Said, said};

fn with_times() -> Options {
    Options::default().with_gzip(true).with_times(true)
}

fn written(profile: &Profile, options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    let flaws = otlp::write(profile, &mut bytes, options).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    bytes
}

fn read(bytes: &[u8]) -> Profile {
    let (profile, flaws) = otlp::read(bytes, &Limits::default()).unwrap();
    assert_eq!(flaws, Flaws::default());
    profile
}

/// Sums of samples. The format stores each value separately and in no order, and shifts times to
/// the start of the profile.
fn sums(profile: &Profile, times: bool) -> BTreeMap<String, Vec<i64>> {
    let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let said = said(profile, times);
    let first = said.iter().filter_map(|sample| sample.time_ns).min();
    for sample in said {
        let Said {
            values,
            time_ns,
            thread,
            labels,
            stack,
        } = sample;
        let time = time_ns.map(|time| time - first.unwrap());
        let key = format!("{time:?} {thread:?} {labels:?} {stack:#?}");
        let sum = sums.entry(key).or_insert_with(|| vec![0; values.len()]);
        for (sum, value) in sum.iter_mut().zip(values) {
            // Values are written separately, and the writer saturates at the limits of 64 bits.
            *sum = sum.saturating_add(value);
        }
    }
    sums
}

/// Reduces values so that no sum saturates: the test and the writer add in different orders.
fn with_small_values(mut profile: Profile) -> Profile {
    let samples = std::mem::take(&mut profile.samples);
    for (sample, values, labels) in samples.iter() {
        let values: Vec<i64> = values.iter().map(|value| value >> 8).collect();
        profile.samples.push(sample, &values, labels);
    }
    profile
}

proptest! {
    #[test]
    fn writing_then_reading_is_the_identity(profile in profiles()) {
        let profile = with_small_values(profile);
        for options in [Options::default(), with_times()] {
            let again = read(&written(&profile, &options));
            prop_assert_eq!(sums(&again, options.times), sums(&profile, options.times));
            let texts = |profile: &Profile| {
                let text = |index| profile.strings.get(index).unwrap().to_owned();
                let types = profile.sample_types.iter().map(|it| (text(it.kind), text(it.unit)));
                let types: Vec<_> = types.collect();
                let comments: Vec<_> = profile.comments.iter().map(|it| text(*it)).collect();
                let period = profile.period.map(|(it, n)| (text(it.kind), text(it.unit), n));
                // The duration is extended if a sample is after its end.
                let duration = profile.duration_ns.filter(|_| !options.times);
                let times = (profile.start_ns, duration);
                (types, comments, period, times, profile.default_type)
            };
            prop_assert_eq!(texts(&again), texts(&profile));
        }
    }

    #[test]
    fn reading_then_writing_is_the_identity(profile in profiles()) {
        let plain = Options::default();
        let once = written(&read(&written(&with_small_values(profile), &plain)), &plain);
        let twice = written(&read(&once), &plain);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn pprof_says_the_same(profile in profiles()) {
        let profile = with_small_values(profile);
        let mut bytes = Vec::new();
        pprof::write(&read(&written(&profile, &Options::default())), &mut bytes, &pprof::Options::default()).unwrap();
        let (again, flaws) = pprof::read(&*bytes, &Limits::default()).unwrap();
        prop_assert!(flaws.is_empty(), "{:?}", flaws);
        prop_assert_eq!(sums(&again, false), sums(&profile, false));
    }
}

/// Runs the script that checks a file. `BACKSIGHT_PYTHON` names a Python with OpenTelemetry's
/// messages, if `python3` does not have them.
fn checked(bytes: &[u8]) -> Option<Vec<serde_json::Value>> {
    let python = std::env::var_os("BACKSIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    let import = "import opentelemetry.proto.profiles.v1development.profiles_pb2";
    let has = Command::new(&python).args(["-c", import]).output();
    if !has.is_ok_and(|done| done.status.success()) {
        testkit::skip("no Python with opentelemetry-proto; BACKSIGHT_PYTHON can name one");
        return None;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, bytes).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp/check.py");
    let done = Command::new(python)
        .arg(script)
        .arg(file.path())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let lines = String::from_utf8(done.stdout).unwrap();
    Some(
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

/// Returns the expected output of the script, as sums.
fn by_python(profile: &Profile) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let text = |index: Option<_>| index.map_or("", |index| profile.strings.get(index).unwrap());
        let thread = sample.thread.and_then(|index| profile.thread(index));
        let process = thread.and_then(|thread| profile.process(thread.process));
        let stack: Vec<_> = (profile.stacks.iter(sample.stack))
            .map(|index| {
                let location = profile.location(index).unwrap();
                let module = location.module.and_then(|index| profile.module(index));
                let back = u64::from(location.lookup == Lookup::Return);
                let deleted = module.is_some_and(|module| module.deleted);
                let file = module.map_or("".into(), |module| module.path_lossy());
                let offset = location.file_offset.map(|at| at.0);
                let offset = offset.or(location.address.map(|at| at.0)).unwrap();
                let mut frames: Vec<_> = (profile.frames_of(location).iter())
                    .map(|frame| {
                        serde_json::json!([
                            text(frame.function),
                            text(frame.linkage_name),
                            text(frame.file),
                            frame.line.unwrap_or(0),
                        ])
                    })
                    .collect();
                if let (None, true, Some(reason)) = (module, frames.is_empty(), location.reason) {
                    frames.push(serde_json::json!([format!("[{reason}]"), "", "", 0]));
                }
                serde_json::json!({
                    "file": format!("{file}{}", if deleted { " (deleted)" } else { "" }),
                    "build_id": module
                        .and_then(|module| module.build_id)
                        .map_or(String::new(), |id| id.to_string()),
                    "file_offset": offset - back,
                    "frames": frames,
                })
            })
            .collect();
        for (value, kind) in values.iter().zip(&profile.sample_types) {
            let said = serde_json::json!({
                "pid": process.map(|process| process.pid),
                "process": text(process.and_then(|process| process.name)),
                "tid": thread.and_then(|thread| thread.tid),
                "kind": text(Some(kind.kind)),
                "stack": stack,
            });
            *sums.entry(said.to_string()).or_default() += value;
        }
    }
    sums.retain(|_, value| *value != 0);
    sums
}

#[test]
fn python_finds_every_rule_held_and_reads_the_same() {
    let mut runner = TestRunner::deterministic();
    let mut samples = 0;
    for round in 0..12 {
        let profile = with_small_values(profiles().new_tree(&mut runner).unwrap().current());
        let options = Options::default()
            .with_gzip(false)
            .with_times(round % 2 == 0);
        let Some(lines) = checked(&written(&profile, &options)) else {
            return;
        };
        samples += lines.len();
        let mut got: BTreeMap<String, i64> = BTreeMap::new();
        for mut line in lines {
            let value = line.as_object_mut().unwrap().remove("value").unwrap();
            *got.entry(line.to_string()).or_default() += value.as_i64().unwrap();
        }
        got.retain(|_, value| *value != 0);
        assert_eq!(got, by_python(&profile), "round {round}");
    }
    assert!(samples > 50, "{samples}");
}

#[test]
fn python_finds_every_rule_held_in_a_profile_of_nothing() {
    if let Some(lines) = checked(&written(&Profile::default(), &Options::default())) {
        assert_eq!(lines.len(), 0);
    }
}
