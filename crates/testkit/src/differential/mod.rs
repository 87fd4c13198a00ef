//! Compares our symbolizer with others on the same addresses: frames, linkage names, files,
//! lines and columns must be equal, or differ in a way listed in `known.rs` with its cause.

mod difference;
mod known;
mod level;
mod oracles;
mod sample;
mod subject;

use std::collections::BTreeMap;

pub use level::Level;
pub use oracles::{Asked, Oracle, listing};
pub use sample::sample;
pub use subject::Subject;

use difference::{Difference, What};
use known::{KNOWN_DIFFERENCES, is_scoped};

/// Whether another oracle agrees with us where one differs.
fn same_for(what: &What, ours: &[Level], other: &[Level]) -> bool {
    if ours.len() != other.len() {
        return false;
    }
    let mut levels = ours.iter().zip(other);
    match what {
        What::Depth(..) => true,
        What::Name { level, .. } => match (&ours[*level].name, &other[*level].name) {
            (Some(ours), Some(other)) => ours == other || is_scoped(ours, other),
            (ours, other) => ours == other,
        },
        What::File { .. } => levels.all(|(our, other)| match (&our.file, &other.file) {
            (Some(our), Some(other)) => our == other || other.ends_with(&format!("/{our}")),
            (our, other) => our == other,
        }),
        What::Line => levels.all(|(our, other)| our.line == other.line),
        What::Column { .. } => levels.all(|(our, other)| our.column == other.column),
    }
}

/// The differences between the oracles' answers and ours.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The number of addresses for each known difference, for `equal` and for `UNKNOWN`.
    pub counts: BTreeMap<&'static str, usize>,
    /// A description of each unknown difference.
    pub unknown: Vec<String>,
}

/// Compares our answers with those of each oracle.
///
/// # Panics
/// When the lists of answers are not as long as that of addresses.
#[must_use]
pub fn compare(
    subject: &Subject,
    addrs: &[u64],
    ours: &[Vec<Level>],
    oracles: &[(Oracle, Vec<Vec<Level>>)],
) -> Vec<(Oracle, Comparison)> {
    assert_eq!(ours.len(), addrs.len(), "we answer every address");
    let compare_one = |(oracle, theirs): &(Oracle, Vec<Vec<Level>>)| {
        let count = theirs.len();
        assert_eq!(count, addrs.len(), "{oracle:?} answers every address");
        let others: Vec<_> = oracles
            .iter()
            .filter(|(other, _)| other != oracle)
            .collect();
        let mut comparison = Comparison::default();
        for (at, addr) in addrs.iter().enumerate() {
            let mut names: Vec<&str> = Vec::new();
            for what in differences(&ours[at], &theirs[at], *oracle) {
                let agrees = |(_, others): &&(Oracle, Vec<Vec<Level>>)| {
                    same_for(&what, &ours[at], &others[at])
                };
                let alone = !others.is_empty() && others.iter().all(agrees);
                let difference = Difference {
                    addr: *addr,
                    oracle: *oracle,
                    what,
                    alone,
                };
                let known =
                    (KNOWN_DIFFERENCES.iter()).find(|known| (known.holds)(subject, &difference));
                names.push(known.map_or("UNKNOWN", |known| known.name));
                if known.is_none() {
                    let (ours, theirs) = (&ours[at], &theirs[at]);
                    comparison.unknown.push(format!(
                        "{difference:x?}\n    ours {ours:?}\n    theirs {theirs:?}"
                    ));
                }
            }
            names.sort_unstable();
            names.dedup();
            if names.is_empty() {
                names.push("equal");
            }
            for name in names {
                *comparison.counts.entry(name).or_default() += 1;
            }
        }
        (*oracle, comparison)
    };
    oracles.iter().map(compare_one).collect()
}

fn differences(ours: &[Level], theirs: &[Level], oracle: Oracle) -> Vec<What> {
    if ours.len() != theirs.len() {
        return vec![What::Depth(ours.to_vec(), theirs.to_vec())];
    }
    let mut found = Vec::new();
    for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let physical = at + 1 == ours.len();
        if our.name != their.name {
            let name = |level: &Level| level.name.clone().unwrap_or_default();
            found.push(What::Name {
                ours: name(our),
                theirs: name(their),
                level: at,
                physical,
            });
        }
        if our.file != their.file {
            let file = |level: &Level| level.file.clone().unwrap_or_default();
            found.push(What::File {
                ours: file(our),
                theirs: file(their),
                line: their.line,
            });
        }
        if our.line != their.line {
            found.push(What::Line);
        }
        if our.column != their.column && oracle.has_columns() {
            found.push(What::Column {
                ours: our.clone(),
                theirs: their.clone(),
            });
        }
    }
    found
}
