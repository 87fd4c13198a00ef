//! Compares our answers with those of other tools. Nothing is timed.

use std::collections::BTreeMap;

use benches::race::{Clock, Outcome, Race, Role};
use testkit::differential::{Asked, Comparison, Oracle, Subject as Symbols, compare};

use super::ours;
use super::workload::{self, K, Subject};

/// The number of addresses for llvm-symbolizer, which is slow.
const LLVM_ADDRESSES: usize = 10_000;

/// The number of unexplained differences that are shown.
const MAX_SHOWN: usize = 3;

/// Compares the number of frames, linkage names, files, lines and columns at each address.
pub(super) fn s6(_rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S6", |subject| {
        let addrs = subject.addresses().random;
        let ours = ours::levels(subject, &addrs);
        let (path, debug) = (subject.executable.as_path(), subject.debug());
        let symbols = Symbols::of(&[path, debug]);
        let mut outcomes = Vec::new();
        for (oracle, name, count) in [
            (Oracle::Addr2lineCrate, "addr2line", K),
            (Oracle::LlvmSymbolizer, "llvm-symbolizer", LLVM_ADDRESSES),
        ] {
            let part = format!("{} against {name}", subject.name);
            let theirs = match oracle.ask(&Asked::new(path, debug), &addrs[..count]) {
                Ok(theirs) => theirs,
                Err(why) => {
                    outcomes.push(Outcome::unmeasured("S6", part, why));
                    continue;
                }
            };
            let compared = compare(
                &symbols,
                &addrs[..count],
                &ours[..count],
                &[(oracle, theirs)],
            );
            for (_, comparison) in compared {
                outcomes.push(counts(subject, part.clone(), count, comparison));
            }
        }
        Ok(outcomes)
    })
}

/// Returns a lane for each kind of difference.
fn counts(subject: &Subject, part: String, count: usize, comparison: Comparison) -> Outcome {
    const UNKNOWN: &str = "UNKNOWN";
    for unknown in comparison.unknown.iter().take(MAX_SHOWN) {
        println!("{part}: {unknown}\n");
    }
    let mut kinds: BTreeMap<&str, usize> = comparison.counts;
    kinds.entry(UNKNOWN).or_default();
    let unit = "addresses";
    let mut race = Race::new("S6", part, subject.sizes(count)).clock(Clock::Gauge { unit });
    for (kind, count) in kinds {
        race = race.gauge(Role::Ours, kind, move || count as u64);
    }
    race.a_call(0.0, UNKNOWN).run(1)
}
