//! The batch that the kernel patch series timed its tool with.

use std::hint::black_box;

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::process::{Process, Truth};
use crate::raw::With;
use crate::target::{Batches, Random, Rotation, Target};
use crate::text::{ByChar, ByMemchr, Fscanf, Matched, Parser};

pub(super) const VMAS: u64 = 659;
pub(super) const K: usize = 3_244;
const UNIQUE: usize = 464;
pub(super) const M: usize = 5;

/// Batches of 3,244 addresses, 464 of them unique, in five VMAs from the bottom to
/// the top of the process.
pub(super) fn batches(target: &Target) -> Batches {
    let touched = target.spread(M);
    let mut random = Random::new();
    Batches::draw(16, || {
        let unique: Vec<u64> = (0..UNIQUE)
            .map(|nth| random.addr_in(&touched[nth % M..=nth % M]))
            .collect();
        let again = (UNIQUE..K).map(|_| unique[random.below(UNIQUE as u64) as usize]);
        let again: Vec<u64> = again.collect();
        let mut batch = [unique, again].concat();
        random.shuffle(&mut batch);
        batch
    })
}

pub(super) fn n4(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let target = Target::of_size(VMAS);
    let batches = batches(&target);
    Ok(vec![
        n4_race(rounds, target.process(), &batches, Know::Names)?,
        n4_race(rounds, target.process(), &batches, Know::BuildIds)?,
    ])
}

fn n4_race(
    rounds: u32,
    process: Process,
    batches: &Batches,
    know: Know,
) -> Result<race::Outcome, String> {
    let (part, with) = match know {
        Know::Names => ("names, no build IDs, no virtual offsets", With::Name),
        Know::BuildIds | Know::All => ("build IDs too", With::NameAndBuildId),
    };
    let mut floor = Floor::new(process, with, K, M);
    let options = ours::options(Backend::Ioctl, know);
    let mut truth = Truth::default();
    for (sorted, jumping) in batches.sorted.iter().zip(&batches.jumping) {
        floor.one_shot(sorted);
        truth.learn(sorted, floor.places(K));
        for batch in [sorted, jumping] {
            let places = ours::places(&mut ours::open(process, &options), batch);
            truth.check("ours", batch, &places)?;
        }
    }
    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: K,
        touched: M,
    };
    let (mut by_char, mut by_memchr) = (ByChar::new(process), ByMemchr::new(process));
    let mut fscanf = Fscanf::new(process);
    let [mut chars, mut lines, mut scanned] = [(); 3].map(|()| Matched::default());
    for sorted in &batches.sorted {
        chars.run(sorted, &mut by_char);
        truth.check(ByChar::NAME, sorted, &chars.places())?;
        lines.run(sorted, &mut by_memchr);
        truth.check(ByMemchr::NAME, sorted, &lines.places())?;
        scanned.run(sorted, &mut fscanf);
        truth.check(Fscanf::NAME, sorted, &scanned.places())?;
    }
    let [mut of_floor, mut of_sorted] = [(); 2].map(|()| Rotation::of(&batches.sorted));
    let mut of_jumping = Rotation::of(&batches.jumping);
    let (mut outcomes, mut outcomes_jumping) = (Vec::new(), Vec::new());
    let race = Race::new("N4", part, sizes)
        .enter(Role::Floor, "floor", || {
            floor.one_shot(black_box(of_floor.next()));
        })
        .enter(Role::Ours, "ours, sorted", || {
            ours::one_shot(process, of_sorted.next(), &options, &mut outcomes)
        })
        .enter(Role::Ours, "ours, unsorted", || {
            ours::one_shot(process, of_jumping.next(), &options, &mut outcomes_jumping)
        });
    if know != Know::Names {
        let all = ours::options(Backend::Ioctl, Know::All);
        let (mut of_all, mut outcomes) = (Rotation::of(&batches.sorted), Vec::new());
        let race = race.enter(Role::Ours, "ours, sorted, virtual offsets too", || {
            ours::one_shot(process, of_all.next(), &all, &mut outcomes)
        });
        return Ok(race.run(rounds));
    }
    let [mut of_chars, mut of_lines, mut of_scanned] =
        [(); 3].map(|()| Rotation::of(&batches.sorted));
    let race = race
        .enter(Role::Peer, ByMemchr::NAME, || {
            lines.run(of_lines.next(), &mut by_memchr);
        })
        .enter(Role::Peer, ByChar::NAME, || {
            chars.run(of_chars.next(), &mut by_char);
        })
        .enter(Role::Peer, Fscanf::NAME, || {
            scanned.run(of_scanned.next(), &mut fscanf);
        })
        .at_most(1.1, "ours, sorted", "floor")
        .at_most(1.6, "ours, unsorted", "floor")
        .faster(90.0, "ours, sorted", Fscanf::NAME)
        .faster(30.0, "ours, sorted", ByMemchr::NAME);
    Ok(race.run(rounds))
}
