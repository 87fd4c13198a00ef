//! How many different addresses a batch has, about.

use crate::request::{Place, Request};

/// Bits for each address: with eight, of addresses that all differ about one in sixteen
/// meets a bit that another one has set.
const BITS_EACH: usize = 8;

const WORD: usize = 64;

/// The addresses of one module, each a bit: profiles ask for the same ones over and over,
/// and a list of them would have to be sorted.
#[derive(Debug)]
pub(crate) struct Distinct {
    words: Vec<u64>,
    shift: u32,
    count: usize,
}

impl Distinct {
    /// Has room for so many.
    pub(crate) fn of(addresses: usize) -> Self {
        let bits = addresses.saturating_mul(BITS_EACH).max(WORD);
        let words = bits.div_ceil(WORD).next_power_of_two();
        Self {
            words: vec![0; words],
            // Of the hash are left as many bits as the number of a bit has.
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

    /// Returns how many were different: never too many, and about a sixteenth too few when
    /// there was room and all were.
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
        let mut distinct = Distinct::of(places.clone().count());
        for place in places {
            distinct.insert(&Request {
                module: ModuleId(0),
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
