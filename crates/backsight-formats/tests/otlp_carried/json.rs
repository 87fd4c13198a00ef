//! OTLP in JSON, valid and damaged.

use crate::profiles;
use crate::said::said;
use crate::{message, new_sample, old_sample, prefixed, read};
use backsight_formats::otlp;
use backsight_formats::otlp::{Error, Limits, Options, is_json};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use std::path::Path;
use std::process::Command;

/// Runs some lines of Python with `data`, a message.
pub(crate) fn python(bytes: &[u8], lines: &str) -> Option<String> {
    let python = std::env::var_os("BACKSIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    let import = "import sys\nfrom opentelemetry.proto.profiles.v1development.profiles_pb2 import \
                  ProfilesData\nfrom google.protobuf import json_format";
    let has = Command::new(&python).args(["-c", import]).output();
    if !has.is_ok_and(|done| done.status.success()) {
        testkit::skip("no Python with opentelemetry-proto; BACKSIGHT_PYTHON can name one");
        return None;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, bytes).unwrap();
    let script = format!(
        "{import}\ndata = ProfilesData.FromString(open(sys.argv[1], 'rb').read())\n{lines}"
    );
    let path: &Path = file.path();
    let done = Command::new(python)
        .arg("-c")
        .arg(script)
        .arg(path)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Some(String::from_utf8(done.stdout).unwrap())
}

#[test]
fn the_json_that_python_writes_says_the_same() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut files = vec![message(&[new_sample()])];
    for _ in 0..3 {
        let profile = profiles::profiles()
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mut bytes = Vec::new();
        otlp::write(
            &profile,
            &mut bytes,
            &Options::default().with_gzip(false).with_times(true),
        )
        .unwrap();
        files.push(bytes);
    }
    let mut all = String::new();
    for bytes in &files {
        for options in ["", "preserving_proto_field_name=True, indent=None"] {
            let lines = format!("print(json_format.MessageToJson(data, {options}))");
            let Some(json) = python(bytes, &lines) else {
                return;
            };
            assert!(is_json(json.as_bytes()));
            let (got, flaws) = read(json.as_bytes());
            let (want, want_flaws) = read(bytes);
            assert_eq!(flaws, want_flaws);
            assert_eq!(said(&got, true), said(&want, true));
            all.push_str(&json);
        }
    }
    // Several objects after each other, as the Collector's file exporter writes them.
    let (got, _) = read(all.as_bytes());
    let count = |bytes: &Vec<u8>| read(bytes).0.samples.len() * 2;
    assert_eq!(got.samples.len(), files.iter().map(count).sum::<usize>());
}

#[test]
fn damaged_json_is_refused_with_its_place() {
    let text = r#"{"dictionary":{"stringTable":["","samples"]},"resourceProfiles":[]}"#;
    assert!(read(text.as_bytes()).0.samples.is_empty());
    for cut in 1..text.len() {
        let error = otlp::read(&text.as_bytes()[..cut], &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{cut}: {error}");
    }
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let error = otlp::read(deep.as_bytes(), &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    let small = Limits::default().with_memory(100);
    let error = otlp::read(text.as_bytes(), &small).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "[{}\\[\\]\",:a-z0-9_]*", at in 0..400_usize, bit in 0..8_u8) {
        let limits = Limits::default().with_memory(1 << 20);
        let _ = otlp::read(&bytes[..], &limits);
        let _ = otlp::read(text.as_bytes(), &limits);
        let mut damaged = prefixed(&[message(&[new_sample()]), message(&[old_sample()])]);
        let at = at % damaged.len();
        damaged[at] ^= 1 << bit;
        let _ = otlp::read(&damaged[..], &limits);
    }
}
