//! The batch of the tool in the kernel patch series.

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::process::{Process, Truth};
use crate::target::{Batches, Random, Target};
use crate::text::{self, ByMemchr, Fscanf, Parser};

pub(super) const VMAS: u64 = 659;
pub(super) const K: usize = 3_244;
const UNIQUE: usize = 464;
pub(super) const M: usize = 5;

/// Batches of 3,244 addresses, 464 of them distinct, in five VMAs spread over the process.
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
    let part = match know {
        Know::Names => "names, no build IDs, no virtual offsets",
        Know::BuildIds | Know::All => "build IDs too",
    };
    let mut floor = Floor::new(process, know.asks(), K, M);
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
    let Batches { sorted, jumping } = batches;
    let one_shots = |batches, options| ours::one_shots(process, batches, options);
    let race = Race::new("N4", part, sizes)
        .enter(Role::Floor, "floor", floor.one_shots(sorted))
        .enter(Role::Ours, "ours, sorted", one_shots(sorted, &options))
        .enter(Role::Ours, "ours, unsorted", one_shots(jumping, &options));
    if know != Know::Names {
        let all = one_shots(sorted, &ours::options(Backend::Ioctl, Know::All));
        let race = race.enter(Role::Ours, "ours, sorted, virtual offsets too", all);
        return Ok(race.run(rounds));
    }
    text::check(process, sorted, &truth)?;
    let race = text::enter(race, process, sorted)
        .at_most(1.1, "ours, sorted", "floor")
        .at_most(1.6, "ours, unsorted", "floor")
        .faster(90.0, "ours, sorted", Fscanf::NAME)
        .faster(30.0, "ours, sorted", ByMemchr::NAME);
    Ok(race.run(rounds))
}
