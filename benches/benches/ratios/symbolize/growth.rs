//! How the cost of cold symbolization grows with the file and with the addresses.

use benches::race::{Clock, Outcome, Race, Role};

use super::addr2line;
use super::blazesym::Blazesym;
use super::ours::Ours;
use super::workload::{self, K, Subject};

/// The number of addresses when the file size grows.
const ADDRESSES_PER_FILE: usize = 1_000;

/// Against the bytes of five programs (`D`), and against the number of addresses in one of them
/// (`K`).
pub(crate) fn e3s(rounds: u32) -> Result<Vec<Outcome>, String> {
    let mut races = workload::each("E3s", |subject| {
        let addrs = subject.addresses().random;
        Ok(vec![against_size(rounds, subject, &addrs)?])
    })?;
    races.sort_by_key(|race| race.sizes.bytes());
    let subject = workload::named("samply")?;
    let addrs = subject.addresses().random;
    for k in [1, 10, 100, ADDRESSES_PER_FILE, 10_000, K] {
        races.push(against_k(rounds, &subject, &addrs[..k])?);
    }
    Ok(races)
}

fn against_size(rounds: u32, subject: &Subject, addrs: &[u64]) -> Result<Outcome, String> {
    let (one, few) = (&addrs[..1], &addrs[..ADDRESSES_PER_FILE]);
    same(subject, few)?;
    let race = Race::new("E3s", "D", subject.sizes(ADDRESSES_PER_FILE))
        .clock(Clock::Wall)
        .enter(Role::Ours, "1 address", || Ours::cold(subject, one))
        .enter(Role::Ours, "1,000 addresses", || Ours::cold(subject, few))
        .enter(Role::Ours, "100,000 addresses", || {
            Ours::cold(subject, addrs)
        })
        .enter(Role::Peer, "1,000 by addr2line", || {
            addr2line::cold(subject.debug(), few)
        })
        .enter(Role::Peer, "1,000 by blazesym", || {
            Blazesym::cold(subject.debug(), few)
        });
    Ok(race.run(rounds))
}

fn against_k(rounds: u32, subject: &Subject, addrs: &[u64]) -> Result<Outcome, String> {
    same(subject, addrs)?;
    let race = Race::new("E3s", "K", subject.sizes(addrs.len()))
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", || Ours::cold(subject, addrs))
        .enter(Role::Peer, "addr2line", || {
            addr2line::cold(subject.debug(), addrs)
        })
        .enter(Role::Peer, "blazesym", || {
            Blazesym::cold(subject.debug(), addrs)
        });
    Ok(race.run(rounds))
}

fn same(subject: &Subject, addrs: &[u64]) -> Result<(), String> {
    let ours = Ours::cold(subject, addrs);
    ours.compare("addr2line", addr2line::cold(subject.debug(), addrs))?;
    ours.compare("blazesym", Blazesym::cold(subject.debug(), addrs))
}
