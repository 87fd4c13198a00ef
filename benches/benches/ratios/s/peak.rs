//! Peak memory: each contestant alone in a process of its own, which is this program
//! once more.

use std::process::Command;

use benches::race::{Clock, Outcome, Race, Role};

use super::addr2line;
use super::blazesym::Blazesym;
use super::ours::Ours;
use super::symcache::SymCache;
use super::workload::{self, K, Subject};

/// Says which contestant a child of this program is to be, and with which workload.
const VARIABLE: &str = "BACKSIGHT_RATIOS_PEAK";

type Contestant = (&'static str, Role, fn(&Subject, &[u64]));

const CONTESTANTS: [Contestant; 4] = [
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
];

/// A cold batch.
pub(super) fn s5(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S5", |subject| {
        let mut race = Race::new("S5", subject.name.clone(), subject.sizes(K));
        race = race.clock(Clock::Gauge { unit: "KiB" });
        for (name, role, _) in CONTESTANTS {
            // Also makes sure that there is an answer.
            peak(name, &subject.name)?;
            race = race.gauge(role, name, || {
                peak(name, &subject.name).expect("it could a moment ago")
            });
        }
        let cold = race.at_most(1.0, "ours", "addr2line").run(rounds.min(3));
        let indexed = indexed(rounds, subject).unwrap_or_else(|why| {
            Outcome::unmeasured("S5", format!("{}, index", subject.name), why)
        });
        Ok(vec![cold, indexed])
    })
}

/// As many lookups in an index.
fn indexed(rounds: u32, subject: &Subject) -> Result<Outcome, String> {
    let addrs = subject.addresses().random;
    let cache = SymCache::build(subject.debug())?;
    let part = format!("{}, index", subject.name);
    let race = Race::new("S5", part, subject.sizes(K)).clock(Clock::Gauge { unit: "KiB" });
    let race = race.gauge(Role::Peer, "SymCache", || {
        cache.all(&addrs).expect("it could be made").peak_kib
    });
    Ok(race.run(rounds.min(3)))
}

/// Returns what a child took at most, in KiB.
fn peak(contestant: &str, workload: &str) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|why| why.to_string())?;
    let value = format!("{contestant}/{workload}");
    let said = Command::new(this).env(VARIABLE, value).output();
    let said = said.map_err(|why| why.to_string())?;
    let number = String::from_utf8_lossy(&said.stdout).trim().parse();
    number.map_err(|_| format!("{contestant}: {}", String::from_utf8_lossy(&said.stderr)))
}

/// Where this process is such a child, does its part, prints its peak in KiB, and
/// returns true.
pub(crate) fn is_child() -> bool {
    let Ok(value) = std::env::var(VARIABLE) else {
        return false;
    };
    let (contestant, workload) = value.split_once('/').expect("both");
    let done = workload::each("S5", |subject| {
        if subject.name == workload {
            let all = CONTESTANTS.iter();
            let mut named = all.filter(|(name, ..)| *name == contestant);
            let (_, _, run) = named.next().expect("a contestant");
            let addrs = subject.addresses().random;
            // From here on: what drawing them took is forgotten, where the kernel lets.
            let _ = std::fs::write("/proc/self/clear_refs", "5");
            run(subject, &addrs);
        }
        Ok(Vec::new())
    });
    done.expect("the workload was there");
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has one");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    println!("{}", peak.expect("it says what it took"));
    true
}
