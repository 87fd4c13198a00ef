//! Heap allocations of a warm call: none. `tests/allocations.rs` of backsight-normalize checks
//! it, too.

use backsight_normalize::Backend;
use benches::race::{self, Clock, Race, Role, Sizes};

use super::{batches, mixed, tool};
use crate::allocator;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Usage};
use crate::target::{Batches, Target};

const OURS: [&str; 4] = [
    "ours, re-checked, sorted",
    "ours, re-checked, unsorted",
    "ours, trusted, sorted",
    "ours, trusted, unsorted",
];

pub(super) fn n9(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let few = Target::of_size(tool::VMAS);
    let of_few = tool::batches(&few);
    let many = batches::alike();
    let of_many = batches::batches(&many);
    let (mixed, of_mixed) = mixed::elsewhere();
    let touched = batches::M + mixed::RANGES;
    Ok(vec![
        n9_race(
            rounds,
            &few,
            &of_few,
            tool::M,
            "heap allocations: N4's batches",
        ),
        n9_race(
            rounds,
            &many,
            &of_many,
            batches::M,
            "heap allocations: N6's",
        ),
        n9_race(
            rounds,
            &mixed,
            &of_mixed,
            touched,
            "heap allocations: N11's",
        ),
    ])
}

fn n9_race(
    rounds: u32,
    target: &Target,
    batches: &Batches,
    touched: usize,
    part: &'static str,
) -> race::Outcome {
    let process = target.process();
    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: batches.sorted[0].len(),
        touched,
    };
    let mut race = Race::new("N9", part, sizes).clock(Clock::Count {
        now: allocator::counted,
    });
    let rechecked = ours::options(Backend::Ioctl, Know::Names);
    let trusted = ours::trusting(rechecked.clone());
    for (nth, name) in OURS.into_iter().enumerate() {
        let options = [&rechecked, &trusted][nth / 2].clone();
        let batches = [&batches.sorted, &batches.jumping][nth % 2];
        let calls = ours::calls(ours::open(process, &options), batches, &options);
        race = race.enter(Role::Ours, name, calls).a_call(0.0, name);
    }
    for (name, cached) in [("blazesym", false), ("blazesym, cached", true)] {
        let usage = Usage {
            ioctl: true,
            cached,
            ..Usage::default()
        };
        let peer = Blazesym::new(process, usage);
        race = race.enter(Role::Peer, name, peer.runs(&batches.jumping));
    }
    allocator::count();
    let outcome = race.run(rounds);
    allocator::stop();
    outcome
}
