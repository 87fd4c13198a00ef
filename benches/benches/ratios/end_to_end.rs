//! How cost grows. `cargo run -p benches --bin plot` plots the JSON.

use std::ops::Range;

use backsight_normalize::Backend;
use benches::command::Row;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::normalize::alike;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Usage};
use crate::process::Truth;
use crate::raw::With;
use crate::symbolize::e3s;
use crate::target::{Batches, Random, Target};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "E3",
        measures: "how the cost of normalization grows with K, M and N",
        run: e3,
    },
    Row {
        id: "E3s",
        measures: "how the cost of symbolization grows with the file and with K",
        run: e3s,
    },
];

fn e3(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let mut races = Vec::new();

    let target = alike();
    for k in [10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        // With fewer addresses per batch, more batches are needed to defeat branch prediction.
        let count = (1_000_000 / k).clamp(1, 32);
        races.push(grow(rounds, "K", &target, &target.code, k, count)?);
    }

    let target = Target::of_size(20_000);
    for m in [1, 3, 10, 30, 100, 300, 1_000, 3_000] {
        races.push(grow(rounds, "M", &target, &target.spread(m), 10_000, 8)?);
    }

    for n in [35, 200, 650, 2_000, 20_000] {
        let target = Target::of_size(n);
        races.push(grow(rounds, "N", &target, &target.spread(2), 100, 32)?);
    }
    Ok(races)
}

/// Measures addresses in `code`, in batches of `k`. `what` names the growing size.
fn grow(
    rounds: u32,
    what: &'static str,
    target: &Target,
    code: &[Range<u64>],
    k: usize,
    count: usize,
) -> Result<race::Outcome, String> {
    let process = target.process();
    let mut random = Random::new();
    let batches = Batches::draw(count, || (0..k).map(|_| random.addr_in(code)).collect());
    let ioctl = ours::options(Backend::Ioctl, Know::Names);
    let text = ours::options(Backend::Text, Know::Names);
    let trusting = ours::trusting(ioctl.clone());
    let mut session = ours::open(process, &trusting);
    let usage = Usage {
        ioctl: true,
        ..Usage::default()
    };
    let peer = Blazesym::new(process, usage);
    let mut floor = Floor::new(process, With::Name, k, k.min(code.len()));

    let mut truth = Truth::default();
    for (sorted, jumping) in batches.sorted.iter().zip(&batches.jumping) {
        floor.one_shot(sorted);
        truth.learn(sorted, floor.places(k));
        truth.check("ours, warm", jumping, &ours::places(&mut session, jumping))?;
    }
    let jumping = &batches.jumping[0];
    for options in [&ioctl, &text] {
        let places = ours::places(&mut ours::open(process, options), jumping);
        truth.check("ours", jumping, &places)?;
    }
    truth.check("blazesym", jumping, &peer.places(jumping))?;

    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: k,
        touched: touched(code, jumping),
    };
    let Batches { sorted, jumping } = &batches;
    let one_shots = |batches, options| ours::one_shots(process, batches, options);
    Ok(Race::new("E3", what, sizes)
        .enter(Role::Floor, "floor", floor.one_shots(sorted))
        .enter(Role::Ours, "one-shot, sorted", one_shots(sorted, &ioctl))
        .enter(Role::Ours, "one-shot, unsorted", one_shots(jumping, &ioctl))
        .enter(
            Role::Ours,
            "warm and trusted, unsorted",
            ours::calls(session, jumping, &trusting),
        )
        .enter(
            Role::Ours,
            "one-shot by text, unsorted",
            one_shots(jumping, &text),
        )
        .enter(Role::Peer, "blazesym, ioctl, unsorted", peer.runs(jumping))
        .run(rounds))
}

/// Returns M: the number of ranges that contain addresses.
fn touched(code: &[Range<u64>], addrs: &[u64]) -> usize {
    let mut touched: Vec<usize> = addrs
        .iter()
        .map(|addr| code.partition_point(|range| range.start <= *addr))
        .collect();
    touched.sort_unstable();
    touched.dedup();
    touched.len()
}
