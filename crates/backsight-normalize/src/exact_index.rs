//! A table from pages to answers, without a search.
//!
//! It has a slot for every page of one part of the address space, usually that of the
//! libraries. A slot has the number of the answer for the whole page, so a lookup needs
//! no check and no branch:
//!
//! ```text
//!   address ──▶ page ──▶ slot ──▶ answer for address 0 ──▶ outcome
//! ```
//!
//! Addresses without an answer, or outside the table, get
//! [`PENDING`](crate::span::PENDING).

use backsight_types::{AbsAddr, Outcome};

use crate::answers::{ANSWERS, BatchAnswers};
use crate::missed::Missed;
use crate::page_numbers::{Numbers, PAGE_SHIFT};
use crate::span::Span;

/// A table of this many pages, 8 KiB of slots, is always allowed.
const MIN_SLOTS: usize = 1 << 12;

/// The maximum number of slots: more would not fit the caches close to the core.
const MAX_SLOTS: usize = 1 << 16;

/// The number of slots allowed for each expected address. Clearing a slot costs a
/// sixteenth of an instruction.
const SLOTS_PER_ADDRESS: usize = 8;

/// The number of addresses that are sampled from the expected ones.
const SAMPLES: usize = 64;

/// A range is used if it contains at least this many of the [`SAMPLES`].
const MIN_INSIDE: usize = SAMPLES / 4 * 3;

/// A table from pages to answers.
#[derive(Debug, Default)]
pub(crate) struct ExactIndex {
    /// The number of the first page.
    first: u64,
    /// For each page the number of its answer, 0 if there is none. Empty if there is no
    /// table.
    slots: Vec<u16>,
    /// The answers of the spans, numbered from 1.
    answers: BatchAnswers,
    /// The number of spans that have an answer.
    named: usize,
    /// Whether some of the addresses that it was built for lie outside.
    some_outside: bool,
}

impl ExactIndex {
    /// Returns whether there is a table.
    pub(crate) fn is_built(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Returns whether some of the addresses that it was built for lie outside.
    pub(crate) fn some_outside(&self) -> bool {
        self.some_outside
    }

    /// Returns whether it has the answer of the span at this position.
    pub(crate) fn holds(&self, at: usize, span: &Span) -> bool {
        let (start, end) = whole_pages(span);
        let last = self.first.saturating_add(self.slots.len() as u64);
        at < self.named && start < last && end > self.first
    }

    /// Removes the table.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.named = 0;
    }

    /// Builds the table for sorted spans and `count` addresses like the expected ones. It
    /// covers the range that most of them lie in, if one is short enough.
    pub(crate) fn build(&mut self, spans: &[Span], coming: &[AbsAddr], count: usize) {
        self.clear();
        let room = count.saturating_mul(SLOTS_PER_ADDRESS);
        let room = room.clamp(MIN_SLOTS, MAX_SLOTS) as u64;
        let Some((lowest, highest, most)) = densest_range(coming, room) else {
            return;
        };
        self.some_outside = most < coming.len().min(SAMPLES);
        // Extends the range to more spans, as far as there is room.
        let from = highest.saturating_sub(room);
        let (mut first, mut end) = (lowest, highest.saturating_add(1));
        for span in spans.iter().filter(|span| !span.is_gap()) {
            let (start, page_end) = whole_pages(span);
            if start >= from {
                first = first.min(start);
            }
            if page_end <= first.saturating_add(room) {
                end = end.max(page_end);
            }
        }
        let pages = usize::try_from(end.saturating_sub(first)).unwrap_or_default();
        self.first = first;
        self.slots.resize(pages, 0);
        let spans = spans.get(..ANSWERS.saturating_sub(1)).unwrap_or(spans);
        self.named = spans.len();
        self.answers.prepare(spans, self.some_outside);
        for (span, number) in spans.iter().zip(1_u16..) {
            let (start, end) = whole_pages(span);
            let slot = |page: u64| usize::try_from(page.saturating_sub(first)).unwrap_or(pages);
            let slots = slot(start).min(pages)..slot(end).min(pages);
            self.slots.get_mut(slots).unwrap_or_default().fill(number);
        }
    }

    /// Updates the answer of the span at this position, valid or stale.
    pub(crate) fn put(&mut self, at: usize, span: &Span) {
        if at < self.named
            && let Ok(at) = u32::try_from(at)
        {
            self.answers.put(at.saturating_add(1), span);
        }
    }

    /// Sets all answers to pending, after all spans were marked stale.
    pub(crate) fn mark_all_stale(&mut self) {
        self.answers.mark_all_stale();
    }

    /// Appends an outcome for each address, in any order. Those without an answer are
    /// [`PENDING`](crate::span::PENDING): their positions are recorded in `missed`, and
    /// their number is returned.
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

/// Returns the lowest and the highest page of the range of at most `room` pages that
/// contains the most samples, and the number of these samples. Returns `None` if there
/// are too few.
fn densest_range(addrs: &[AbsAddr], room: u64) -> Option<(u64, u64, usize)> {
    let mut samples = [0; SAMPLES];
    let step = (addrs.len() / SAMPLES).max(1);
    let sampled = samples.iter_mut().zip(addrs.iter().step_by(step));
    let count = sampled
        .map(|(sample, addr)| *sample = addr.0.wrapping_shr(PAGE_SHIFT))
        .count();
    let samples = samples.get_mut(..count)?;
    samples.sort_unstable();
    let enough = count.saturating_mul(MIN_INSIDE) / SAMPLES;
    let ends = |of: &[u64]| Some((*of.first()?, *of.last()?));
    (enough.max(1)..=count).rev().find_map(|many| {
        let mut crowds = samples.windows(many).filter_map(ends);
        let (low, high) = crowds.find(|(low, high)| high.saturating_sub(*low) < room)?;
        Some((low, high, many))
    })
}

/// Returns the numbers of the first page that lies completely in a span, and of the first
/// page after the last such page.
fn whole_pages(span: &Span) -> (u64, u64) {
    let range = span.range();
    let page = |addr: AbsAddr| addr.0.wrapping_shr(PAGE_SHIFT);
    let into_page = u64::MAX.wrapping_shl(PAGE_SHIFT) ^ u64::MAX;
    let starts_inside = u64::from(range.start.0 & into_page != 0);
    let start = page(range.start).saturating_add(starts_inside);
    (start, page(range.end).max(start))
}
