//! Kernels without the ioctl: reading the text as far as needed.

use backsight_normalize::Backend;
use benches::race::{self, Race, Role, Sizes};

use super::own;
use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Usage};
use crate::process::{Process, Truth};
use crate::raw::With;
use crate::target::Target;
use crate::text::Unparsed;

const M: usize = 2;

pub(super) fn n8(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let target = Target::of_size(659);
    // As in N1: two addresses in one module and three in the other.
    let code = &target.code;
    let (low, high) = (code[code.len() / 4].start, code[code.len() * 3 / 4].start);
    let spread = [low + 16, low + 900, high, high + 77, high + 4000];
    Ok(vec![
        n8_race(rounds, Process::Myself, own::addrs(), "N1's workload")?,
        n8_race(
            rounds,
            target.process(),
            spread,
            "5 addresses at a quarter and three quarters of a larger process",
        )?,
    ])
}

fn n8_race(
    rounds: u32,
    process: Process,
    addrs: [u64; 5],
    part: &'static str,
) -> Result<race::Outcome, String> {
    let options = ours::options(Backend::Text, Know::Names);
    let usage = Usage {
        sorted: true,
        ..Usage::default()
    };
    let peer = Blazesym::new(process, usage);
    let batches = [addrs.to_vec()];
    let addrs = &addrs[..];
    let mut floor = Floor::new(process, With::Name, addrs.len(), M);
    floor.one_shot(addrs);
    let mut truth = Truth::default();
    truth.learn(addrs, floor.places(addrs.len()));
    let places = ours::places(&mut ours::open(process, &options), addrs);
    truth.check("ours", addrs, &places)?;
    truth.check("blazesym", addrs, &peer.places(addrs))?;

    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: addrs.len(),
        touched: M,
    };
    let mut unparsed = Unparsed::up_to(process, addrs[4]);
    let race = Race::new("N8", part, sizes)
        .enter(Role::Floor, "kernel alone", || unparsed.run())
        .enter(
            Role::Ours,
            "ours, text",
            ours::one_shots(process, &batches, &options),
        )
        .enter(Role::Peer, "blazesym, text", peer.runs(&batches))
        .at_most(1.08, "ours, text", "kernel alone")
        .faster(1.8, "ours, text", "blazesym, text");
    Ok(race.run(rounds))
}
