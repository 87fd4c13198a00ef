//! The Firefox Profiler's JSON, read by a reader that shares no code with the writer: all indices
//! are valid, and the stacks in the tables are those of the profile.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use backsight_formats::{firefox, place_name};
use backsight_profile::{Location, Profile};
use backsight_types::{AddrKind, Lookup, ModuleKind};
use common::profile;
use proptest::prelude::*;
use serde_json::{Value, json};

fn written(profile: &Profile, sample_type: usize) -> Value {
    let mut out = Vec::new();
    firefox::write(profile, sample_type, &mut out).expect("a vector takes it");
    serde_json::from_slice(&out).expect("it is JSON")
}

/// A call level: name, file, line, column, first line, depth of inlining, address,
/// library, category.
type Level = (String, Value, Value, Value, Value, u64, i64, Value, String);

/// Levels innermost first, and the weight.
type Stack = (Vec<Level>, f64);

/// The process ID and thread ID of a thread, and its samples with their times.
type Thread = (String, String, Vec<(f64, Stack)>);

/// Returns the threads in the order of the file.
fn rebuilt(file: &Value) -> Vec<Thread> {
    let libs = file["libs"].as_array().expect("libs");
    let categories = file["meta"]["categories"].as_array().expect("categories");
    let threads = file["threads"].as_array().expect("threads");
    let shared = &file["shared"];
    let of = |table: &str| match table {
        "samples" => threads.iter().map(|thread| &thread[table]).collect(),
        table => vec![&shared[table]],
    };
    for table in [
        "frameTable",
        "funcTable",
        "stackTable",
        "resourceTable",
        "nativeSymbols",
        "sources",
        "sourceLocationTable",
        "samples",
    ] {
        for table in of(table) {
            let table = table.as_object().expect("a table");
            let length = table["length"].as_u64().expect("a length");
            for column in table.values().filter_map(Value::as_array) {
                assert_eq!(column.len() as u64, length);
            }
        }
    }
    let thread = |thread: &Value| {
        let row = |table: &str, column: &str, at: usize| -> &Value {
            let table_of = if table == "samples" { thread } else { shared };
            table_of[table][column]
                .get(at)
                .unwrap_or_else(|| panic!("{table} has no row {at}"))
        };
        let index =
            |value: &Value| usize::try_from(value.as_u64().expect("an index")).expect("small");
        let text = |value: &Value| {
            let text = &shared["stringArray"][index(value)];
            text.as_str().expect("a string").to_owned()
        };
        let optional = |value: &Value| match value.is_null() {
            true => Value::Null,
            false => Value::from(text(value)),
        };
        let level = |frame: usize| -> Level {
            let func = index(row("frameTable", "func", frame));
            let resource = row("funcTable", "resource", func)
                .as_i64()
                .expect("a number");
            let lib = match usize::try_from(resource) {
                Err(_) => Value::Null,
                Ok(at) => {
                    let lib = &libs[index(row("resourceTable", "lib", at))];
                    assert_eq!(lib["name"], text(row("resourceTable", "name", at)));
                    assert_eq!(*row("resourceTable", "type", at), 1);
                    lib["codeId"].clone()
                }
            };
            let native = row("frameTable", "nativeSymbol", frame);
            if !native.is_null() {
                let native = index(native);
                assert!(index(row("nativeSymbols", "libIndex", native)) < libs.len());
                text(row("nativeSymbols", "name", native));
            }
            let category = index(row("frameTable", "category", frame));
            assert_eq!(*row("frameTable", "subcategory", frame), 0);
            (
                text(row("funcTable", "name", func)),
                match row("funcTable", "source", func) {
                    Value::Null => Value::Null,
                    source => optional(row("sources", "filename", index(source))),
                },
                row("frameTable", "line", frame).clone(),
                row("frameTable", "column", frame).clone(),
                row("funcTable", "lineNumber", func).clone(),
                row("frameTable", "inlineDepth", frame)
                    .as_u64()
                    .expect("a depth"),
                row("frameTable", "address", frame)
                    .as_i64()
                    .expect("an address"),
                lib,
                categories[category]["name"]
                    .as_str()
                    .expect("a name")
                    .to_owned(),
            )
        };
        let mut time = 0.0;
        let samples = 0..index(&thread["samples"]["length"]);
        let samples = samples.map(|at| {
            let mut levels = Vec::new();
            let first = row("samples", "stack", at);
            let mut stack = if first.is_null() { 0 } else { index(first) };
            while !first.is_null() {
                let here = stack;
                levels.push(level(index(row("stackTable", "frame", here))));
                // A stack refers to an earlier one, so that this loop ends.
                match index(row("stackTable", "prefixOffset", here)) {
                    0 => break,
                    back => stack = here.checked_sub(back).expect("an earlier row"),
                }
            }
            let delta = row("samples", "timeDeltas", at).as_f64().expect("a time");
            assert!(delta >= 0.0 || at == 0);
            time += delta;
            let weight = row("samples", "weight", at).as_f64().expect("a weight");
            (time, (levels, weight))
        });
        let samples = samples.collect();
        let id = |key: &str| thread[key].as_str().expect("an ID").to_owned();
        (id("pid"), id("tid"), samples)
    };
    let all: Vec<_> = threads.iter().map(thread).collect();
    let tids: BTreeSet<&String> = all.iter().map(|(_, tid, _)| tid).collect();
    assert_eq!(tids.len(), all.len(), "each thread has an ID of its own");
    all
}

/// Returns the same from the model.
fn expected(profile: &Profile, sample_type: usize) -> Vec<Vec<(Option<u64>, Stack)>> {
    let unit = profile.strings.get(profile.sample_types[sample_type].unit);
    let mut threads: BTreeMap<_, Vec<(Option<u64>, Stack)>> = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).expect("small");
        let value = sample_type.checked_sub(first).and_then(|at| values.get(at));
        let Some(value) = value.filter(|value| **value != 0) else {
            continue;
        };
        let stack = profile.stacks.iter(sample.stack);
        let levels = stack.flat_map(|at| levels(profile, profile.location(at).expect("there")));
        let weight = *value as f64
            / if unit == Some("nanoseconds") {
                1e6
            } else {
                1.0
            };
        let thread = threads.entry(sample.thread).or_default();
        thread.push((sample.time_ns, (levels.collect(), weight)));
    }
    for samples in threads.values_mut() {
        samples.sort_by_key(|(time, _)| *time);
    }
    threads.into_values().collect()
}

fn levels(profile: &Profile, location: &Location) -> Vec<Level> {
    let text = |at| profile.strings.get(at).expect("there").to_owned();
    let module = location.module.map(|at| profile.module(at).expect("there"));
    let base = module.and_then(|module| {
        let all = module.segments.as_ref()?.as_slice().iter();
        all.map(|segment| segment.virt_offset.0).min()
    });
    let address = module.and_then(|module| {
        let file = location.file_offset;
        let virt = location
            .virt_offset
            .or_else(|| module.virt_offset_of(file?));
        let at = match virt {
            Some(virt) => virt.0.checked_sub(base.unwrap_or_default()),
            None => file.map(|file| file.0),
        };
        let back = u64::from(location.lookup == Lookup::Return);
        i64::try_from(at?.checked_sub(back)?).ok()
    });
    let lib = module
        .and_then(|module| module.build_id)
        .map(|id| id.to_string());
    let kernel = location.kind == Some(AddrKind::Kernel)
        || module.is_some_and(|module| module.kind == ModuleKind::Kernel);
    let user = location.kind.is_some() || module.is_some() || location.frames.len > 0;
    let category = match (kernel, user) {
        (true, _) => "Kernel",
        (_, true) => "User",
        _ => "Other",
    };
    let frames = profile.frames_of(location);
    let depths = (0..frames.len().max(1)).rev();
    let unnamed = Default::default();
    let all = depths.enumerate().map(|(nth, depth)| {
        let frame = frames.get(nth).unwrap_or(&unnamed);
        let known = [frame.function, frame.linkage_name];
        let name = known
            .into_iter()
            .flatten()
            .map(text)
            .find(|name| !name.is_empty());
        (
            name.unwrap_or_else(|| place_name(profile, location)),
            json!(frame.file.map(text)),
            json!(frame.line),
            json!(frame.column),
            json!(frame.start_line),
            depth as u64,
            address.unwrap_or(-1),
            json!(lib),
            category.to_owned(),
        )
    });
    all.collect()
}

proptest! {
    #[test]
    fn stacks_rebuilt_from_the_tables_are_the_profiles(profile in profile()) {
        for sample_type in 0..profile.sample_types.len() {
            let file = written(&profile, sample_type);
            let threads = rebuilt(&file);
            let expected = expected(&profile, sample_type);
            prop_assert_eq!(threads.len(), expected.len());
            let times = profile.samples.iter().filter_map(|(sample, ..)| sample.time_ns);
            let start = times.min().unwrap_or_default();
            for ((_, _, samples), wanted) in threads.iter().zip(&expected) {
                let stacks: Vec<_> = samples.iter().map(|(_, stack)| stack).collect();
                let wanted_stacks: Vec<_> = wanted.iter().map(|(_, stack)| stack).collect();
                prop_assert_eq!(stacks, wanted_stacks);
                for ((time, _), (time_ns, _)) in samples.iter().zip(wanted) {
                    if let Some(time_ns) = time_ns {
                        let wanted = (time_ns - start) as f64 / 1e6;
                        // The times are sums of rounded differences.
                        prop_assert!((time - wanted).abs() <= wanted.abs() * 1e-12);
                    }
                }
            }
        }
    }
}
