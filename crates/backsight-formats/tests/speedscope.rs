//! speedscope's JSON: files in the documented shape, read by hand and written as another reader
//! sees them.

mod common;

use std::collections::BTreeMap;

use backsight_formats::speedscope::{self, Error, Limits};
use backsight_formats::{folded, place_name};
use backsight_profile::{Profile, ThreadIdx};
use common::profile;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(text: &Value) -> (Profile, Vec<(&'static str, u64)>) {
    let text = text.to_string();
    assert!(speedscope::is_one(text.as_bytes()));
    let (profile, flaws) = speedscope::read(text.as_bytes(), &Limits::default()).expect("valid");
    let all = flaws.iter().chain(flaws.left_out()).chain(flaws.changed());
    (profile, all.collect())
}

fn folds(profile: &Profile, sample_type: usize) -> String {
    let mut out = Vec::new();
    let root = folded::RootFrame::Thread;
    folded::write(profile, sample_type, root, &mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}

fn file(profiles: Value) -> Value {
    json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "profiles": profiles,
        "shared": {"frames": [
            {"name": "main", "file": "/a.c", "line": 3, "col": 7},
            {"name": "work", "file": null, "line": null, "col": null},
            {"name": "rest"},
        ]},
    })
}

/// The kinds and units of values.
fn types(profile: &Profile) -> Vec<(&str, &str)> {
    let text = |at| profile.strings.get(at).expect("there");
    let types = profile.sample_types.iter();
    types.map(|of| (text(of.kind), text(of.unit))).collect()
}

#[test]
fn a_file_in_the_documented_shape_is_read() {
    let sampled = |unit: &str, name: &str| {
        json!({"type": "sampled", "name": name, "unit": unit, "startValue": 0, "endValue": 7,
            "samples": [[0, 1], [0], [0, 1], []], "weights": [2, 1.5, 3, 4]})
    };
    let all = [
        sampled("milliseconds", "one"),
        sampled("bytes", "two"),
        sampled("none", "three"),
    ];
    let (profile, flaws) = read(&file(json!(all)));
    assert_eq!(
        types(&profile),
        [
            ("time", "nanoseconds"),
            ("space", "bytes"),
            ("samples", "1e-1")
        ]
    );
    assert_eq!(
        folds(&profile, 0),
        "one-0/? 4000000\none-0/?;main 1500000\none-0/?;main;work 5000000\n"
    );
    // Half a byte is rounded; half a count changes the unit.
    assert_eq!(
        folds(&profile, 1),
        "two-0/? 4\ntwo-0/?;main 2\ntwo-0/?;main;work 5\n"
    );
    assert_eq!(
        folds(&profile, 2),
        "three-0/? 40\nthree-0/?;main 15\nthree-0/?;main;work 50\n"
    );
    assert_eq!(flaws.len(), 2, "{flaws:?}");
    assert!(
        flaws.contains(&("values that were rounded", 1)),
        "{flaws:?}"
    );
    let frame = profile.frames[0];
    let text = |at: Option<_>| profile.strings.get(at.expect("has one"));
    assert_eq!(text(frame.function), Some("main"));
    assert_eq!(text(frame.file), Some("/a.c"));
    assert_eq!((frame.line, frame.column), (Some(3), Some(7)));
    // The stacks stay in order.
    let depths = profile.samples.iter().take(4);
    let depths = depths.map(|(sample, ..)| profile.stacks.iter(sample.stack).count());
    assert_eq!(depths.collect::<Vec<_>>(), [2, 1, 2, 0]);
}

#[test]
fn units_of_time_become_nanoseconds() {
    for (unit, factor) in [
        ("nanoseconds", 1_i64),
        ("microseconds", 1_000),
        ("milliseconds", 1_000_000),
        ("seconds", 1_000_000_000),
    ] {
        let (profile, flaws) = read(&file(json!([{"type": "sampled", "name": "a", "unit": unit,
            "startValue": 0, "endValue": 1, "samples": [[2]], "weights": [3]}])));
        assert_eq!(folds(&profile, 0), format!("a-0/?;rest {}\n", 3 * factor));
        assert_eq!(flaws, [], "{unit}");
    }
}

#[test]
fn an_interval_goes_to_the_stack_that_is_open() {
    let event = |kind: &str, frame: u32, at: f64| json!({"type": kind, "frame": frame, "at": at});
    let evented = |events: Vec<Value>| {
        json!([{"type": "evented", "name": "t", "unit": "microseconds", "startValue": 1,
            "endValue": 100, "events": events}])
    };
    let (profile, flaws) = read(&file(evented(vec![
        event("O", 0, 1.0),
        event("O", 1, 3.0),
        event("C", 1, 3.5),
        event("O", 1, 4.0),
        event("C", 1, 9.0),
        event("C", 0, 10.0),
        // Nothing is open for a while.
        event("O", 2, 20.0),
        event("C", 2, 21.0),
    ])));
    assert_eq!(flaws, []);
    assert_eq!(
        folds(&profile, 0),
        "t-0/?;main 3500\nt-0/?;main;work 5500\nt-0/?;rest 1000\n"
    );
    let times: Vec<_> = (profile.samples.iter())
        .map(|(sample, ..)| sample.time_ns)
        .collect();
    let starts = [1_000, 3_000, 3_500, 4_000, 9_000, 20_000];
    assert_eq!(times, starts.map(Some));

    // What does not match is counted, and the rest read.
    let (profile, flaws) = read(&file(evented(vec![
        event("C", 0, 1.0),
        event("O", 0, 2.0),
        event("O", 1, 3.0),
        event("C", 0, 5.0),
        event("C", 1, 6.0),
        event("O", 9, 6.0),
        event("X", 0, 6.0),
        event("O", 2, 7.0),
        event("O", 0, 5.0),
    ])));
    assert_eq!(
        folds(&profile, 0),
        "t-0/?;main 1000\nt-0/?;main;work 2000\nt-0/?;rest;main 93000\n"
    );
    assert_eq!(
        flaws,
        [
            ("events that close a frame which is not open", 2),
            ("events that close a frame before those that it called", 1),
            ("frames that the list of frames does not have", 1),
            ("events that neither open nor close a frame", 1),
            ("events that are earlier than the one before them", 1),
            ("frames that no event closes", 2),
        ]
    );
}

#[test]
fn malformed_parts_are_counted() {
    let (profile, flaws) = read(&file(json!([
        {"type": "sampled", "name": "a", "unit": "parsecs", "startValue": 0, "endValue": 1,
            "samples": [[0, 7, 2], [-1], [0.5, 1]], "weights": [1, 2]},
        {"type": "sampled", "name": "b", "unit": "none", "startValue": 0, "endValue": 1,
            "samples": [[1]], "weights": [1, 2]},
        {"type": "folded", "name": "c"},
    ])));
    assert_eq!(
        folds(&profile, 0),
        "a-0/? 2\na-0/?;main;rest 1\nb-0/?;work 1\n"
    );
    assert_eq!(
        flaws,
        [
            ("profiles of an unknown unit", 1),
            ("profiles that are neither sampled nor evented", 1),
            ("samples without a weight", 1),
            ("frames that the list of frames does not have", 2),
            ("weights without a sample", 1),
        ]
    );
}

#[test]
fn what_is_no_such_file_is_refused() {
    let refused = |text: &str, limits: &Limits| {
        let error = speedscope::read(text.as_bytes(), limits).expect_err(text);
        error.to_string()
    };
    let whole = file(json!([])).to_string();
    for (text, why) in [
        ("[]", "not a JSON object, at byte 0"),
        ("", "not a JSON object"),
        ("{}", "it has no `profiles`"),
        (
            r#"{"profiles": [], "shared": {}}"#,
            "no `frames` in `shared`",
        ),
        (&whole[..whole.len() - 1], "its JSON is cut off"),
        (
            r#"{"profiles": 7}"#,
            "its JSON has another shape, at byte 14",
        ),
        ("{\n\"profiles\": [,]}", "its JSON is broken, at byte 16"),
        (r#"{"shared": {"frames": []}, "profiles": []} x"#, "broken"),
    ] {
        let error = refused(text, &Limits::default());
        assert!(error.contains(why), "{text}: {error}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(1 << 20));
    assert!(refused(&deep, &Limits::default()).contains("cut off"));
    // Small texts of much memory.
    for samples in ["[],", "[0],", "[0,0,0,0,0,0,0,0],"] {
        let samples = samples.repeat(1 << 16);
        let text = format!(
            r#"{{"shared":{{"frames":[]}},"profiles":[{{"samples":[{}]}}]}}"#,
            samples.trim_end_matches(',')
        );
        let limits = Limits::default().with_memory(text.len() as u64 + 4096);
        let error = speedscope::read(text.as_bytes(), &limits).expect_err("too much");
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
}

/// Rebuilds the stacks of a file, outermost first, with the weights: of each profile by its name.
fn rebuilt(file: &Value) -> BTreeMap<String, Vec<(Vec<String>, i64)>> {
    let frames = file["shared"]["frames"].as_array().expect("a list");
    let mut threads = BTreeMap::new();
    for profile in file["profiles"].as_array().expect("a list") {
        assert_eq!(profile["type"], "sampled");
        let samples = profile["samples"].as_array().expect("a list").iter();
        let weights = profile["weights"].as_array().expect("a list");
        assert_eq!(samples.len(), weights.len());
        let samples = samples.zip(weights).map(|(stack, weight)| {
            let stack = stack.as_array().expect("a list").iter();
            let stack = stack.map(|at| {
                let at = usize::try_from(at.as_u64().expect("an index")).expect("small");
                frames[at]["name"].as_str().expect("a name").to_owned()
            });
            (stack.collect(), weight.as_i64().expect("a number"))
        });
        let samples: Vec<_> = samples.collect();
        let sum: i64 = samples
            .iter()
            .fold(0, |sum: i64, (_, value)| sum.saturating_add(*value));
        assert_eq!(profile["endValue"], sum);
        let name = profile["name"].as_str().expect("a name").to_owned();
        threads.entry(name).or_insert_with(Vec::new).extend(samples);
    }
    threads
}

/// Returns the stacks of a thread in the model, by time.
fn expected(
    profile: &Profile,
    sample_type: usize,
    thread: Option<ThreadIdx>,
) -> Vec<(Vec<String>, i64)> {
    let mut all = Vec::new();
    for (sample, values, _) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).expect("small");
        let value = sample_type.checked_sub(first).and_then(|at| values.get(at));
        let Some(value) = value.filter(|value| **value > 0) else {
            continue;
        };
        if sample.thread != thread {
            continue;
        }
        let mut names = Vec::new();
        for location in profile.stacks.iter(sample.stack) {
            let location = profile.location(location).expect("there");
            let place = || place_name(profile, location);
            let frames = profile.frames_of(location);
            for frame in frames {
                let known = [frame.function, frame.linkage_name].into_iter().flatten();
                let mut known = known.filter_map(|at| profile.strings.get(at));
                let known = known.find(|name| !name.is_empty());
                names.push(known.map_or_else(place, str::to_owned));
            }
            if frames.is_empty() {
                names.push(place());
            }
        }
        if names.is_empty() {
            names.push("[unknown]".to_owned());
        }
        names.reverse();
        all.push((sample.time_ns, (names, *value)));
    }
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, stack)| stack).collect()
}

proptest! {
    #[test]
    fn stacks_rebuilt_from_a_file_are_the_profiles(profile in profile()) {
        for sample_type in 0..profile.sample_types.len() {
            let mut out = Vec::new();
            let flaws = speedscope::write(&profile, sample_type, &mut out).expect("it fits");
            let file: Value = serde_json::from_slice(&out).expect("JSON");
            let mut wanted: Vec<Vec<(Vec<String>, i64)>> = Vec::new();
            for thread in std::iter::once(None).chain((0..).take(profile.threads.len()).map(|at| {
                Some(ThreadIdx(at))
            })) {
                let samples = expected(&profile, sample_type, thread);
                if !samples.is_empty() {
                    wanted.push(samples);
                }
            }
            let mut got: Vec<_> = file["profiles"].as_array().expect("a list").iter()
                .map(|one| {
                    let one = json!({"shared": file["shared"], "profiles": [one]});
                    rebuilt(&one).into_values().next().expect("one")
                })
                .collect();
            got.sort();
            wanted.sort();
            prop_assert_eq!(&got, &wanted);
            let negative = profile.samples.iter().filter(|(sample, values, _)| {
                let at = sample_type.checked_sub(sample.first_type as usize);
                at.and_then(|at| values.get(at)).is_some_and(|value| *value < 0)
            }).count() as u64;
            prop_assert_eq!(flaws.left_out().map(|(_, count)| count).sum::<u64>(), negative);

            // And read again: the same stacks, in the same threads.
            let (again, flaws) = speedscope::read(&*out, &Limits::default()).expect("ours");
            prop_assert!(flaws.is_empty() || flaws.changed().count() > 0, "{flaws:?}");
            let count: usize = wanted.iter().map(Vec::len).sum();
            prop_assert_eq!(again.samples.len(), count);
            let mut second = Vec::new();
            speedscope::write(&again, 0, &mut second).expect("it fits");
            let second: Value = serde_json::from_slice(&second).expect("JSON");
            // A sum that exceeds 63 bits is cut.
            prop_assert_eq!(&second["shared"], &file["shared"]);
        }
    }
}
