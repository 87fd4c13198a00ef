//! From an address straight to its span, for batches that jump about.
//!
//! A table over the high bits of addresses, in front of a sorted list. Multiplying
//! by an odd constant near 2^64 divided by the golden ratio spreads consecutive
//! pages evenly over the table (Fibonacci hashing), so that hardly two meet. Each
//! slot names one span; whoever looks there must check that it is the right one, and
//! bisect when it is not.

use std::ops::Range;

use backsight_types::AbsAddr;

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The smallest page that the table tells apart: the processor's.
const MIN_SHIFT: u32 = 12;

/// Says that a slot names no span.
const EMPTY: u16 = u16::MAX;

/// The largest: 4 GiB.
const MAX_SHIFT: u32 = 32;

/// More pages than this would leave the processor's caches.
const MAX_PAGES: usize = 1 << 18;

/// A span may take this part of the pages: a gap of terabytes would take all.
const SHARE: u64 = 2;

/// So many multipliers are tried for one under which pages do not meet.
const TRIES: u32 = 3;

/// A table from pages to places in a list of spans.
#[derive(Debug, Default)]
pub(crate) struct PageIndex {
    /// A power of two of slots, or none.
    slots: Vec<u16>,
    hash: Hash,
    /// How many spans the list had when it was built.
    covered: usize,
}

/// From an address to its slot.
#[derive(Clone, Copy, Debug, Default)]
struct Hash {
    /// Takes the place in its page off an address. A mask costs less than a shift.
    page_mask: u64,
    multiplier: u64,
    hash_shift: u32,
}

impl Hash {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a hash is shifted down to the number of slots, 2^19 at the most"
    )]
    fn slot_of(self, addr: AbsAddr) -> usize {
        let page = addr.0 & self.page_mask;
        page.wrapping_mul(self.multiplier)
            .wrapping_shr(self.hash_shift) as usize
    }
}

/// A [`PageIndex`] to look things up in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'i> {
    slots: &'i [u16],
    hash: Hash,
}

impl View<'_> {
    /// Returns the place that the table names for `addr`: a guess.
    #[inline]
    pub(crate) fn place_of(self, addr: AbsAddr) -> usize {
        let slot = self.hash.slot_of(addr);
        // `EMPTY` is beyond what the table names, and so is the end of an empty one.
        self.slots
            .get(slot)
            .map_or(usize::MAX, |place| usize::from(*place))
    }
}

impl PageIndex {
    /// Returns a view for many lookups, which stays in registers.
    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        let Self { slots, hash, .. } = self;
        View { slots, hash: *hash }
    }

    /// Returns whether it was built for a list of this length.
    pub(crate) fn covers(&self, spans: usize) -> bool {
        self.covered == spans
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.covered = 0;
    }

    /// Builds the table for spans given as start and size, sorted, for `effort` pages
    /// at the most: it must cost less than it saves. The larger the spans, the larger
    /// the pages; a span beyond all others, such as a gap, is left to bisection.
    pub(crate) fn build<I>(&mut self, spans: I, effort: usize)
    where
        I: ExactSizeIterator<Item = (AbsAddr, u64)> + Clone,
    {
        self.clear();
        self.covered = spans.len();
        let effort = effort as u64;
        let count = |shift: u32| {
            let counts = spans.clone().map(|span| count_of(&pages_of(span, shift)));
            counts
                .filter(|count| *count <= effort / SHARE)
                .fold(0_u64, u64::saturating_add)
        };
        let fits = |shift: &u32| (1..=effort).contains(&count(*shift));
        let Some(shift) = (MIN_SHIFT..=MAX_SHIFT).step_by(2).find(fits) else {
            return;
        };
        let pages = usize::try_from(count(shift)).unwrap_or(usize::MAX);
        let slots = pages
            .clamp(8, MAX_PAGES)
            .next_power_of_two()
            .saturating_mul(4);
        self.hash.page_mask = u64::MAX.wrapping_shl(shift);
        self.hash.hash_shift = u64::BITS.saturating_sub(slots.trailing_zeros());
        let (mut spread, mut best) = (GOLDEN, (usize::MAX, GOLDEN));
        for _ in 0..TRIES {
            // A masked address is its page's number times the page's size, so the
            // multiplier is as much smaller.
            self.hash.multiplier = spread.wrapping_shr(shift) | 1;
            let met = self.fill(slots, spans.clone(), shift, effort);
            if met.saturating_mul(64) <= pages {
                return;
            }
            best = best.min((met, self.hash.multiplier));
            spread = spread.wrapping_mul(GOLDEN) | 1;
        }
        self.hash.multiplier = best.1;
        self.fill(slots, spans, shift, effort);
    }

    /// Fills the table, and returns how often a page met another.
    fn fill<I>(&mut self, slots: usize, spans: I, shift: u32, effort: u64) -> usize
    where
        I: Iterator<Item = (AbsAddr, u64)>,
    {
        self.slots.clear();
        self.slots.resize(slots, EMPTY);
        let mut met = 0_usize;
        // The list may be longer than the table can name; bisection serves the rest.
        for (place, span) in (0..EMPTY).zip(spans) {
            let pages = pages_of(span, shift);
            if count_of(&pages) > effort / SHARE {
                continue;
            }
            for page in pages {
                let slot = self.hash.slot_of(AbsAddr(page.wrapping_shl(shift)));
                if let Some(slot) = self.slots.get_mut(slot) {
                    // Neighbours share a page; whoever looks knows that.
                    let stranger = *slot != EMPTY && slot.wrapping_add(1) != place;
                    met = met.saturating_add(usize::from(stranger));
                    *slot = place;
                }
            }
        }
        met
    }
}

/// Returns the numbers of the pages that a span touches; none of an empty one.
fn pages_of((start, size): (AbsAddr, u64), shift: u32) -> Range<u64> {
    let Some(last) = size
        .checked_sub(1)
        .and_then(|last| start.0.checked_add(last))
    else {
        return 0..0;
    };
    start.0.wrapping_shr(shift)..last.wrapping_shr(shift).saturating_add(1)
}

fn count_of(pages: &Range<u64>) -> u64 {
    pages.end.saturating_sub(pages.start)
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;

    use super::PageIndex;

    /// A hundred spans of a page size each, every `step` bytes.
    fn spans(size: u64, step: u64) -> Vec<(AbsAddr, u64)> {
        (0..100)
            .map(|n| (AbsAddr(0x7f12_3450_0000 + n * step), size))
            .collect()
    }

    #[test]
    fn nearly_every_address_finds_its_span_at_once() {
        for (size, step, effort) in [
            (0x1_0000, 0x3_0000, 1000),
            (0x1_0000, 0x1_0000, 1000),
            (0x40_0000, 0x41_0000, 10_000),
            (0x400_0000, 0x500_0000, 10_000),
        ] {
            let spans = spans(size, step);
            let mut index = PageIndex::default();
            index.build(spans.iter().copied(), effort);
            let mut missed = 0;
            for (place, (start, size)) in spans.iter().enumerate() {
                for nth in 0..100 {
                    let named = index.view().place_of(AbsAddr(start.0 + nth * (size / 100)));
                    // A neighbour shares the page.
                    missed += usize::from(named != place && named != place + 1);
                }
            }
            assert!(
                missed < 300,
                "{size:#x} every {step:#x}: {missed} of 10,000 missed"
            );
        }
    }

    #[test]
    fn an_empty_table_and_a_span_too_large_name_nothing() {
        let mut index = PageIndex::default();
        assert!(index.view().place_of(AbsAddr(0x1000)) > 60_000);
        index.build(
            [(AbsAddr(0), u64::MAX), (AbsAddr(u64::MAX), 1)].into_iter(),
            100,
        );
        assert!(index.view().place_of(AbsAddr(0x1000)) > 60_000);
        index.build([(AbsAddr(0), 0)].into_iter(), 100);
        assert!(index.view().place_of(AbsAddr(0)) > 60_000);
    }
}
