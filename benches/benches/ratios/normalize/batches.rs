//! Large unsorted batches in a hundred modules.

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Usage};
use crate::process::{Process, Truth};
use crate::raw::With;
use crate::target::{Batches, Random, Target};

const VMAS: u64 = 1_130;
pub(super) const K: usize = 10_000;
pub(super) const M: usize = 100;
const BATCHES: usize = 32;

/// All modules have 64 KiB of code.
pub(crate) fn alike() -> Target {
    of_sizes([64 << 10; M])
}

/// Modules from 16 KiB to 64 MiB, evenly distributed on a logarithmic scale, in random order.
fn mixed() -> Target {
    of_sizes(std::array::from_fn(|nth| {
        let nth = nth * 37 % M;
        let size = 16384.0 * 4096_f64.powf(nth as f64 / (M - 1) as f64);
        (size as u64).next_multiple_of(4096)
    }))
}

fn of_sizes(sizes: [u64; M]) -> Target {
    let mut target = Target::new();
    sizes.into_iter().for_each(|size| target.module(size));
    let modules = target.code.clone();
    target.fill(VMAS);
    target.code = modules;
    target
}

pub(super) fn batches(target: &Target) -> Batches {
    let mut random = Random::new();
    Batches::draw(BATCHES, || {
        (0..K).map(|_| random.addr_in(&target.code)).collect()
    })
}

fn truth(process: Process, batches: &Batches) -> Truth {
    let mut truth = Truth::default();
    let mut floor = Floor::new(process, With::Name, K, M);
    for sorted in &batches.sorted {
        floor.one_shot(sorted);
        truth.learn(sorted, floor.places(K));
    }
    truth
}

fn sizes(process: Process) -> Sizes {
    Sizes {
        vmas: process.vmas(),
        addresses: K,
        touched: M,
    }
}

/// One-shot.
pub(super) fn n6(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let target = alike();
    let (process, batches) = (target.process(), batches(&target));
    Ok(vec![
        n6_race(rounds, process, &batches, Know::Names)?,
        n6_race(rounds, process, &batches, Know::BuildIds)?,
    ])
}

fn n6_race(
    rounds: u32,
    process: Process,
    batches: &Batches,
    know: Know,
) -> Result<race::Outcome, String> {
    let part = match know {
        Know::Names => "modules of 64 KiB; names alone",
        Know::BuildIds | Know::All => "modules of 64 KiB; build IDs too",
    };
    let options = ours::options(Backend::Ioctl, know);
    let usage = Usage {
        ioctl: true,
        build_ids: know != Know::Names,
        ..Usage::default()
    };
    let peer = Blazesym::new(process, usage);
    let truth = truth(process, batches);
    for batch in &batches.jumping {
        let places = ours::places(&mut ours::open(process, &options), batch);
        truth.check("ours", batch, &places)?;
        truth.check("blazesym", batch, &peer.places(batch))?;
    }
    let Batches { sorted, jumping } = batches;
    let one_shots = |options| ours::one_shots(process, jumping, options);
    let floor = Floor::new(process, know.asks(), K, M);
    let race = Race::new("N6", part, sizes(process))
        .enter(Role::Floor, "floor", floor.one_shots(sorted))
        .enter(Role::Ours, "ours", one_shots(&options))
        .enter(Role::Peer, "blazesym, ioctl", peer.runs(jumping));
    let race = match know {
        Know::BuildIds | Know::All => {
            let all = one_shots(&ours::options(Backend::Ioctl, Know::All));
            race.enter(Role::Ours, "ours, virtual offsets too", all)
        }
        Know::Names => race
            .at_most(1.45, "ours", "floor")
            .each(6.0, "ours")
            .faster(16.0, "ours", "blazesym, ioctl"),
    };
    Ok(race.run(rounds))
}

/// In a warm session.
pub(super) fn n7(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    Ok(vec![
        n7_race(rounds, &alike(), "modules of 64 KiB", 1.5)?,
        n7_race(rounds, &mixed(), "modules from 16 KiB to 64 MiB", 3.5)?,
    ])
}

fn n7_race(
    rounds: u32,
    target: &Target,
    part: &'static str,
    ns: f64,
) -> Result<race::Outcome, String> {
    let (process, batches) = (target.process(), batches(target));
    let options = ours::options(Backend::Ioctl, Know::Names);
    let trusting = ours::trusting(options.clone());
    let mut trusted = ours::open(process, &trusting);
    let mut rechecked = ours::open(process, &options);
    let usage = Usage {
        ioctl: true,
        cached: true,
        ..Usage::default()
    };
    let peer = Blazesym::new(process, usage);
    let truth = truth(process, &batches);
    for batch in &batches.jumping {
        for session in [&mut trusted, &mut rechecked] {
            truth.check("ours", batch, &ours::places(session, batch))?;
        }
        truth.check("blazesym", batch, &peer.places(batch))?;
    }
    let Batches { sorted, jumping } = &batches;
    let [floor, mut known] = [(); 2].map(|()| Floor::new(process, With::Nothing, K, M));
    known.learn(&sorted[0]);
    let race = Race::new("N7", part, sizes(process))
        .enter(Role::Floor, "floor, trusted", known.trusting(sorted))
        .enter(
            Role::Ours,
            "ours, trusted",
            ours::calls(trusted, jumping, &trusting),
        )
        .enter(Role::Floor, "floor, re-checked", floor.batches(sorted))
        .enter(
            Role::Ours,
            "ours, re-checked",
            ours::calls(rechecked, jumping, &options),
        )
        .enter(Role::Peer, "blazesym, cached", peer.runs(jumping))
        .each(ns, "ours, trusted")
        .each(4.5, "ours, re-checked")
        .faster(50.0, "ours, trusted", "blazesym, cached");
    Ok(race.run(rounds))
}
