//! A few addresses in a process of very many VMAs.

use std::hint::black_box;

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Procfs, Usage};
use crate::process::Truth;
use crate::raw::With;
use crate::target::{Batches, Random, Rotation, Target};
use crate::text::{ByChar, ByMemchr, Fscanf, Matched, Parser, Unparsed};

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
    let (part, with) = match know {
        Know::Names => ("names, no build IDs, no virtual offsets", With::Name),
        Know::BuildIds | Know::All => ("build IDs too", With::NameAndBuildId),
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
    let (mut by_char, mut by_memchr) = (ByChar::new(process), ByMemchr::new(process));
    let (mut fscanf, procfs) = (Fscanf::new(process), Procfs::new(process));
    let mut unparsed = Unparsed::whole(process);
    let mut matched = Matched::default();
    let mut floor = Floor::new(process, with, K, M);
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
    let sorted = &batches.sorted[0];
    matched.run(sorted, &mut by_char);
    truth.check(ByChar::NAME, sorted, &matched.places())?;
    matched.run(sorted, &mut by_memchr);
    truth.check(ByMemchr::NAME, sorted, &matched.places())?;
    matched.run(sorted, &mut fscanf);
    truth.check(Fscanf::NAME, sorted, &matched.places())?;

    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: K,
        touched: M,
    };
    let [mut of_floor, mut of_sorted, mut of_peer] =
        [(); 3].map(|()| Rotation::of(&batches.sorted));
    let [mut of_jumping, mut of_peer_jumping] = [(); 2].map(|()| Rotation::of(&batches.jumping));
    let (mut outcomes, mut outcomes_jumping) = (Vec::new(), Vec::new());
    let race = Race::new("N10", part, sizes)
        .enter(Role::Floor, "floor", || {
            floor.one_shot(black_box(of_floor.next()));
        })
        .enter(Role::Ours, "ours, sorted", || {
            ours::one_shot(process, of_sorted.next(), &options, &mut outcomes)
        })
        .enter(Role::Ours, "ours, unsorted", || {
            ours::one_shot(process, of_jumping.next(), &options, &mut outcomes_jumping)
        })
        .enter(Role::Peer, "blazesym, sorted", || peer.run(of_peer.next()))
        .enter(Role::Peer, "blazesym, unsorted", || {
            peer_jumping.run(of_peer_jumping.next())
        });
    if know != Know::Names {
        let all = ours::options(Backend::Ioctl, Know::All);
        let (mut of_all, mut outcomes) = (Rotation::of(&batches.sorted), Vec::new());
        let race = race.enter(Role::Ours, "ours, sorted, virtual offsets too", || {
            ours::one_shot(process, of_all.next(), &all, &mut outcomes)
        });
        return Ok(race.run(rounds));
    }
    let [mut chars, mut lines, mut scanned] = [(); 3].map(|()| Matched::default());
    let race = race
        .enter(Role::Peer, "text, kernel alone", || unparsed.run())
        .enter(Role::Peer, ByChar::NAME, || {
            chars.run(sorted, &mut by_char);
        })
        .enter(Role::Peer, ByMemchr::NAME, || {
            lines.run(sorted, &mut by_memchr);
        })
        .enter(Role::Peer, Fscanf::NAME, || {
            scanned.run(sorted, &mut fscanf);
        })
        .enter(Role::Peer, "text, procfs", || procfs.places(sorted))
        .at_most(1.15, "ours, sorted", "floor")
        .at_most(1.25, "ours, unsorted", "floor")
        .faster(1000.0, "ours, sorted", "text, kernel alone")
        .faster(1000.0, "ours, unsorted", "text, kernel alone")
        .faster(4.0, "ours, sorted", "blazesym, sorted")
        .faster(4.0, "ours, unsorted", "blazesym, unsorted");
    Ok(race.run(rounds))
}
