//! Peak memory: each contestant runs in a process of its own, which is this program again, or
//! one that only looks up in an index.

use std::process::Command;

use benches::race::{Clock, Outcome, Race, Role};

use super::addr2line;
use super::blazesym::Blazesym;
use super::ours::{self, Ours};
use super::symcache::SymCache;
use super::workload::{self, K, Subject};

/// Tells a child of this program which contestant and workload to run.
const VARIABLE: &str = "BACKSIGHT_RATIOS_PEAK";

/// A large number of modules, as in a server, and the memory for their tables.
const MODULES: usize = 200;
const BUDGET_BYTES: u64 = 256 << 20;

/// Enough addresses of each module for an index to pay off.
const PER_MODULE: usize = 10_000;

type Contestant = (&'static str, Role, fn(&Subject, &[u64]));

const CONTESTANTS: [Contestant; 5] = [
    ("ours", Role::Ours, |subject, addrs| {
        Ours::cold(subject, addrs);
    }),
    ("addr2line", Role::Peer, |subject, addrs| {
        addr2line::cold(subject.debug(), addrs);
    }),
    ("blazesym", Role::Peer, |subject, addrs| {
        Blazesym::cold(subject.debug(), addrs);
    }),
    ("only the addresses", Role::Floor, |_, _| {}),
    (MANY, Role::Ours, |subject, addrs| {
        ours::many(subject, MODULES, BUDGET_BYTES, &addrs[..PER_MODULE]);
    }),
];

const MANY: &str = "200 modules";

/// A cold batch.
pub(super) fn s5(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S5", |subject| {
        let mut race = Race::new("S5", subject.name.clone(), subject.sizes(K));
        race = race.clock(Clock::Gauge { unit: "KiB" });
        for (name, role, _) in &CONTESTANTS[..4] {
            // This also checks that there is an answer.
            peak(name, &subject.name)?;
            race = race.gauge(*role, name, || {
                peak(name, &subject.name).expect("it could a moment ago")
            });
        }
        let cold = race.at_most(1.0, "ours", "addr2line").run(rounds.min(3));
        let indexed = indexed(rounds, subject).unwrap_or_else(|why| {
            Outcome::unmeasured("S5", format!("{}, index", subject.name), why)
        });
        let mut outcomes = vec![cold, indexed];
        if subject.name == "rg" {
            outcomes.push(many(rounds, subject));
        }
        Ok(outcomes)
    })
}

/// As many lookups in an index.
fn indexed(rounds: u32, subject: &Subject) -> Result<Outcome, String> {
    let addrs = subject.addresses().random;
    let directory = tempfile::tempdir().map_err(|why| why.to_string())?;
    let file = directory.path().join("index");
    let written = ours::index(subject).write(&file);
    written.map_err(|why| why.to_string())?;
    let bytes: Vec<u8> = addrs.iter().flat_map(|addr| addr.to_le_bytes()).collect();
    let list = directory.path().join("addresses");
    std::fs::write(&list, bytes).map_err(|why| why.to_string())?;
    let own = || {
        let mut lookups = Command::new(env!("CARGO_BIN_EXE_index-lookups"));
        said_kib(lookups.arg(&file).arg(&list))
    };
    own()?;
    let part = format!("{}, index", subject.name);
    // Ours is measured even without the peer.
    let cache = SymCache::build(subject.debug());
    let race = Race::new("S5", part, subject.sizes(K)).clock(Clock::Gauge { unit: "KiB" });
    let mut race = race.gauge(Role::Ours, "ours", || own().expect("it could a moment ago"));
    if let Ok(cache) = &cache {
        race = race
            .gauge(Role::Peer, "SymCache", || {
                cache.all(&addrs).expect("it could be made").peak_kib
            })
            .at_most(1.0, "ours", "SymCache");
    }
    Ok(race.run(rounds.min(3)))
}

/// Many modules, all indexed, within a memory budget.
fn many(rounds: u32, subject: &Subject) -> Outcome {
    let part = format!("{}, {MODULES} times", subject.name);
    let sizes = subject.sizes(MODULES * PER_MODULE);
    let race = Race::new("S5", part, sizes).clock(Clock::Gauge { unit: "KiB" });
    let race = race.gauge(Role::Ours, "ours", || {
        peak(MANY, &subject.name).expect("it has what the others had")
    });
    let budget = (BUDGET_BYTES >> 10) as f64;
    race.a_call(budget, "ours").run(rounds.min(1))
}

/// Returns the peak memory of a child, in KiB.
/// Runs a contestant with 100,000 addresses of a workload in a process of its own, and returns its
/// peak memory in KiB.
pub(crate) fn peak(contestant: &str, workload: &str) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|why| why.to_string())?;
    said_kib(Command::new(this).env(VARIABLE, format!("{contestant}/{workload}")))
}

fn said_kib(child: &mut Command) -> Result<u64, String> {
    let said = child.output();
    let said = said.map_err(|why| format!("{child:?}: {why}"))?;
    let number = String::from_utf8_lossy(&said.stdout).trim().parse();
    number.map_err(|_| format!("{child:?}: {}", String::from_utf8_lossy(&said.stderr)))
}

/// If this process is such a child, runs its contestant, prints its peak memory in KiB, and
/// returns true.
pub(crate) fn is_child() -> bool {
    let Ok(value) = std::env::var(VARIABLE) else {
        return false;
    };
    let (contestant, workload) = value.split_once('/').expect("both");
    let subject = workload::named(workload).expect("the workload was there");
    let mut named = CONTESTANTS.iter().filter(|(name, ..)| *name == contestant);
    let (_, _, run) = named.next().expect("a contestant");
    let addrs = subject.addresses().random;
    // Reset the peak, if the kernel supports it, so that choosing addresses does not count.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    run(&subject, &addrs);
    println!("{}", benches::peak::kib().expect("it says what it took"));
    true
}
