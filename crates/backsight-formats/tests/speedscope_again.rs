//! speedscope's JSON that is read and written again.

use backsight_formats::speedscope::{self, Limits};
use backsight_profile::Profile;
use serde_json::{Value, json};

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

fn read(text: &Value) -> (Profile, Vec<(&'static str, u64)>) {
    let text = text.to_string();
    assert!(speedscope::is_one(text.as_bytes()));
    let (profile, flaws) = speedscope::read(text.as_bytes(), &Limits::default()).expect("valid");
    let all = flaws.iter().chain(flaws.left_out()).chain(flaws.changed());
    (profile, all.collect())
}

#[test]
fn what_was_read_is_written_again() {
    let sampled = |unit: &str, name: &str, stack: &[u32], weight: u32| {
        json!({"type": "sampled", "name": name, "unit": unit, "startValue": 0, "endValue": weight,
            "samples": [stack], "weights": [weight]})
    };
    let all = [
        sampled("bytes", "space", &[0, 1], 7),
        sampled("nanoseconds", "time", &[0], 5),
        sampled("none", "count", &[2, 3], 3),
    ];
    let mut file = file(json!(all));
    // One function on another line is another function there.
    let more = json!({"name": "main", "file": "/a.c", "line": 9, "col": 1});
    file["shared"]["frames"]
        .as_array_mut()
        .expect("a list")
        .push(more);
    file["activeProfileIndex"] = json!(1);
    let (profile, _) = read(&file);
    let options = speedscope::WriteOptions::default().with_all_values(true);
    let options = options.with_lines_of_frames(true);
    let shown = profile.default_type.expect("the active one");
    let mut out = Vec::new();
    let flaws = speedscope::write_with(&profile, shown as usize, &options, &mut out);
    flaws.expect("it fits");
    let again: Value = serde_json::from_slice(&out).expect("JSON");
    let frames = |file: &Value| {
        let frames = file["shared"]["frames"].as_array().expect("a list").iter();
        let frames = frames.map(|of| {
            let key = |key: &str| of[key].to_string();
            (key("name"), key("file"), key("line"), key("col"))
        });
        frames.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(frames(&again), frames(&file));
    let values = |file: &Value| {
        let of = file["profiles"].as_array().expect("a list").iter();
        let of = of.map(|of| (of["unit"].to_string(), of["weights"].to_string()));
        of.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(values(&again), values(&file));
    let active = again["activeProfileIndex"].as_u64().expect("an index");
    assert_eq!(again["profiles"][active as usize]["unit"], "nanoseconds");
    // One value alone, and the lines of functions alone.
    out.clear();
    speedscope::write(&profile, 0, &mut out).expect("it fits");
    let one: Value = serde_json::from_slice(&out).expect("JSON");
    assert!(one["shared"]["frames"][0]["line"].is_null() && one["profiles"][1].is_null());
}

#[test]
fn names_order_and_the_active_profile_are_kept() {
    let sampled = |name: &str, unit: &str, weight: u32| {
        json!({"type": "sampled", "name": name, "unit": unit, "startValue": 0,
            "endValue": weight, "samples": [[0]], "weights": [weight]})
    };
    let options = speedscope::WriteOptions::default()
        .with_all_values(true)
        .with_lines_of_frames(true)
        .with_names_of_file(true);
    for (group, exporter) in [(None, "other 1.0"), (Some("all.json"), "other 1.0")] {
        let mut file = file(json!([
            sampled("cpu", "nanoseconds", 9),
            sampled("heap", "bytes", 5),
            sampled("a-7/7 [x]", "none", 3),
            sampled("wall", "nanoseconds", 2),
            sampled("heap-0/?", "bytes", 1),
        ]));
        file["exporter"] = json!(exporter);
        file["name"] = json!(group);
        // Neither the first of its unit nor the largest.
        for active in [3, 4, 0] {
            file["activeProfileIndex"] = json!(active);
            // What was written once is read as the file itself.
            let mut written = file.clone();
            for _ in 0..2 {
                let (profile, _) = read(&written);
                let shown = profile.default_type.unwrap_or_default();
                let mut out = Vec::new();
                let flaws = speedscope::write_with(&profile, shown as usize, &options, &mut out);
                assert!(flaws.expect("it fits").is_empty());
                written = serde_json::from_slice(&out).expect("JSON");
                assert_eq!(written["activeProfileIndex"], active);
                assert_eq!(written["name"], file["name"]);
                let profiles = |file: &Value| {
                    let of = file["profiles"].as_array().expect("a list").iter();
                    let of = of
                        .map(|of| [&of["name"], &of["unit"], &of["weights"]].map(Value::to_string));
                    of.collect::<Vec<_>>()
                };
                assert_eq!(profiles(&written), profiles(&file));
            }
        }
    }
}
