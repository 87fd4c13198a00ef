//! Compares the output of `go tool pprof -raw` for a file with ours.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use backsight_profile::Profile;
use backsight_types::Lookup;
use testkit::skip;

/// Stacks with the sums of their values; each location is a file and the offset of an instruction.
pub(crate) type Sums = BTreeMap<Vec<String>, Vec<i64>>;

pub(crate) fn sums(profile: &Profile) -> Sums {
    let mut sums = Sums::new();
    for (sample, values, _) in profile.samples.iter() {
        let stack = profile.stacks.iter(sample.stack).map(|index| {
            let location = profile.location(index).unwrap();
            let back = u64::from(location.lookup == Lookup::Return);
            let module = location.module.and_then(|index| profile.module(index));
            match (module, location.file_offset, location.address) {
                (Some(module), Some(offset), _) => {
                    format!("{}+{:#x}", module.path_lossy(), offset.0 - back)
                }
                (_, _, address) => format!("{:#x}", address.unwrap().0 - back),
            }
        });
        add(&mut sums, stack.collect(), values);
    }
    // pprof drops samples whose values are all 0.
    sums.retain(|_, values| values.iter().any(|value| *value != 0));
    sums
}

fn add(sums: &mut Sums, stack: Vec<String>, values: &[i64]) {
    let sum = sums.entry(stack).or_insert_with(|| vec![0; values.len()]);
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Returns the output of `go tool pprof -raw` for a file, and the names of its sample types.
pub(crate) fn by_pprof(file: &Path) -> Option<(Vec<String>, Sums)> {
    let mut pprof = Command::new("go");
    pprof
        .args(["tool", "pprof", "-raw", "-symbolize=none"])
        .arg(file);
    let Ok(done) = pprof.output() else {
        skip("no go");
        return None;
    };
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let part = |from: &str, to: &str| {
        let behind = text.split_once(from).unwrap().1;
        behind
            .split_once(to)
            .map_or(behind, |(part, _)| part)
            .to_owned()
    };
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut mappings = BTreeMap::new();
    for line in part("\nMappings\n", "\0").lines() {
        let (id, rest) = line.split_once(": ").unwrap();
        let mut words = rest.split_ascii_whitespace();
        let range: Vec<u64> = words.next().unwrap().split('/').map(hex).collect();
        let name = words
            .next()
            .filter(|name| !name.starts_with("[F"))
            .unwrap_or("")
            .to_owned();
        mappings.insert(id.to_owned(), (range[0], range[2], name));
    }
    let mut places = BTreeMap::new();
    for line in part("\nLocations\n", "\nMappings").lines() {
        let (id, rest) = line.trim().split_once(": ").unwrap();
        let mut words = rest.split_ascii_whitespace();
        let addr = hex(words.next().unwrap());
        let mapping = words.next().and_then(|it| it.strip_prefix("M="));
        let place = match mapping.and_then(|id| mappings.get(id)) {
            Some((start, offset, name)) if name.starts_with('/') => {
                format!("{name}+{:#x}", addr - start + offset)
            }
            _ => format!("{addr:#x}"),
        };
        places.insert(id.to_owned(), place);
    }
    let samples = part("\nSamples:\n", "\nLocations\n");
    let mut lines = samples.lines();
    let kinds = lines.next().unwrap().split_ascii_whitespace();
    let kinds = kinds.map(|kind| kind.replace("[dflt]", "")).collect();
    let mut sums = Sums::new();
    for line in lines {
        // Labels are on separate lines.
        let Some((values, stack)) = line.split_once(':').filter(|it| !it.0.contains("bytes"))
        else {
            continue;
        };
        let values: Vec<i64> = values
            .split_ascii_whitespace()
            .map(|it| it.parse().unwrap())
            .collect();
        let stack = stack.split_ascii_whitespace().map(|id| places[id].clone());
        add(&mut sums, stack.collect(), &values);
    }
    Some((kinds, sums))
}

pub(crate) fn kinds(profile: &Profile) -> Vec<String> {
    let text = |index| profile.strings.get(index).unwrap();
    let kinds = profile.sample_types.iter();
    kinds
        .map(|kind| format!("{}/{}", text(kind.kind), text(kind.unit)))
        .collect()
}
