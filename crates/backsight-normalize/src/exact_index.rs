//! From an address straight to its answer, where each page has one.
//!
//! A table with a slot for every page of one stretch of the address space, most often
//! that of the libraries. A slot names the answer that holds for all of its page, so
//! nothing is checked and nothing branches:
//!
//! ```text
//!   address ──▶ page ──▶ slot ──▶ answer for address 0 ──▶ outcome
//! ```
//!
//! What has no answer, or lies outside, gets [`PENDING`](crate::span::PENDING).

use backsight_types::{AbsAddr, Outcome};

use crate::answers::{ANSWERS, BatchAnswers};
use crate::missed::Missed;
use crate::page_numbers::{Numbers, PAGE_SHIFT};
use crate::span::Span;

/// So many pages are always borne: 8 KiB of slots.
const LEAST_SLOTS: usize = 1 << 12;

/// More would leave the nearer caches.
const MOST_SLOTS: usize = 1 << 16;

/// Slots for each address that comes: to clear one costs a sixteenth of an instruction.
const SLOTS_AN_ADDRESS: usize = 8;

/// So many addresses stand for all that come.
const SAMPLES: usize = 64;

/// A stretch pays that at least so many of the [`SAMPLES`] lie in.
const ENOUGH: usize = SAMPLES / 4 * 3;

/// A table from pages to answers.
#[derive(Debug, Default)]
pub(crate) struct ExactIndex {
    /// The number of the first page.
    first: u64,
    /// For each page the number of its answer, 0 when there is none. Empty when there is
    /// no table.
    slots: Vec<u16>,
    /// Of each span, counted from 1.
    answers: BatchAnswers,
    /// How many spans have one.
    named: usize,
    /// Whether some of the addresses that it was built for lie outside.
    is_passed: bool,
}

impl ExactIndex {
    /// Returns whether there is a table.
    pub(crate) fn is_built(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Returns whether some of the addresses that it was built for lie outside.
    pub(crate) fn is_passed(&self) -> bool {
        self.is_passed
    }

    /// Returns whether it answers for the span at this place.
    pub(crate) fn holds(&self, at: usize, span: &Span) -> bool {
        let (start, behind) = whole_pages(span);
        let last = self.first.saturating_add(self.slots.len() as u64);
        at < self.named && start < last && behind > self.first
    }

    /// Forgets the table.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.named = 0;
    }

    /// Builds the table for sorted spans and `count` addresses like those that come: of
    /// the stretch that most of them lie in, if there is one that is not too long.
    pub(crate) fn build(&mut self, spans: &[Span], coming: &[AbsAddr], count: usize) {
        self.clear();
        let room = count.saturating_mul(SLOTS_AN_ADDRESS);
        let room = room.clamp(LEAST_SLOTS, MOST_SLOTS) as u64;
        let Some((lowest, highest, most)) = crowd(coming, room) else {
            return;
        };
        self.is_passed = most < coming.len().min(SAMPLES);
        // As much more of what is known as there is room for.
        let from = highest.saturating_sub(room);
        let (mut first, mut end) = (lowest, highest.saturating_add(1));
        for span in spans.iter().filter(|span| !span.is_gap()) {
            let (start, behind) = whole_pages(span);
            if start >= from {
                first = first.min(start);
            }
            if behind <= first.saturating_add(room) {
                end = end.max(behind);
            }
        }
        let pages = usize::try_from(end.saturating_sub(first)).unwrap_or_default();
        self.first = first;
        self.slots.resize(pages, 0);
        let spans = spans.get(..ANSWERS.saturating_sub(1)).unwrap_or(spans);
        self.named = spans.len();
        self.answers.prepare(spans, self.is_passed);
        for (span, number) in spans.iter().zip(1_u16..) {
            let (start, behind) = whole_pages(span);
            let slot = |page: u64| usize::try_from(page.saturating_sub(first)).unwrap_or(pages);
            let slots = slot(start).min(pages)..slot(behind).min(pages);
            self.slots.get_mut(slots).unwrap_or_default().fill(number);
        }
    }

    /// Takes note of what the span at this place is now, valid or stale.
    pub(crate) fn put(&mut self, at: usize, span: &Span) {
        if at < self.named
            && let Ok(at) = u32::try_from(at)
        {
            self.answers.put(at.saturating_add(1), span);
        }
    }

    /// Takes note that all spans were marked stale.
    pub(crate) fn mark_all_stale(&mut self) {
        self.answers.mark_all_stale();
    }

    /// Appends an outcome for each address, in any order; [`PENDING`](crate::span::PENDING) for
    /// those that it notes in `missed`. Returns how many these are.
    pub(crate) fn answer(
        &self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
        missed: &mut Missed,
    ) -> usize {
        let numbers = Numbers {
            first: self.first,
            slots: &self.slots,
        };
        self.answers.answer(numbers, addrs, outcomes, missed)
    }
}

/// Returns the lowest and the highest page of the most crowded stretch of addresses, no
/// longer than `room`, if it has enough of them; and how many samples it has.
fn crowd(addrs: &[AbsAddr], room: u64) -> Option<(u64, u64, usize)> {
    let mut samples = [0; SAMPLES];
    let step = (addrs.len() / SAMPLES).max(1);
    let sampled = samples.iter_mut().zip(addrs.iter().step_by(step));
    let count = sampled
        .map(|(sample, addr)| *sample = addr.0.wrapping_shr(PAGE_SHIFT))
        .count();
    let samples = samples.get_mut(..count)?;
    samples.sort_unstable();
    let enough = count.saturating_mul(ENOUGH) / SAMPLES;
    let ends = |of: &[u64]| Some((*of.first()?, *of.last()?));
    (enough.max(1)..=count).rev().find_map(|many| {
        let mut crowds = samples.windows(many).filter_map(ends);
        let (low, high) = crowds.find(|(low, high)| high.saturating_sub(*low) < room)?;
        Some((low, high, many))
    })
}

/// Returns the numbers of the first page that lies in a span as a whole, and of the
/// first behind those.
fn whole_pages(span: &Span) -> (u64, u64) {
    let range = span.range();
    let page = |addr: AbsAddr| addr.0.wrapping_shr(PAGE_SHIFT);
    let into_page = u64::MAX.wrapping_shl(PAGE_SHIFT) ^ u64::MAX;
    let begins_inside = u64::from(range.start.0 & into_page != 0);
    let start = page(range.start).saturating_add(begins_inside);
    (start, page(range.end).max(start))
}
