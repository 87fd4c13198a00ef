//! A few addresses in a process with very many VMAs.

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Procfs, Usage};
use crate::process::Truth;
use crate::target::{Batches, Random, Target};
use crate::text::{self, Unparsed};

const VMAS: u64 = 20_000;
const K: usize = 200;
const M: usize = 10;

pub(super) fn n10(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let target = Target::of_size(VMAS);
    let touched = target.spread(M);
    let mut random = Random::new();
    let batches = Batches::draw(16, || (0..K).map(|_| random.addr_in(&touched)).collect());
    Ok(vec![
        n10_race(rounds, &target, &batches, Know::Names)?,
        n10_race(rounds, &target, &batches, Know::BuildIds)?,
    ])
}

fn n10_race(
    rounds: u32,
    target: &Target,
    batches: &Batches,
    know: Know,
) -> Result<race::Outcome, String> {
    let part = match know {
        Know::Names => "names, no build IDs, no virtual offsets",
        Know::BuildIds | Know::All => "build IDs too",
    };
    let process = target.process();
    let options = ours::options(Backend::Ioctl, know);
    let usage = |sorted| Usage {
        ioctl: true,
        sorted,
        build_ids: know != Know::Names,
        ..Usage::default()
    };
    let [peer, peer_jumping] = [true, false].map(|sorted| Blazesym::new(process, usage(sorted)));
    let procfs = Procfs::new(process);
    let mut floor = Floor::new(process, know.asks(), K, M);
    let mut truth = Truth::default();
    for (sorted, jumping) in batches.sorted.iter().zip(&batches.jumping) {
        floor.one_shot(sorted);
        truth.learn(sorted, floor.places(K));
        for batch in [sorted, jumping] {
            let places = ours::places(&mut ours::open(process, &options), batch);
            truth.check("ours", batch, &places)?;
            truth.check("blazesym", batch, &peer_jumping.places(batch))?;
        }
        truth.check("blazesym", sorted, &peer.places(sorted))?;
        truth.check("procfs", sorted, &procfs.places(sorted))?;
    }

    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: K,
        touched: M,
    };
    let Batches { sorted, jumping } = batches;
    let one_shots = |batches, options| ours::one_shots(process, batches, options);
    let race = Race::new("N10", part, sizes)
        .enter(Role::Floor, "floor", floor.one_shots(sorted))
        .enter(Role::Ours, "ours, sorted", one_shots(sorted, &options))
        .enter(Role::Ours, "ours, unsorted", one_shots(jumping, &options))
        .enter(Role::Peer, "blazesym, sorted", peer.runs(sorted))
        .enter(Role::Peer, "blazesym, unsorted", peer_jumping.runs(jumping));
    if know != Know::Names {
        let all = one_shots(sorted, &ours::options(Backend::Ioctl, Know::All));
        let race = race.enter(Role::Ours, "ours, sorted, virtual offsets too", all);
        return Ok(race.run(rounds));
    }
    // Reading the text takes the same time for any batch.
    let first = &sorted[..1];
    text::check(process, first, &truth)?;
    let mut unparsed = Unparsed::whole(process);
    let race = race.enter(Role::Peer, "text, kernel alone", move || unparsed.run());
    let race = text::enter(race, process, first)
        .enter(Role::Peer, "text, procfs", || procfs.places(&first[0]))
        .at_most(1.15, "ours, sorted", "floor")
        .at_most(1.25, "ours, unsorted", "floor")
        .faster(1000.0, "ours, sorted", "text, kernel alone")
        .faster(1000.0, "ours, unsorted", "text, kernel alone")
        .faster(4.0, "ours, sorted", "blazesym, sorted")
        .faster(4.0, "ours, unsorted", "blazesym, unsorted");
    Ok(race.run(rounds))
}
