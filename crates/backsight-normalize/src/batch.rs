//! The inner loop: looks addresses up in the cache, and queries the source for the
//! others.
//!
//! Sorted addresses are processed in runs: one lookup for each span, then a branch-free
//! loop. A check of the order beforehand would cost as much as the answers. Instead each
//! run checks its own addresses; from the first one that is lower than the one before,
//! the rest is processed in waves.
//!
//! Unsorted addresses are processed in waves:
//!
//! ```text
//!   wave 1: 64 addresses     all pending: sorted, and queried in ascending order ─┐
//!   wave 2: 512      ┌─── index over pages ◀── the spans of the waves before ◀────┘
//!   wave 3: 4,096    ▼
//!     …              most are answered by the index; those still pending are sorted …
//! ```
//!
//! So each VMA and each gap costs at most one query in a wave, a gap is queried at its
//! lowest address, and new spans are added in order. A live text can only be read
//! forwards, so then all addresses are one wave.

use std::mem;

use backsight_types::{AbsAddr, Outcome, Reason};
use vma_query::{Error, Vma};

use crate::missed::{BLOCK, Missed};
use crate::packing::{self, Packed, Packing};
use crate::span::{KERNEL, NEAR, Span};
use crate::vma_cache::{FoundSpan, Slot, VmaCache};

/// The span of the kernel half.
const IN_KERNEL: Span = Span::from(KERNEL, Reason::Kernel);

/// The number of addresses in the first wave. For most processes, this is enough to find
/// all spans.
const FIRST_WAVE: usize = 64;

/// How many times larger each wave is than the one before.
const GROWTH: usize = 8;

/// The initial capacity for pending addresses: more are rare.
const USUALLY_PENDING: usize = 1024;

/// The maximum size of a wave: up to this size, packed addresses sort in the order of
/// their pages.
const LARGEST_WAVE: usize = packing::MAX_PLACES;

/// Where VMAs are looked up: in a live process, a saved text, or a replayed trace.
pub(crate) trait VmaSource {
    /// Whether a query for a lower address reads everything from the start.
    fn reads_upwards(&self) -> bool;

    /// Returns the VMA that covers `addr` now, or else the first above it.
    fn vma_now(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error>;

    /// Returns whether `outcome` is still that of the first byte of a VMA with the same
    /// range as before.
    fn is_still(&self, vma: &Vma, outcome: Outcome) -> bool;

    /// Returns the span that contains `addr`, which the cache does not have.
    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error>;
}

/// The state of one call.
pub(crate) struct BatchRun<'p, G> {
    pub(crate) source: G,
    pub(crate) cache: &'p mut VmaCache,
    /// Room for those addresses of a wave that are still pending.
    pub(crate) pending: &'p mut Vec<Packed>,
}

impl<G: VmaSource> BatchRun<'_, G> {
    /// Puts one outcome for each address into `outcomes`, which must be empty.
    ///
    /// # Errors
    /// Those of the queries. If the process ends during the call, [`Error::ProcessGone`], with
    /// the outcomes so far.
    pub(crate) fn run(
        mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        self.cache.begin();
        outcomes.reserve(addrs.len());
        self.run_upwards(addrs, outcomes)
    }

    fn run_upwards(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let mut rest = addrs;
        let mut below = AbsAddr(0);
        while let Some(first) = rest.first() {
            if *first < below {
                break;
            }
            let span = self.span_at(*first)?;
            let near = span.near(rest).max(1);
            let run = if near < NEAR { near } else { span.run_of(rest) };
            let (run, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
            if near < NEAR {
                outcomes.extend(run.iter().map(|addr| span.outcome(*addr)));
            } else {
                let answered = span.answer_run(run, outcomes);
                if answered < run.len() {
                    rest = rest.get(answered..).unwrap_or_default();
                    break;
                }
            }
            below = run.last().copied().unwrap_or(below);
            rest = after;
        }
        let mut wave = match self.source.reads_upwards() {
            true => LARGEST_WAVE,
            false => FIRST_WAVE,
        };
        while !rest.is_empty() {
            let (now, after) = rest.split_at_checked(wave).unwrap_or((rest, &[]));
            self.run_wave(now, outcomes)?;
            rest = after;
            wave = wave.saturating_mul(GROWTH).min(LARGEST_WAVE);
            self.cache.build_index(rest.get(..wave).unwrap_or(rest));
        }
        Ok(())
    }

    /// Processes unsorted addresses: first those that the index answers, then the others
    /// in ascending order.
    fn run_wave(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let first = outcomes.len();
        self.pending.clear();
        self.pending.reserve(addrs.len().min(USUALLY_PENDING));
        let (packing, mut all_bits) = (Packing::of(addrs.len()), 0);
        let mut missed = Missed::new();
        for (places, block) in (0_u64..).step_by(BLOCK).zip(addrs.chunks(BLOCK)) {
            let from = outcomes.len();
            let count = self.cache.answer_unsorted(block, outcomes, &mut missed);
            let answers = outcomes.get_mut(from..).unwrap_or_default();
            for nth in 0..count {
                let at = missed.at(nth);
                let place = places.saturating_add(u64::from(at));
                let at = usize::from(at);
                match (block.get(at), answers.get_mut(at)) {
                    (Some(addr), Some(answer)) if *addr >= KERNEL => {
                        *answer = IN_KERNEL.outcome(*addr);
                    }
                    (Some(addr), _) => {
                        all_bits |= addr.0;
                        self.pending.push(packing.pack(*addr, place));
                    }
                    _ => {}
                }
            }
        }
        let addr_of = |pending: &Packed| addrs.get(packing.place_of(*pending));
        match packing::keeps_order(all_bits) {
            true => self.pending.sort_unstable(),
            false => self.pending.sort_unstable_by_key(addr_of),
        }
        let answers = outcomes.get_mut(first..).unwrap_or_default();
        self.answer_pending(packing, addrs, answers)
    }

    /// Answers the addresses that the index did not, in ascending order.
    fn answer_pending(
        &mut self,
        packing: Packing,
        addrs: &[AbsAddr],
        outcomes: &mut [Outcome],
    ) -> Result<(), Error> {
        let pending = mem::take(self.pending);
        let mut span = Span::nowhere();
        for place in pending.iter().map(|pending| packing.place_of(*pending)) {
            let (Some(addr), Some(outcome)) = (addrs.get(place), outcomes.get_mut(place)) else {
                continue;
            };
            if !span.contains(*addr) {
                span = self.span_at(*addr)?;
            }
            *outcome = span.outcome(*addr);
        }
        *self.pending = pending;
        Ok(())
    }

    /// Returns the span that contains `addr`: from the cache, or else from the source.
    #[inline]
    fn span_at(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let found = self.cache.find(addr);
        self.span_from(found, addr)
    }

    #[inline]
    fn span_from(&mut self, found: FoundSpan, addr: AbsAddr) -> Result<Span, Error> {
        match found {
            _ if addr >= KERNEL => Ok(IN_KERNEL),
            FoundSpan::Valid(span) => Ok(span),
            FoundSpan::Nothing(between) => {
                let span = self.source.learn(addr)?;
                self.cache.insert_between(between, span);
                Ok(span)
            }
            FoundSpan::Stale(slot, span) => self.ask_again(slot, span, addr),
        }
    }

    /// Checks whether the stale span that contains `addr` is still valid.
    #[inline]
    fn ask_again(&mut self, slot: Slot, span: Span, addr: AbsAddr) -> Result<Span, Error> {
        // The name is not queried: it is known, and would cost half as much again.
        if span.is_gap() {
            return self.ask_gap_again(slot, span, addr);
        }
        match self.source.vma_now(addr)? {
            Some(now) if now.contains(addr) => {
                let is_same = now.range() == span.range();
                if is_same && self.source.is_still(&now, span.outcome(now.start)) {
                    self.cache.confirm(slot);
                    return Ok(span.revalidated());
                }
                self.learn(addr)
            }
            next => Ok(self.insert(Span::gap(addr, next))),
        }
    }

    /// Checks a stale gap. It is queried at its start, so that one answer proves all of
    /// it.
    #[cold]
    fn ask_gap_again(&mut self, slot: Slot, span: Span, addr: AbsAddr) -> Result<Span, Error> {
        let next = self.source.vma_now(span.start())?;
        if next.is_some_and(|next| next.start <= addr) {
            return self.learn(addr);
        }
        let now = Span::gap(span.start(), next);
        if now.range() != span.range() {
            return Ok(self.insert(now));
        }
        self.cache.confirm(slot);
        Ok(now)
    }

    #[inline]
    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let span = self.source.learn(addr)?;
        Ok(self.insert(span))
    }

    #[inline]
    fn insert(&mut self, span: Span) -> Span {
        self.cache.insert(span);
        span
    }
}
