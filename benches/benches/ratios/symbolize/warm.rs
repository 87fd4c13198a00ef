//! Warm lookups on one thread: all answers have been given before.

use benches::race::{Outcome, Race, Role};

use super::addr2line::{self, Names};
use super::blazesym::Blazesym;
use super::ours::{self, Ours};
use super::workload::{self, K, Subject};

/// Unsorted.
pub(super) fn s3(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S3", |subject| {
        let addrs = subject.addresses();
        let random = race("S3", "uniform", rounds, subject, &addrs.random, 1e9 / 3e6)?;
        let skewed = race("S3", "Zipf", rounds, subject, &addrs.skewed, 1e9 / 3e6)?;
        Ok(vec![random, skewed])
    })
}

/// Sorted.
pub(super) fn s3s(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S3s", |subject| {
        let addrs = subject.addresses().sorted;
        Ok(vec![race(
            "S3s",
            "sorted",
            rounds,
            subject,
            &addrs,
            1e9 / 10e6,
        )?])
    })
}

fn race(
    row: &'static str,
    order: &str,
    rounds: u32,
    subject: &Subject,
    addrs: &[u64],
    ns: f64,
) -> Result<Outcome, String> {
    ours::on_one_thread(|| race_here(row, order, rounds, subject, addrs, ns))
}

fn race_here(
    row: &'static str,
    order: &str,
    rounds: u32,
    subject: &Subject,
    addrs: &[u64],
    ns: f64,
) -> Result<Outcome, String> {
    let ours = Ours::open(subject);
    let requests = ours.requests(addrs);
    let blazesym = Blazesym::open(subject.debug());
    addr2line::open(subject.debug(), |context| {
        let seen = ours.run(&requests);
        let raw = addr2line::run(context, Names::Raw, addrs);
        seen.compare("addr2line", raw)?;
        seen.compare("blazesym", blazesym.run(addrs))?;
        let part = format!("{}, {order}", subject.name);
        let race = Race::new(row, part, subject.sizes(K))
            .enter(Role::Ours, "ours", || ours.run(&requests))
            .enter(Role::Peer, "addr2line, raw names", || {
                addr2line::run(context, Names::Raw, addrs)
            })
            .enter(Role::Peer, "addr2line", || {
                addr2line::run(context, Names::Demangled, addrs)
            })
            .enter(Role::Peer, "blazesym", || blazesym.run(addrs))
            .each(ns.round(), "ours")
            .faster(10.0, "ours", "addr2line")
            .faster(10.0, "ours", "blazesym");
        Ok(race.run(rounds))
    })
}
