//! The keys of the Firefox Profiler's JSON, compared with those that the crate by its authors writes.

use std::collections::BTreeSet;

use backsight_formats::firefox;
use backsight_profile::{Location, Profile};
use fxprof_processed_profile as peer;
use serde_json::{Value, json};

fn written(profile: &Profile, sample_type: usize) -> Value {
    let mut out = Vec::new();
    firefox::write(profile, sample_type, &mut out).expect("a vector takes it");
    serde_json::from_slice(&out).expect("it is JSON")
}

/// Returns the keys of all objects in a value, with their paths; the elements of a list count as
/// one.
fn keys(value: &Value, path: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                all.insert(path.clone());
                keys(value, &path, all);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| keys(row, path, all)),
        _ => {}
    }
}

/// Returns the keys of version 66 for those of version 55, the newest that the crate writes: what the
/// changelog of the format says of the versions between, and the upgrades of the profiler do.
fn upgraded(keys: BTreeSet<String>) -> BTreeSet<String> {
    const SHARED: [&str; 5] = [
        "stackTable",
        "frameTable",
        "funcTable",
        "resourceTable",
        "nativeSymbols",
    ];
    let renamed = keys.into_iter().map(|key| {
        let of_thread = key.strip_prefix(".threads.");
        match of_thread {
            // 56: strings are those of all threads.
            Some("stringArray") => ".shared.stringArray".to_owned(),
            // 58: files are rows of a table.
            Some("funcTable.fileName") => ".shared.funcTable.source".to_owned(),
            // 66: the distance to the caller.
            Some("stackTable.prefix") => ".shared.stackTable.prefixOffset".to_owned(),
            // 60: so are the other tables.
            Some(rest) if SHARED.iter().any(|table| rest.starts_with(table)) => {
                format!(".shared.{rest}")
            }
            _ => key,
        }
    });
    let mut keys: BTreeSet<String> = renamed.collect();
    keys.insert(".shared".to_owned());
    for (table, columns) in [
        // 58, 61 and 64.
        (
            "sources",
            &[
                "length",
                "id",
                "filename",
                "startLine",
                "startColumn",
                "sourceMapURL",
                "content",
            ][..],
        ),
        // 64: where source maps lead to.
        (
            "sourceLocationTable",
            &["length", "source", "line", "column"],
        ),
        ("funcTable", &["originalLocation"]),
        ("frameTable", &["originalLocation"]),
    ] {
        keys.insert(format!(".shared.{table}"));
        keys.extend(
            columns
                .iter()
                .map(|column| format!(".shared.{table}.{column}")),
        );
    }
    keys
}

/// The page rejects files without a required key. The crate by its authors writes all of them.
#[test]
fn the_keys_are_those_of_the_profilers_own_writer() {
    let mut theirs = peer::Profile::new(
        "x",
        peer::ReferenceTimestamp::from_millis_since_unix_epoch(0.0),
        peer::SamplingInterval::from_millis(1),
    );
    let zero = peer::Timestamp::from_nanos_since_reference(0);
    let process = theirs.add_process("p", 1, zero);
    let thread = theirs.add_thread(process, 1, zero, true);
    let lib = theirs.add_lib(peer::LibraryInfo {
        name: "a".into(),
        debug_name: "a".into(),
        path: "/a".into(),
        debug_path: "/a".into(),
        debug_id: peer::debugid::DebugId::nil(),
        code_id: None,
        arch: None,
        symbol_table: None,
    });
    let frame = peer::FrameInfo {
        frame: peer::Frame::RelativeAddressFromInstructionPointer(lib, 1),
        category_pair: peer::CategoryHandle::OTHER.into(),
        flags: peer::FrameFlags::empty(),
    };
    let stack = theirs.intern_stack_frames(thread, std::iter::once(frame));
    theirs.add_sample(thread, zero, stack, peer::CpuDelta::ZERO, 1);
    theirs.set_os_name("Linux 6.1 x86_64");
    let theirs = serde_json::to_value(&theirs).expect("JSON");

    let mut profile = Profile::default();
    profile.modules.push(Default::default());
    let location = profile.add_location(Location {
        module: Some(backsight_types::ModuleIdx(0)),
        ..Location::default()
    });
    let [kind, unit] = ["cpu-clock", "nanoseconds"].map(|text| profile.strings.intern(text));
    profile
        .sample_types
        .push(backsight_profile::ValueType { kind, unit });
    for text in [
        "kernel: 6.1",
        "machine: x86_64",
        "host: there",
        "command: a -b",
    ] {
        let text = profile.strings.intern(text);
        profile.comments.push(text);
    }
    let stack = profile.stacks.intern(location);
    let sample = backsight_profile::Sample {
        stack,
        ..Default::default()
    };
    for time_ns in [1_000_000, 3_000_000, 5_000_000, 99_000_000] {
        let time_ns = Some(time_ns);
        let sample = backsight_profile::Sample { time_ns, ..sample };
        profile.samples.push(sample, &[1_999_000], &[]);
    }
    let ours = written(&profile, 0);

    let [mut mine, mut wanted] = [BTreeSet::new(), BTreeSet::new()];
    keys(&ours, "", &mut mine);
    keys(&theirs, "", &mut wanted);
    // What the crate does not know: who made it, and of what.
    mine.retain(|key| !key.starts_with(".meta.extra") && key != ".meta.importedFrom");
    assert_eq!(mine, upgraded(wanted));
    assert_eq!(ours["meta"]["preprocessedProfileVersion"], 66);
    assert_eq!(ours["meta"]["oscpu"], theirs["meta"]["oscpu"]);
    assert_eq!(ours["meta"]["product"], "a -b");
    assert_eq!(ours["meta"]["extra"][0]["entries"][2]["value"], "there");
    assert_eq!(ours["meta"]["interval"], 1.999);
    let cpu = &ours["threads"][0]["samples"]["threadCPUDelta"];
    assert_eq!(*cpu, json!([1999, 1999, 1999, 1999]));
    assert_eq!(
        ours["libs"][0]["breakpadId"],
        theirs["libs"][0]["breakpadId"]
    );
    // Without processor times, the interval is the usual time between two samples.
    profile.sample_types[0].kind = profile.strings.intern("cycles");
    let cycles = written(&profile, 0);
    assert_eq!(cycles["meta"]["interval"], 2.0);
    assert!(
        cycles["threads"][0]["samples"]
            .get("threadCPUDelta")
            .is_none()
    );
    // A Breakpad ID that the same crate made from a build ID.
    let id = "0102030405060708090a0b0c0d0e0f1011121314";
    profile.modules[0].build_id = Some(id.parse().expect("digits"));
    let guid: Vec<u8> = (1..=16).collect();
    let guid = peer::debugid::DebugId::from_guid_age(&guid, 0);
    let wanted = guid.expect("16 bytes").breakpad().to_string();
    assert_eq!(written(&profile, 0)["libs"][0]["breakpadId"], wanted);
}
