//! The inner loop: addresses against what is known, and questions for the rest.
//!
//! Sorted addresses come in runs: one lookup for each span, then a loop without a
//! branch. The order is not looked at beforehand, which would cost as much as the
//! answer; a run checks its own addresses instead, and the first one that does not
//! go up sends the rest the other way. Addresses that jump about go through an index
//! over pages, built once nothing new turns up. By text, which can only be read
//! upwards, they are sorted first.

use backsight_types::{AbsAddr, AbsRange, Outcome, Reason};
use vma_query::{Error, Vma};

use crate::span::Span;
use crate::vma_cache::{Found, VmaCache};

/// From here on addresses are the kernel's, on every machine that Linux runs on
/// with 64 bits: 5-level paging on x86-64 begins the upper half here, the others
/// above. No user memory is ever there, so nothing is asked.
const KERNEL: AbsAddr = AbsAddr(0xff00_0000_0000_0000);

/// What holds there.
const IN_KERNEL: Span = Span::from(KERNEL, Reason::Kernel);

/// Stands for an outcome as long as it is open, and for good when the process ends.
const OPEN: Outcome = Outcome::Unresolved(Reason::ProcessGone);

/// So many addresses are looked up between two looks at whether an index pays.
const CHUNK: usize = 256;

/// So many bisections cost as much as building an index: 512 of 20 ns each.
const WORTH_AN_INDEX: usize = 512;

/// How many addresses of a chunk went the slow way.
#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    /// They were known, and the index did not name them.
    bisected: usize,
    /// They had to be asked about.
    asked: usize,
}

/// What addresses are looked up in: a process as it is now, or as it was.
pub(crate) trait Ground {
    /// Whether going down costs as much as beginning again.
    fn reads_upwards(&self) -> bool;

    /// Returns the VMA that covers `addr` now, or else the first above it.
    fn vma_now(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error>;

    /// Returns whether `outcome` is still that of the first byte of a VMA with the same
    /// range as before.
    fn is_still(&self, vma: &Vma, outcome: Outcome) -> bool;

    /// Returns what `addr` lies in, of which nothing is known yet.
    fn lie_at(&mut self, addr: AbsAddr) -> Result<Lie, Error>;
}

/// What an address lies in.
pub(crate) enum Lie {
    /// Nothing, up to the start of the next VMA, if there is one.
    Gap(Option<AbsAddr>),
    /// A VMA, and the outcome of its first byte.
    Vma(Vma, Outcome),
}

/// What one call works with.
pub(crate) struct Pass<'p, G> {
    pub(crate) ground: G,
    pub(crate) cache: &'p mut VmaCache,
    /// Room for the places of addresses in sorted order.
    pub(crate) order: &'p mut Vec<usize>,
}

impl<G: Ground> Pass<'_, G> {
    /// Puts one outcome for each address into `outcomes`, which must be empty. When
    /// the process ends on the way, those still open are [`Reason::ProcessGone`].
    ///
    /// # Errors
    /// Those of the first question; and a text that came out torn or malformed.
    pub(crate) fn run(
        mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        self.cache.begin();
        outcomes.reserve(addrs.len());
        let done = self.run_upwards(addrs, outcomes);
        match done {
            Err(Error::ProcessGone) if !outcomes.is_empty() => {
                outcomes.resize(addrs.len(), OPEN);
                Ok(())
            }
            done => done,
        }
    }

    fn run_upwards(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let mut rest = addrs;
        let mut below = AbsAddr(0);
        while let Some(first) = rest.first() {
            if *first < below {
                break;
            }
            let span = self.span_at(*first)?;
            let answered = outcomes.len();
            let (run, behind) = rest
                .split_at_checked(span.run_of(rest).max(1))
                .unwrap_or((rest, &[]));
            if !span.answer_run(run, outcomes) {
                outcomes.truncate(answered);
                break;
            }
            below = run.last().copied().unwrap_or(below);
            rest = behind;
        }
        match rest.is_empty() {
            true => Ok(()),
            false if self.ground.reads_upwards() => self.run_sorted(rest, outcomes),
            false => self.run_jumping(rest, outcomes),
        }
    }

    /// Addresses in any order, where any order costs the same.
    fn run_jumping(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let mut rest = addrs;
        loop {
            let (chunk, behind) = rest.split_at_checked(CHUNK).unwrap_or((rest, &[]));
            let first = outcomes.len();
            let (known, mut missed) = (self.cache.jumps(), false);
            let note = &mut missed;
            // `move` keeps what is known in registers, past the writes.
            outcomes.extend(chunk.iter().map(move |addr| match known.span_at(*addr) {
                Some(span) => span.outcome(*addr),
                None => {
                    *note = true;
                    OPEN
                }
            }));
            let slow = match missed {
                true => self.answer_open(chunk, outcomes.get_mut(first..).unwrap_or_default())?,
                false => Slow::default(),
            };
            if behind.is_empty() {
                return Ok(());
            }
            rest = behind;
            // While most of what comes is new, an index would be outdated at once.
            let to_save = slow.bisected.saturating_mul(rest.len() / CHUNK);
            if slow.asked < CHUNK / 2 && to_save > WORTH_AN_INDEX {
                self.cache.build_index(rest.len());
            }
        }
    }

    /// Addresses in any order, where going down means to begin again.
    fn run_sorted(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let first = outcomes.len();
        self.order.clear();
        self.order.extend(0..addrs.len());
        self.order.sort_unstable_by_key(|place| addrs.get(*place));
        // Those that are never reached have been lost with the process.
        outcomes.resize(first.saturating_add(addrs.len()), OPEN);
        let mut span = Span::nowhere();
        for nth in 0..addrs.len() {
            let Some(place) = self.order.get(nth).copied() else {
                break;
            };
            let Some(addr) = addrs.get(place).copied() else {
                break;
            };
            if !span.contains(addr) {
                span = self.span_at(addr)?;
            }
            if let Some(outcome) = outcomes.get_mut(first.saturating_add(place)) {
                *outcome = span.outcome(addr);
            }
        }
        Ok(())
    }

    /// Answers those that the index did not.
    #[cold]
    fn answer_open(&mut self, addrs: &[AbsAddr], outcomes: &mut [Outcome]) -> Result<Slow, Error> {
        let mut slow = Slow::default();
        for (addr, outcome) in addrs.iter().zip(outcomes) {
            if *outcome != OPEN {
                continue;
            }
            let span = match self.cache.find(*addr) {
                Found::Open(span) => {
                    slow.bisected = slow.bisected.saturating_add(1);
                    span
                }
                found => {
                    slow.asked = slow.asked.saturating_add(usize::from(*addr < KERNEL));
                    self.span_from(found, *addr)?
                }
            };
            *outcome = span.outcome(*addr);
        }
        Ok(slow)
    }

    /// Returns the span that holds for `addr`: a known one, or what the kernel says.
    fn span_at(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let found = self.cache.find(addr);
        self.span_from(found, addr)
    }

    fn span_from(&mut self, found: Found, addr: AbsAddr) -> Result<Span, Error> {
        match found {
            _ if addr >= KERNEL => Ok(IN_KERNEL),
            Found::Open(span) => Ok(span),
            Found::Nothing => self.learn(addr),
            // A name costs half as much again as the question, and is known.
            Found::Closed(slot, span) => match self.ground.vma_now(addr)? {
                Some(now) if now.contains(addr) => {
                    if now.range() == span.range()
                        && self.ground.is_still(&now, span.outcome(now.start))
                    {
                        self.cache.open(slot);
                        return Ok(span.opened());
                    }
                    self.learn(addr)
                }
                next => Ok(self.gap(addr, next.map(|next| next.start))),
            },
        }
    }

    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        match self.ground.lie_at(addr)? {
            Lie::Gap(next) => Ok(self.gap(addr, next)),
            Lie::Vma(vma, outcome) => {
                let span = Span::of_vma(&vma, outcome);
                self.cache.insert(span);
                Ok(span)
            }
        }
    }

    /// One answer proves a gap up to the VMA it names, or up to the end.
    fn gap(&mut self, addr: AbsAddr, next: Option<AbsAddr>) -> Span {
        let end = next.unwrap_or(KERNEL).min(KERNEL);
        let range = AbsRange { start: addr, end };
        let span = Span::of(range, Outcome::Unresolved(Reason::Unmapped));
        self.cache.insert(span);
        span
    }
}
