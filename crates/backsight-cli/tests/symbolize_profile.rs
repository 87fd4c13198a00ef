//! Profiles through `symbolize -i`: only their address lines change.

mod common;

use common::{json, of_type, run_with};
use serde_json::json;

/// The golden file of a profile, and an address in this test's command.
fn profile() -> String {
    let golden = include_str!("../../backsight-formats/tests/golden/profile.ndjson");
    golden.replace("/usr/bin/survey", env!("CARGO_BIN_EXE_backsight"))
}

#[test]
fn the_lines_of_a_profile_come_out_as_they_came_in() {
    let profile = profile();
    let ran = run_with(
        ["symbolize", "-i", "-", "--format", "json", "--quiet"],
        profile.as_bytes(),
    );
    let (before, after) = (json(&profile), json(&ran.ok()));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        match before["type"].as_str() {
            Some("header") => assert_eq!(after["schema_version"], 1),
            Some("address") => assert_eq!(after["index"], before["index"]),
            _ => assert_eq!(after, before),
        }
    }
    // Nothing proves that the module is this file; existing frames are kept.
    let reasons: Vec<_> = of_type(&after, "address")
        .iter()
        .map(|line| line["reason"].clone())
        .collect();
    assert_eq!(reasons, [json!("identity-unproven"), json!(null)]);
}

#[test]
fn other_formats_are_named_a_way() {
    let cases: [(&[u8], [&str; 2]); 2] = [
        (b"\x1f\x8b\x08", ["gzip, damaged", "gunzip"]),
        (b"PERFILE2", ["a recording of perf", "backsight convert"]),
    ];
    for (begin, [what, way_out]) in cases {
        let ran = run_with(["symbolize", "-i", "-"], begin);
        ran.fails(1, &["standard input", what, way_out]);
    }
}
