//! Contestants that do the same work, one after the other, round after round.
//!
//! ```text
//!   round 1        round 2        round 3
//!   floor ours A   floor ours A   floor ours A   …
//! ```
//!
//! What slows the machine for a while slows a whole round, so the ratio of two
//! contestants is taken within each round, and the median of those ratios is the
//! figure that counts.
//!
//! Time is the processor's, spent by the calling thread in user space and in the
//! kernel: it does not run while another process has the processor. On an idle
//! machine it is the wall's. Work that waits, or that other threads do, is to be
//! measured by the [wall's clock](Clock::Wall).

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

/// How long the fastest contestant's turn lasts, at least. The others make as
/// many calls.
const TURN: Duration = Duration::from_millis(4);

/// How long a turn may last: a contestant a thousand times slower than another
/// makes fewer calls.
const LONGEST_TURN: Duration = Duration::from_millis(200);

/// How many calls a turn is that is counted, not timed.
const COUNTED_CALLS: u32 = 64;

/// Rounds of a race where a turn takes a tenth of a second, a whole one, or ten: there
/// are no more than these.
const SLOW_ROUNDS: [(Duration, u32); 3] = [
    (Duration::from_millis(100), 11),
    (Duration::from_secs(1), 5),
    (Duration::from_secs(10), 3),
];

struct Contestant<'a> {
    name: &'static str,
    role: Role,
    /// Makes that many calls and returns how long they took.
    turn: Box<dyn FnMut(u32, Clock) -> Duration + 'a>,
}

/// A workload, who does it, and what is asked of their times.
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
    /// Begins the race `part` of the row `row`.
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

    /// Takes time by `clock`; by the thread's unless told otherwise.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Makes every turn a multiple of `calls`, which differ from each other: all
    /// contestants are timed over all of them.
    #[must_use]
    pub fn cycle(self, calls: u32) -> Self {
        Self {
            cycle: calls.max(1),
            ..self
        }
    }

    /// Adds a contestant. What `call` returns is dropped within its time.
    #[must_use]
    pub fn enter<R>(
        mut self,
        role: Role,
        name: &'static str,
        mut call: impl FnMut() -> R + 'a,
    ) -> Self {
        // The loop is inside, so that the call through a pointer is made once.
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

    /// Adds a contestant that tells its own figure for each call: nanoseconds that it
    /// took in another process, or what a [`Clock::Gauge`] names.
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

    /// Asks that `of` takes at most `times` as long as `against`.
    #[must_use]
    pub fn at_most(mut self, times: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::AtMost(times);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Asks that `of` is at least `times` as fast as `against`.
    #[must_use]
    pub fn faster(mut self, times: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::FasterBy(times);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Asks that `of` takes at most so many nanoseconds for each address.
    #[must_use]
    pub fn each(mut self, ns: f64, of: &'static str) -> Self {
        let (against, bound) = ("", Bound::Each(ns));
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Asks that `of` takes at most so many nanoseconds more than `against`.
    #[must_use]
    pub fn beyond(mut self, ns: f64, of: &'static str, against: &'static str) -> Self {
        let bound = Bound::Beyond(ns);
        self.targets.push(Target { of, against, bound });
        self
    }

    /// Asks that `of` takes at most so many nanoseconds a call, or of what else is
    /// counted.
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

    /// Sends all contestants away but the one that is to be counted, and warms it up.
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

    /// Returns how many calls each makes in a turn, and how many rounds there are; also
    /// warms all of them up.
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
        let all = calls(TURN, fastest);
        let bounded = each.iter().map(|call| all.min(calls(LONGEST_TURN, *call)));
        // A cast of a float saturates.
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

/// Returns the seconds of one call, from as many calls as make a quarter turn.
fn time_of_a_call(contestant: &mut Contestant<'_>, clock: Clock, cycle: u32) -> f64 {
    let mut calls = cycle;
    loop {
        let took = (contestant.turn)(calls, clock);
        if took >= TURN / 4 || calls >= 1 << 30 {
            return took.as_secs_f64().max(1e-9) / f64::from(calls);
        }
        calls *= 2;
    }
}

/// What a race gave.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The row it belongs to.
    pub row: &'static str,
    /// Which of the row's races it is.
    pub part: Cow<'static, str>,
    /// How much work a call was.
    pub sizes: Work,
    /// How time was taken.
    pub clock: Clock,
    /// Turns of each contestant.
    pub rounds: u32,
    /// One for each contestant, in the order of their turns.
    pub lanes: Vec<Lane>,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// Why it was not run, if it was not.
    #[serde(skip)]
    pub unmeasured: Option<String>,
}

impl Outcome {
    /// A race that could not be run, while others of its row could.
    #[must_use]
    pub fn unmeasured(row: &'static str, part: impl Into<Cow<'static, str>>, why: String) -> Self {
        Self {
            unmeasured: Some(why),
            ..Race::new(row, part, FileSizes::default()).run(0)
        }
    }

    /// Returns the first contestant of a role.
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
    fn contestants_take_turns_with_equal_calls() {
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
