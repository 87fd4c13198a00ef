//! An estimate of how many distinct addresses a batch has.

use crate::request::{Place, Request};

/// Bits per address. With eight, about one in sixteen distinct addresses hits a bit that
/// another one has set.
const BITS_PER_ADDRESS: usize = 8;

const WORD_BITS: usize = 64;

/// A bitmap of hashed addresses of one module. Profiles repeat addresses, and an exact count
/// would have to sort them.
#[derive(Debug)]
pub(crate) struct DistinctEstimate {
    words: Vec<u64>,
    shift: u32,
    count: usize,
}

impl DistinctEstimate {
    /// Makes room for this many addresses.
    pub(crate) fn of(addresses: usize) -> Self {
        let bits = addresses.saturating_mul(BITS_PER_ADDRESS).max(WORD_BITS);
        let words = bits.div_ceil(WORD_BITS).next_power_of_two();
        Self {
            words: vec![0; words],
            // Keeps as many bits of the hash as a bit number has.
            shift: u64::BITS.saturating_sub(words.ilog2()).saturating_sub(6),
            count: 0,
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, request: &Request) {
        let (Place::Virt(backsight_types::VirtOffset(place))
        | Place::File(backsight_types::FileOffset(place))) = request.place;
        // Fibonacci hashing: the highest bits depend on all bits of the place.
        let hash = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mask = 1 << (hash >> self.shift & 63);
        let at = usize::try_from(hash >> 6 >> self.shift).unwrap_or(0);
        if let Some(word) = self.words.get_mut(at) {
            self.count = self.count.saturating_add(usize::from(*word & mask == 0));
            *word |= mask;
        }
    }

    /// Returns the estimate: never above the exact count, and about a sixteenth below it
    /// when all addresses are distinct and there was room for them.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::{Lookup, VirtOffset};

    use super::*;
    use crate::ModuleId;

    fn count(places: impl Iterator<Item = u64> + Clone) -> usize {
        let mut distinct = DistinctEstimate::of(places.clone().count());
        for place in places {
            distinct.insert(&Request {
                module: ModuleId {
                    slot: 0,
                    generation: 0,
                },
                place: Place::Virt(VirtOffset(place)),
                lookup: Lookup::Exact,
            });
        }
        distinct.count()
    }

    #[test]
    fn of_the_same_there_is_one() {
        assert_eq!(count(std::iter::repeat_n(7, 1_000)), 1);
        assert_eq!(count((0..50_000).map(|at| at % 10)), 10);
        assert_eq!(count(std::iter::empty()), 0);
    }

    #[test]
    fn of_different_ones_few_are_missed() {
        for step in [1, 4, 16, 4_096, 1 << 20, 0x1234_5678_9abc] {
            for all in [1, 1_000, 100_000] {
                let found = count((0..all as u64).map(|at| at.wrapping_mul(step)));
                assert!(found <= all, "{found} of {all}");
                assert!(
                    found >= all - all.div_ceil(7),
                    "{found} of {all}, step {step}"
                );
            }
        }
    }
}
