//! Measures contestants alternately, in rounds.
//!
//! ```text
//!   round 1        round 2        round 3
//!   floor ours A   floor ours A   floor ours A   …
//! ```
//!
//! A temporary slowdown of the machine affects a whole round. So the ratio of two contestants is
//! computed within each round, and the median of these ratios is the result.
//!
//! Time is the CPU time of the calling thread in user space and in the kernel, which does not
//! include time when another process has the CPU. On an idle machine it equals wall-clock time.
//! Work that blocks, or that other threads do, must be measured by the [wall
//! clock](Clock::Wall).

use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use serde::Serialize;

pub use crate::clock::Clock;
use crate::counting::{Counting, counted_turn};
pub use crate::lane::{Lane, Role};
use crate::stats::Spread;
use crate::target::{Bound, Target, Verdict};
use crate::work::Work;
pub use crate::work::{FileSizes, Sizes};

/// The minimum duration of the fastest contestant's turn. The others make as many calls.
const MIN_TURN: Duration = Duration::from_millis(4);

/// The maximum duration of a turn: a contestant a thousand times slower than another makes fewer
/// calls.
const MAX_TURN: Duration = Duration::from_millis(200);

/// Calls of a turn that is counted instead of timed.
const COUNTED_CALLS: u32 = 64;

/// The maximum number of rounds for a race whose turn takes at least 0.1, 1 or 10 seconds.
const SLOW_ROUNDS: [(Duration, u32); 3] = [
    (Duration::from_millis(100), 11),
    (Duration::from_secs(1), 5),
    (Duration::from_secs(10), 3),
];

struct Contestant<'a> {
    name: &'static str,
    role: Role,
    /// Makes this many calls and returns their total time.
    turn: Box<dyn FnMut(u32, Clock) -> Duration + 'a>,
}

/// A workload, its contestants, and the targets for their times.
pub struct Race<'a> {
    row: &'static str,
    part: Cow<'static, str>,
    sizes: Work,
    clock: Clock,
    cycle: u32,
    contestants: Vec<Contestant<'a>>,
    targets: Vec<Target>,
}

impl fmt::Debug for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.contestants.iter().map(|contestant| contestant.name);
        write!(f, "Race({}, {}: ", self.row, self.part)?;
        f.debug_list().entries(names).finish()?;
        f.write_str(")")
    }
}

impl<'a> Race<'a> {
    /// Creates the race `part` of the row `row`.
    #[must_use]
    pub fn new(
        row: &'static str,
        part: impl Into<Cow<'static, str>>,
        sizes: impl Into<Work>,
    ) -> Self {
        Self {
            row,
            part: part.into(),
            sizes: sizes.into(),
            clock: Clock::Thread,
            cycle: 1,
            contestants: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Sets the clock; the default is the thread's CPU time.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Makes every turn a multiple of `calls`, because these calls differ: each contestant is
    /// measured over all of them.
    #[must_use]
    pub fn cycle(self, calls: u32) -> Self {
        Self {
            cycle: calls.max(1),
            ..self
        }
    }

    /// Adds a contestant. The time includes dropping the result of `call`.
    #[must_use]
    pub fn enter<R>(
        mut self,
        role: Role,
        name: &'static str,
        mut call: impl FnMut() -> R + 'a,
    ) -> Self {
        // The loop is inside, so that the indirect call is made once per turn.
        let turn = Box::new(move |calls, clock: Clock| {
            let begin = clock.now();
            for _ in 0..calls {
                black_box(call());
            }
            clock.now().saturating_sub(begin)
        });
        self.contestants.push(Contestant { name, role, turn });
        self
    }

    /// Adds a contestant that returns its own figure for each call: nanoseconds measured in
    /// another process, or the quantity of a [`Clock::Gauge`].
    #[must_use]
    pub fn gauge(
        mut self,
        role: Role,
        name: &'static str,
        mut figure: impl FnMut() -> u64 + 'a,
    ) -> Self {
        let turn = Box::new(move |calls, _| {
            let figures = (0..calls).map(|_| Duration::from_nanos(figure()));
            figures.sum()
        });
        self.contestants.push(Contestant { name, role, turn });
        self
    }

    /// Requires that `of` takes at most `times` the time of `against`.
    #[must_use]
    pub fn at_most(mut self, times: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::AtMost(times);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Requires that `of` is at least `times` as fast as `against`.
    #[must_use]
    pub fn faster(mut self, times: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::FasterBy(times);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Requires that `of` takes at most `ns` nanoseconds per address.
    #[must_use]
    pub fn each(mut self, ns: f64, of: &'static str) -> Self {
        let (against, bound) = ("", Bound::Each(ns));
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Requires that `of` takes at most `ns` nanoseconds more than `against`.
    #[must_use]
    pub fn beyond(mut self, ns: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::Beyond(ns);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Requires that `of` takes at most `most` nanoseconds, or other units, per call.
    #[must_use]
    pub fn a_call(mut self, most: f64, of: &'static str) -> Self {
        let (against, bound) = ("", Bound::ACall(most));
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Runs all rounds.
    ///
    /// # Panics
    /// When a target names a contestant that did not enter.
    #[must_use]
    pub fn run(mut self, rounds: u32) -> Outcome {
        let (calls, rounds) = match Counting::wanted() {
            Some(counting) => self.leave_only(counting),
            None => self.calls_and_rounds(rounds),
        };
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); self.contestants.len()];
        for _ in 0..rounds {
            for ((contestant, calls), times) in
                self.contestants.iter_mut().zip(&calls).zip(&mut times)
            {
                let took = counted_turn(&mut || (contestant.turn)(*calls, self.clock));
                times.push(took.as_secs_f64() * 1e9 / f64::from(*calls));
            }
        }
        let lanes = self.contestants.iter().zip(calls).zip(times);
        let lanes: Vec<Lane> = lanes
            .map(|((contestant, calls), times)| Lane {
                name: contestant.name,
                role: contestant.role,
                calls,
                ns: Spread::of(times.iter().copied()),
                times,
            })
            .collect();
        let verdicts = self
            .targets
            .iter()
            .map(|target| target.judge(&lanes, self.sizes.addresses()));
        Outcome {
            row: self.row,
            part: self.part,
            sizes: self.sizes,
            clock: self.clock,
            rounds,
            verdicts: verdicts.collect(),
            lanes,
            unmeasured: None,
        }
    }

    /// Removes all contestants except the one to be counted, and warms it up.
    fn leave_only(&mut self, counting: &Counting) -> (Vec<u32>, u32) {
        let is_it = self.part.starts_with(&counting.part);
        self.contestants
            .retain(|each| is_it && each.name == counting.only);
        self.targets.clear();
        for each in &mut self.contestants {
            (each.turn)(counting.calls, self.clock);
        }
        (vec![counting.calls; self.contestants.len()], 1)
    }

    /// Returns the number of calls per turn for each contestant, and the number of rounds; also
    /// warms them all up.
    fn calls_and_rounds(&mut self, rounds: u32) -> (Vec<u32>, u32) {
        let clock = self.clock;
        match clock {
            Clock::Thread | Clock::Wall => {}
            Clock::Count { .. } => {
                for each in &mut self.contestants {
                    (each.turn)(COUNTED_CALLS, clock);
                }
                return (vec![COUNTED_CALLS; self.contestants.len()], rounds);
            }
            Clock::Gauge { .. } => return (vec![1; self.contestants.len()], rounds),
        }
        let each: Vec<f64> = self
            .contestants
            .iter_mut()
            .map(|each| time_of_a_call(each, clock, self.cycle))
            .collect();
        let fastest = each.iter().copied().fold(f64::INFINITY, f64::min);
        let calls = |turn: Duration, call: f64| (turn.as_secs_f64() / call).ceil();
        let all = calls(MIN_TURN, fastest);
        let bounded = each.iter().map(|call| all.min(calls(MAX_TURN, *call)));
        // Casts of floats saturate.
        let calls: Vec<u32> = bounded
            .map(|calls| (calls as u32).next_multiple_of(self.cycle))
            .collect();
        let turns = each.iter().zip(&calls);
        let longest = turns.map(|(call, calls)| call * f64::from(*calls));
        let longest = longest.fold(0.0, f64::max);
        let slow = SLOW_ROUNDS
            .iter()
            .rfind(|(turn, _)| longest > turn.as_secs_f64());
        (calls, slow.map_or(rounds, |(_, most)| rounds.min(*most)))
    }
}

/// Returns the time of one call in seconds, averaged over a quarter turn.
fn time_of_a_call(contestant: &mut Contestant<'_>, clock: Clock, cycle: u32) -> f64 {
    let mut calls = cycle;
    loop {
        let took = (contestant.turn)(calls, clock);
        if took >= MIN_TURN / 4 || calls >= 1 << 30 {
            return took.as_secs_f64().max(1e-9) / f64::from(calls);
        }
        calls *= 2;
    }
}

/// The result of a race.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The row it belongs to.
    pub row: &'static str,
    /// The part of the row.
    pub part: Cow<'static, str>,
    /// The amount of work per call.
    pub sizes: Work,
    /// The clock.
    pub clock: Clock,
    /// Turns of each contestant.
    pub rounds: u32,
    /// One for each contestant, in the order of their turns.
    pub lanes: Vec<Lane>,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// Why it was not run, if so.
    #[serde(skip)]
    pub unmeasured: Option<String>,
}

impl Outcome {
    /// A race that could not be run, although others of its row could.
    #[must_use]
    pub fn unmeasured(row: &'static str, part: impl Into<Cow<'static, str>>, why: String) -> Self {
        Self {
            unmeasured: Some(why),
            ..Race::new(row, part, FileSizes::default()).run(0)
        }
    }

    /// Returns the first contestant of a kind.
    #[must_use]
    pub fn first(&self, role: Role) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.role == role)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{Clock, Race, Role, Sizes};

    const SIZES: Sizes = Sizes {
        vmas: 1,
        addresses: 1,
        touched: 1,
    };

    #[test]
    fn contestants_alternate_with_equal_calls() {
        let order = RefCell::new(Vec::new());
        let call = |who: char| {
            let mut order = order.borrow_mut();
            if order.last() != Some(&who) {
                order.push(who);
            }
            std::thread::sleep(std::time::Duration::from_micros(50));
        };
        let outcome = Race::new("T1", "", SIZES)
            .enter(Role::Floor, "a", || call('a'))
            .enter(Role::Ours, "b", || call('b'))
            .enter(Role::Peer, "c", || call('c'))
            .clock(Clock::Wall)
            .run(3);
        let order: String = order.borrow().iter().collect();
        assert_eq!(order, "abc".repeat(1 + 3), "a warm-up and three rounds");
        let calls: Vec<u32> = outcome.lanes.iter().map(|lane| lane.calls).collect();
        assert!(calls[0] > 1 && calls.iter().all(|each| *each == calls[0]));
        assert!(outcome.lanes.iter().all(|lane| lane.times.len() == 3));
    }
}
