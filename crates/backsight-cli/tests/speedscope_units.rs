//! Files of speedscope with profiles of several units.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Ran, run};

fn written(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("ours");
    path
}

fn convert(input: &Path, to: &str) -> Ran {
    let input = input.to_str().expect("UTF-8");
    run(["convert", input, "-", "--to", to])
}

/// A file of speedscope may have profiles of several units: all are written again, and where there
/// is room for one, the others are said.
#[test]
fn profiles_of_several_units_are_kept_or_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = r#"{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":
        {"frames":[{"name":"main","line":3,"col":7},{"name":"aim","line":4},{"name":"aim","line":5}]},
        "profiles":[
        {"type":"sampled","name":"t","unit":"nanoseconds","startValue":0,"endValue":3,
        "samples":[[0,1],[0]],"weights":[2,1]},
        {"type":"sampled","name":"s","unit":"bytes","startValue":0,"endValue":9,
        "samples":[[0,2]],"weights":[9]}]}"#;
    let input = written(dir.path(), "a.speedscope.json", text);
    let said = "samples shown: 2 of time; left out: 1 of space";
    convert(&input, "folded").fails(0, &[said, "--sample-type"]);
    let again = convert(&input, "speedscope").ok();
    for kept in [
        r#""name":"main","line":3,"col":7"#,
        r#""name":"aim","line":4"#,
        r#""name":"aim","line":5"#,
        r#""weights":[9]"#,
        r#""weights":[2,1]"#,
    ] {
        assert!(again.contains(kept), "{kept} in {again}");
    }
    let again = written(dir.path(), "b", again);
    for kind in ["time", "space"] {
        let folded = |input: &Path| {
            let input = input.to_str().expect("UTF-8");
            run([
                "convert",
                input,
                "-",
                "--to",
                "folded",
                "--sample-type",
                kind,
            ])
            .ok()
        };
        assert_eq!(folded(&again), folded(&input));
    }
    let input = input.to_str().expect("UTF-8");
    let args = [
        "convert",
        input,
        "-",
        "--to",
        "speedscope",
        "--sample-type",
        "space",
    ];
    let one = run(args).ok();
    assert!(one.contains("[9]") && !one.contains("[2,1]"), "{one}");
}

/// A pprof profile has several values for each sample: each has profiles of its own, by which the
/// values can be told again, also those of one unit.
#[test]
fn each_value_of_pprof_has_profiles_of_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let kind = |kind: &str, unit: &str| format!(r#"{{"kind":"{kind}","unit":"{unit}"}}"#);
    let types = [
        kind("alloc_objects", "count"),
        kind("alloc_space", "bytes"),
        kind("inuse_objects", "count"),
        kind("inuse_space", "bytes"),
    ];
    let lines = [
        format!(
            r#"{{"type":"profile","sample_types":[{}]}}"#,
            types.join(",")
        ),
        r#"{"type":"address","index":0,"frames":[{"function":"main"}]}"#.to_owned(),
        r#"{"type":"address","index":1,"frames":[{"function":"work"}]}"#.to_owned(),
        r#"{"type":"sample","values":[4,400,1,100],"stack":[1,0]}"#.to_owned(),
        r#"{"type":"sample","values":[2,600,2,600],"stack":[0]}"#.to_owned(),
    ];
    let input = written(dir.path(), "in.ndjson", lines.join("\n"));
    let pprof = dir.path().join("in.pb.gz");
    let [from, to] = [&input, &pprof].map(|path| path.to_str().expect("UTF-8"));
    run(["convert", from, to]).ok();
    let ran = convert(&pprof, "speedscope");
    assert!(!ran.stderr.contains("left out"), "{ran:?}");
    let again = written(dir.path(), "again.speedscope.json", ran.ok());
    for kind in [
        "alloc_objects",
        "alloc_space",
        "inuse_objects",
        "inuse_space",
    ] {
        let folded = |input: &Path| {
            let input = input.to_str().expect("UTF-8");
            let args = [
                "convert",
                input,
                "-",
                "--to",
                "folded",
                "--root-frame",
                "none",
            ];
            run([&args[..], &["--sample-type", kind]].concat()).ok()
        };
        assert_eq!(folded(&again), folded(&pprof), "{kind}");
    }
    // One that was named is alone.
    let named = [
        "convert",
        to,
        "-",
        "--to",
        "speedscope",
        "--sample-type",
        "inuse_space",
    ];
    let one = run(named).ok();
    assert_eq!(one.matches("\"weights\"").count(), 1, "{one}");
}
