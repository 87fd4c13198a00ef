//! A hash table from pages to spans, for unsorted addresses.
//!
//! It maps the high bits of addresses to positions in a sorted list of spans. Each slot
//! has the position of one span. The caller must check that the span contains the
//! address, and use binary search if it does not. There are two hash functions, which use
//! the same three instructions:
//!
//! - if spans lie close to each other, as those of libraries do: the low bits of the page
//!   number. Adjacent pages have adjacent slots and do not collide. Spans far away, such
//!   as the stack, are moved to other slots if they would collide;
//! - otherwise: a multiplication by an odd constant near 2^64 divided by the golden
//!   ratio, which distributes pages evenly over a table four times as large (Fibonacci
//!   hashing).

use std::ops::Range;

use backsight_types::{AbsAddr, AbsRange};

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The smallest page of the table, as log2: the smallest page of the processor.
const MIN_SHIFT: u32 = 12;

/// The value of a slot without a span.
pub(crate) const EMPTY: u16 = u16::MAX;

/// The largest page of the table, as log2: 4 GiB.
const MAX_SHIFT: u32 = 32;

/// A smaller table would not be cheaper.
const MIN_PAGES: usize = 64;

/// The maximum number of pages: more would not fit the processor's caches.
const MAX_PAGES: usize = 1 << 18;

/// A span may take at most one page in this many. Otherwise a gap of terabytes would take
/// all pages.
const SHARE: u64 = 2;

/// A table from pages to positions in a list of spans.
#[derive(Debug, Default)]
pub(crate) struct PageIndex {
    /// The slots: their number is a power of two, or 0.
    slots: Vec<u16>,
    hash: Hash,
}

/// The hash function from an address to its slot.
#[derive(Clone, Copy, Debug, Default)]
struct Hash {
    /// Clears the bits of an address within its page. A mask costs less than a shift.
    page_mask: u64,
    multiplier: u64,
    hash_shift: u32,
}

impl Hash {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the hash is shifted to the number of slots, at most 2^19"
    )]
    fn slot_of(self, addr: AbsAddr) -> usize {
        let page = addr.0 & self.page_mask;
        page.wrapping_mul(self.multiplier)
            .wrapping_shr(self.hash_shift) as usize
    }
}

/// A view of a [`PageIndex`] for lookups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'i> {
    slots: &'i [u16],
    hash: Hash,
}

impl View<'_> {
    /// Returns whether no page has two spans, which is so if the pages are those of the
    /// processor.
    #[inline]
    pub(crate) fn is_exact(self) -> bool {
        self.hash.page_mask == u64::MAX.wrapping_shl(MIN_SHIFT)
    }

    /// Returns whether there is a table.
    pub(crate) fn is_built(self) -> bool {
        !self.slots.is_empty()
    }

    /// Returns the position that the table has for `addr`, which may be wrong.
    #[inline]
    pub(crate) fn place_of(self, addr: AbsAddr) -> usize {
        // The mask has no effect, but it lets the compiler omit the bounds check.
        let slot = self.hash.slot_of(addr) & self.slots.len().wrapping_sub(1);
        self.slots
            .get(slot)
            .map_or(usize::MAX, |place| usize::from(*place))
    }
}

impl PageIndex {
    /// Returns a view for many lookups, whose fields can stay in registers.
    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        let Self { slots, hash, .. } = self;
        View { slots, hash: *hash }
    }

    /// Removes the table.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Builds the table for sorted spans, each with the number to store in its slots. The
    /// table has at most `effort` pages, so that building it costs less than it saves.
    /// The larger the spans, the larger the pages. A span much larger than the others,
    /// such as a gap, is left to binary search.
    pub(crate) fn build(&mut self, spans: &[(u16, AbsRange)], effort: usize) {
        self.clear();
        let ranges = spans.iter().map(|(_, range)| *range);
        let effort = effort.min(MAX_PAGES) as u64;
        let large = effort / SHARE;
        let fits = |shift: &u32| (1..=effort).contains(&pages_in(ranges.clone(), *shift, large));
        let Some(shift) = (MIN_SHIFT..=MAX_SHIFT).step_by(2).find(fits) else {
            return;
        };
        let small = ranges.filter(|span| (1..=large).contains(&count_of(&pages_of(*span, shift))));
        let pages = pages_in(small.clone(), shift, large);
        let slots = usize::try_from(pages)
            .unwrap_or(MAX_PAGES)
            .clamp(MIN_PAGES, MAX_PAGES)
            .next_power_of_two()
            .saturating_mul(4);
        let lowest = small.clone().next().map_or(0, |span| span.start.0);
        let highest = small.clone().next_back().map_or(0, |span| span.end.0);
        let reach = usize::try_from(highest.wrapping_sub(lowest).wrapping_shr(shift));
        let reach = reach.unwrap_or(usize::MAX).saturating_add(2);
        // A table over the whole range has no collisions. Otherwise pages may collide.
        let slots = match reach <= slots {
            true => reach.next_power_of_two(),
            false => slots,
        };
        self.hash.page_mask = u64::MAX.wrapping_shl(shift);
        self.hash.hash_shift = u64::BITS.saturating_sub(slots.trailing_zeros());
        let mut best = (usize::MAX, 0);
        for (multiplier, slots_per_collision) in multipliers(self.hash.hash_shift, shift) {
            self.hash.multiplier = multiplier;
            let met = self.fill(slots, spans, shift, large);
            if met.saturating_mul(slots_per_collision) <= slots {
                return;
            }
            best = best.min((met, multiplier));
        }
        self.hash.multiplier = best.1;
        self.fill(slots, spans, shift, large);
    }

    /// Fills the table, and returns the number of collisions.
    fn fill(&mut self, slots: usize, spans: &[(u16, AbsRange)], shift: u32, large: u64) -> usize {
        self.slots.clear();
        self.slots.resize(slots, EMPTY);
        let (mut met, mut last) = (0_usize, None);
        for (place, span) in spans {
            let pages = pages_of(*span, shift);
            if count_of(&pages) > large {
                continue;
            }
            for page in pages {
                // Adjacent spans may share a page; the lookup handles that.
                let shared = last.replace(page) == Some(page);
                let slot = self.hash.slot_of(AbsAddr(page.wrapping_shl(shift)));
                if let Some(slot) = self.slots.get_mut(slot) {
                    met = met.saturating_add(usize::from(*slot != EMPTY && !shared));
                    *slot = *place;
                }
            }
        }
        met
    }
}

/// Returns the multipliers in the order in which they are tried, each with the number of
/// slots that there must be for each collision.
fn multipliers(hash_shift: u32, shift: u32) -> [(u64, usize); 6] {
    let in_a_row = 1_u64.wrapping_shl(hash_shift.wrapping_sub(shift));
    // Adds the high bits of the page number to the slot, so that libraries and the stack,
    // which are far from each other, get different slots.
    let aside = |power: u32| in_a_row | in_a_row.wrapping_shr(power);
    // A masked address is the page number times the page size, so the multiplier is
    // divided by the page size.
    let spread = |power: u32| GOLDEN.wrapping_pow(power).wrapping_shr(shift) | 1;
    [
        (in_a_row, 2048),
        (aside(13), 2048),
        (aside(14), 2048),
        (aside(15), 2048),
        (spread(1), 256),
        (spread(3), 256),
    ]
}

/// Returns how many pages are touched by the spans that touch at most `large` each.
fn pages_in(spans: impl Iterator<Item = AbsRange>, shift: u32, large: u64) -> u64 {
    spans
        .map(|span| count_of(&pages_of(span, shift)))
        .filter(|count| *count <= large)
        .fold(0, u64::saturating_add)
}

/// Returns the numbers of the pages that a span touches; none for an empty one.
fn pages_of(span: AbsRange, shift: u32) -> Range<u64> {
    let Some(last) = span.end.0.checked_sub(1).filter(|_| span.size() > 0) else {
        return 0..0;
    };
    span.start.0.wrapping_shr(shift)..last.wrapping_shr(shift).saturating_add(1)
}

fn count_of(pages: &Range<u64>) -> u64 {
    pages.end.saturating_sub(pages.start)
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, AbsRange};

    use super::PageIndex;

    fn span(start: u64, size: u64) -> AbsRange {
        let [start, end] = [start, start.saturating_add(size)].map(AbsAddr);
        AbsRange { start, end }
    }

    fn numbered(spans: &[AbsRange]) -> Vec<(u16, AbsRange)> {
        (0..).zip(spans.iter().copied()).collect()
    }

    /// A hundred spans of a page size each, every `step` bytes.
    fn spans(size: u64, step: u64) -> Vec<AbsRange> {
        let nth = |nth: u64| span(0x7f12_3450_0000 + nth * step, size);
        (0..100).map(nth).collect()
    }

    /// Returns for how many of 10,000 addresses the table has neither their span nor the
    /// next one, which may share the page.
    fn missed(spans: &[AbsRange], effort: usize) -> usize {
        let mut index = PageIndex::default();
        index.build(&numbered(spans), effort);
        let mut missed = 0;
        for (place, span) in spans.iter().enumerate() {
            for nth in 0..100 {
                let addr = AbsAddr(span.start.0 + nth * (span.size() / 100));
                let named = index.view().place_of(addr);
                missed += usize::from(named != place && named != place + 1);
            }
        }
        missed
    }

    #[test]
    fn nearly_every_address_finds_its_span_at_once() {
        for (size, step, effort) in [
            (0x1_0000, 0x3_0000, 1000),
            (0x1_0000, 0x1_0000, 1000),
            (0x40_0000, 0x41_0000, 10_000),
            (0x400_0000, 0x500_0000, 10_000),
            (0x1_0000, 0x1000_0000, 10_000),
        ] {
            let missed = missed(&spans(size, step), effort);
            assert!(
                missed < 300,
                "{size:#x} every {step:#x}: {missed} of 10,000"
            );
        }
    }

    #[test]
    fn spans_close_to_each_other_do_not_meet() {
        assert_eq!(missed(&spans(0x1_0000, 0x1_5000), 10_000), 0);
        let mut with_a_program = spans(0x1_0000, 0x1_5000);
        with_a_program.insert(0, span(0x5555_5555_4000, 0x1_0000));
        let missed = missed(&with_a_program, 10_000);
        assert!(missed < 300, "{missed} of 10,100");
    }

    #[test]
    fn an_empty_table_and_a_span_too_large_name_nothing() {
        let mut index = PageIndex::default();
        assert!(index.view().place_of(AbsAddr(0x1000)) > 60_000);
        index.build(&numbered(&[span(0, u64::MAX), span(u64::MAX, 1)]), 100);
        assert!(index.view().place_of(AbsAddr(0x1000)) > 60_000);
        index.build(&numbered(&[span(0, 0)]), 100);
        assert!(index.view().place_of(AbsAddr(0)) > 60_000);
    }
}
