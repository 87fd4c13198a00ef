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
