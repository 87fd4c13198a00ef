//! Whether our answers are those of others. Not a race: nothing is timed.

use std::collections::BTreeMap;

use benches::race::{Clock, Outcome, Race, Role};
use testkit::differential::{Asked, Comparison, Oracle, Subject as Symbols, compare};

use super::ours;
use super::workload::{self, K, Subject};

/// Addresses that llvm-symbolizer is asked about, which takes its time.
const FEW: usize = 10_000;

/// Differences that are shown, of those that have no reason yet.
const SHOWN: usize = 3;

/// Frame counts, linkage names, files and lines at each address; columns too.
pub(super) fn s6(_rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S6", |subject| {
        let addrs = subject.addresses().random;
        let ours = ours::levels(subject, &addrs);
        let (path, debug) = (subject.executable.as_path(), subject.debug());
        let symbols = Symbols::of(&[path, debug]);
        let mut outcomes = Vec::new();
        for (oracle, name, count) in [
            (Oracle::Addr2lineCrate, "addr2line", K),
            (Oracle::LlvmSymbolizer, "llvm-symbolizer", FEW),
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
    for unknown in comparison.unknown.iter().take(SHOWN) {
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
