//! From an address straight to its span, for batches that jump about.
//!
//! A table over the high bits of addresses, in front of a sorted list. Each slot names
//! one span; whoever looks there must check that it is the right one, and bisect when it
//! is not. There are two ways to a slot, by the same three instructions:
//!
//! - where spans lie close to each other, as libraries do, the low bits of the page's
//!   number: neighbours have neighbouring slots, and none meet. What lies far away, as
//!   the stack, is moved aside when it would;
//! - else a multiplication by an odd constant near 2^64 divided by the golden ratio,
//!   which spreads pages evenly over a table four times as large (Fibonacci hashing).

use std::ops::Range;

use backsight_types::{AbsAddr, AbsRange};

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The smallest page that the table tells apart: the processor's.
const MIN_SHIFT: u32 = 12;

/// Says that a slot names no span.
pub(crate) const EMPTY: u16 = u16::MAX;

/// The largest: 4 GiB.
const MAX_SHIFT: u32 = 32;

/// A table for fewer costs as little.
const LEAST_PAGES: usize = 64;

/// More pages than this would leave the processor's caches.
const MAX_PAGES: usize = 1 << 18;

/// A span may take this part of the pages: a gap of terabytes would take all.
const SHARE: u64 = 2;

/// A table from pages to places in a list of spans.
#[derive(Debug, Default)]
pub(crate) struct PageIndex {
    /// A power of two of slots, or none.
    slots: Vec<u16>,
    hash: Hash,
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
    /// Returns whether no page has two spans: a page of the processor never has.
    #[inline]
    pub(crate) fn tells_all(self) -> bool {
        self.hash.page_mask == u64::MAX.wrapping_shl(MIN_SHIFT)
    }

    /// Returns whether there is a table.
    pub(crate) fn is_built(self) -> bool {
        !self.slots.is_empty()
    }

    /// Returns the place that the table names for `addr`: a guess.
    #[inline]
    pub(crate) fn place_of(self, addr: AbsAddr) -> usize {
        // The mask changes nothing; it shows the compiler that no slot is beyond the end.
        let slot = self.hash.slot_of(addr) & self.slots.len().wrapping_sub(1);
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

    /// Forgets the table.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Builds the table for spans, sorted, each with the number that its slots are to name,
    /// for `effort` pages at the most: it must cost less than it saves. The larger the
    /// spans, the larger the pages; a span beyond all others, such as a gap, is left to
    /// bisection.
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
            .clamp(LEAST_PAGES, MAX_PAGES)
            .next_power_of_two()
            .saturating_mul(4);
        let lowest = small.clone().next().map_or(0, |span| span.start.0);
        let highest = small.clone().next_back().map_or(0, |span| span.end.0);
        let reach = usize::try_from(highest.wrapping_sub(lowest).wrapping_shr(shift));
        let reach = reach.unwrap_or(usize::MAX).saturating_add(2);
        // Where the spans lie apart from each other, their pages may meet all the same.
        let slots = match reach <= slots {
            true => reach.next_power_of_two(),
            false => slots,
        };
        self.hash.page_mask = u64::MAX.wrapping_shl(shift);
        self.hash.hash_shift = u64::BITS.saturating_sub(slots.trailing_zeros());
        let mut best = (usize::MAX, 0);
        for (multiplier, bearable) in multipliers(self.hash.hash_shift, shift) {
            self.hash.multiplier = multiplier;
            let met = self.fill(slots, spans, shift, large);
            if met.saturating_mul(bearable) <= slots {
                return;
            }
            best = best.min((met, multiplier));
        }
        self.hash.multiplier = best.1;
        self.fill(slots, spans, shift, large);
    }

    /// Fills the table, and returns how often a page met another.
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
                // Neighbours share a page; whoever looks knows that.
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

/// Returns the ways to a slot, in the order in which they are tried, and how many slots
/// there must be for each two pages that meet.
fn multipliers(hash_shift: u32, shift: u32) -> [(u64, usize); 6] {
    let in_a_row = 1_u64.wrapping_shl(hash_shift.wrapping_sub(shift));
    // As many slots aside as the page's number has multiples of a power of two: so
    // libraries and stack, far from each other, come to other places.
    let aside = |power: u32| in_a_row | in_a_row.wrapping_shr(power);
    // A masked address is its page's number times the page's size, so a multiplier of
    // pages is as much smaller.
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

/// Returns how many pages the spans touch that touch no more than `large` each.
fn pages_in(spans: impl Iterator<Item = AbsRange>, shift: u32, large: u64) -> u64 {
    spans
        .map(|span| count_of(&pages_of(span, shift)))
        .filter(|count| *count <= large)
        .fold(0, u64::saturating_add)
}

/// Returns the numbers of the pages that a span touches; none of an empty one.
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

    /// Returns how many of 10,000 addresses find neither their span nor its neighbour,
    /// which may share the page.
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
