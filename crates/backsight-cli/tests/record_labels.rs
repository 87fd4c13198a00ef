//! `record`: labels of processes: the cgroup, and what a process publishes of itself.

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;

use common::{Ran, backsight};
use flate2::read::GzDecoder;
use testkit::publisher::{self, Publisher};
use testkit::skip;

/// Records a process. `None` where nothing can be sampled.
fn record(process: &Publisher, args: &[&str], output: &Path) -> Option<Ran> {
    let pid = process.process.pid().to_string();
    let mut command = backsight();
    let command = command.args(["record", "-p", &pid, "-F", "997", "-d", "500ms"]);
    let command = command.args(args).arg("-o").arg(output);
    let ran = Ran::from(command.output().unwrap());
    let cannot = ["permission denied to sample", "no perf events"];
    if cannot.iter().any(|why| ran.stderr.contains(why)) {
        skip(&ran.stderr);
        return None;
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Some(ran)
}

fn publisher(case: &str) -> Option<Publisher> {
    match publisher::start("memfd", case) {
        Ok(Some(process)) => Some(process),
        Ok(None) => None,
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// Returns the paths in `/proc/PID/cgroup` that are not the root.
fn cgroups(process: &Publisher) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", process.process.pid()));
    let text = text.unwrap_or_default();
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths
        .filter(|path| *path != "/")
        .map(str::to_owned)
        .collect()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    match path.extension().is_some_and(|it| it == "gz") {
        true => {
            let mut unpacked = Vec::new();
            GzDecoder::new(&*bytes).read_to_end(&mut unpacked).unwrap();
            unpacked
        }
        false => bytes,
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn samples_have_what_their_process_publishes_and_its_cgroup() {
    let Some(process) = publisher("right") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let formats: &[&str] = match cfg!(feature = "otlp") {
        true => &["a.pb.gz", "a.ndjson", "a.otlp"],
        false => &["a.pb.gz", "a.ndjson"],
    };
    let cgroups = cgroups(&process);
    for format in formats {
        let path = dir.path().join(format);
        let Some(_) = record(&process, &[], &path) else {
            return;
        };
        let bytes = bytes_of(&path);
        let has = |text: &str| contains(&bytes, text);
        for text in ["service.name", "shop", "service.instance.id", "42-a"] {
            assert!(has(text), "{format}: {text}");
        }
        let is_somewhere = cgroups.iter().any(|path| has(path));
        assert_eq!(is_somewhere, !cgroups.is_empty(), "{format}: {cgroups:?}");

        let Some(_) = record(&process, &["--no-labels"], &path) else {
            return;
        };
        let bytes = bytes_of(&path);
        let has = |text: &str| contains(&bytes, text);
        assert!(!has("service.name"), "{format}");
        assert!(!cgroups.iter().any(|path| has(path)), "{format}");
    }
}

#[test]
fn a_hostile_process_is_recorded_and_what_it_publishes_is_counted() {
    for (case, reason) in [
        (
            "size",
            "1 contexts of processes (OTEL_CTX): a payload of more than 64 KiB",
        ),
        (
            "outside",
            "1 contexts of processes (OTEL_CTX): a payload outside of the memory of the process",
        ),
        (
            "malformed",
            "1 contexts of processes (OTEL_CTX): a payload that is malformed",
        ),
    ] {
        let Some(process) = publisher(case) else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ndjson");
        let Some(ran) = record(&process, &["--account", "always"], &path) else {
            return;
        };
        assert!(ran.stderr.contains(reason), "{case}: {ran:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("service.name"), "{case}");
    }
}
