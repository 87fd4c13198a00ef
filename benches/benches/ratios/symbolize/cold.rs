//! Cold lookups: the file is opened for each call, and nothing is cached; its bytes are in the
//! page cache.

use benches::race::{Clock, Outcome, Race, Role};

use super::addr2line;
use super::blazesym::Blazesym;
use super::ours::{self, Ours};
use super::workload::{self, K, Subject};
use crate::target::Rotation;

/// Cold starts per turn, each for another address.
const STARTS_PER_TURN: usize = 5;

/// Addresses of a stack in one module, and more.
const NEIGHBOURS: usize = 64;

/// One address.
pub(super) fn s1(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S1", |subject| {
        let batches = single(&subject.addresses().random);
        Ok(vec![first("S1", rounds, subject, &batches)?])
    })
}

/// Neighbours: few units hold them, and one may hold all.
pub(super) fn s1n(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S1n", |subject| {
        let addrs = subject.addresses().sorted;
        let apart = addrs.len() / STARTS_PER_TURN;
        let batches: Vec<Vec<u64>> = (addrs.chunks(apart))
            .map(|part| part.iter().copied().take(NEIGHBOURS).collect())
            .collect();
        Ok(vec![first("S1n", rounds, subject, &batches)?])
    })
}

/// One address, with compressed debug sections.
pub(super) fn s7(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S7", |subject| {
        let batches = single(&subject.addresses().random);
        let copies = subject.compressed.iter();
        copies
            .map(|copy| first("S7", rounds, copy, &batches))
            .collect()
    })
}

/// Returns batches of one address each, for one turn.
fn single(addrs: &[u64]) -> Vec<Vec<u64>> {
    let batches = addrs.chunks(1).take(STARTS_PER_TURN);
    batches.map(<[u64]>::to_vec).collect()
}

/// The first batch that a file is asked: these in rotation, of equal length.
fn first(
    row: &'static str,
    rounds: u32,
    subject: &Subject,
    batches: &[Vec<u64>],
) -> Result<Outcome, String> {
    for batch in batches {
        let ours = Ours::cold(subject, batch);
        ours.compare("addr2line", addr2line::cold(subject.debug(), batch))?;
        ours.compare("blazesym", Blazesym::cold(subject.debug(), batch))?;
    }
    let [mut of_ours, mut of_addr2line, mut of_blazesym] = [(); 3].map(|()| Rotation::of(batches));
    let addresses = batches.first().map_or(0, Vec::len);
    let race = Race::new(row, subject.name.clone(), subject.sizes(addresses))
        .clock(Clock::Wall)
        .cycle(STARTS_PER_TURN as u32)
        .enter(Role::Ours, "ours", || Ours::cold(subject, of_ours.next()))
        .enter(Role::Peer, "addr2line", || {
            addr2line::cold(subject.debug(), of_addr2line.next())
        })
        .enter(Role::Peer, "blazesym", || {
            Blazesym::cold(subject.debug(), of_blazesym.next())
        })
        .at_most(0.7, "ours", "addr2line")
        .at_most(0.7, "ours", "blazesym");
    Ok(race.run(rounds))
}

/// Many addresses.
pub(super) fn s2(rounds: u32) -> Result<Vec<Outcome>, String> {
    workload::each("S2", |subject| {
        let times = match subject.name.as_str() {
            "rg" | "cpp" => 5.0,
            _ => 4.0,
        };
        let addrs = subject.addresses().random;
        let ours = Ours::cold(subject, &addrs);
        ours.compare("addr2line", addr2line::cold(subject.debug(), &addrs))?;
        ours.compare("blazesym", Blazesym::cold(subject.debug(), &addrs))?;
        let race = Race::new("S2", subject.name.clone(), subject.sizes(K))
            .clock(Clock::Wall)
            .enter(Role::Ours, "ours", || Ours::cold(subject, &addrs))
            .enter(Role::Ours, "ours, one thread", || {
                ours::on_one_thread(|| Ours::cold(subject, &addrs))
            })
            .enter(Role::Peer, "addr2line", || {
                addr2line::cold(subject.debug(), &addrs)
            })
            .enter(Role::Peer, "blazesym", || {
                Blazesym::cold(subject.debug(), &addrs)
            })
            .faster(times, "ours", "addr2line")
            .faster(1.7, "ours", "ours, one thread");
        Ok(vec![race.run(rounds)])
    })
}
