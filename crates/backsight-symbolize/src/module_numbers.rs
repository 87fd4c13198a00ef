//! Numbers the modules of one batch, at a cost that does not grow with all modules there are.

use backsight_index::engine::NONE;

use crate::request::ModuleId;

/// With up to so many modules, a table with an entry for each costs no more than a small batch.
const ALWAYS_DENSE: usize = 1024;

/// A table of all modules is cheaper than a hash table if it has at most so many entries for
/// each request.
const ENTRIES_PER_REQUEST: usize = 4;

/// From modules to their places in the order in which a batch first names them.
#[derive(Debug)]
pub(crate) enum ModuleNumbers {
    /// By slot.
    Dense(Vec<u32>),
    /// By the hash of the slot; the next entries follow on a collision. At most half full.
    Hashed(Vec<(u32, u32)>),
}

impl ModuleNumbers {
    /// Returns the numbers of no module yet. `slots` says how many modules there are, and
    /// `requests` how many can be numbered.
    pub(crate) fn new(slots: usize, requests: usize) -> Self {
        let is_dense = slots <= ALWAYS_DENSE.max(requests.saturating_mul(ENTRIES_PER_REQUEST));
        match is_dense {
            true => Self::Dense(vec![NONE; slots]),
            false => {
                let entries = requests.saturating_mul(2).next_power_of_two().max(2);
                Self::Hashed(vec![(NONE, NONE); entries])
            }
        }
    }

    /// Returns the number of a module. [`NONE`] if it has none.
    #[inline]
    pub(crate) fn get(&self, module: ModuleId) -> u32 {
        match self {
            Self::Dense(numbers) => {
                let at = usize::try_from(module.slot).ok();
                at.and_then(|at| numbers.get(at)).copied().unwrap_or(NONE)
            }
            Self::Hashed(entries) => {
                let entry = entries.get(place(entries, module.slot));
                entry.map_or(NONE, |(_, number)| *number)
            }
        }
    }

    /// Gives a module a number. Does nothing for one that cannot be.
    pub(crate) fn set(&mut self, module: ModuleId, number: u32) {
        match self {
            Self::Dense(numbers) => {
                let at = usize::try_from(module.slot).ok();
                if let Some(slot) = at.and_then(|at| numbers.get_mut(at)) {
                    *slot = number;
                }
            }
            Self::Hashed(entries) => {
                let at = place(entries, module.slot);
                if let Some(entry) = entries.get_mut(at) {
                    *entry = (module.slot, number);
                }
            }
        }
    }
}

/// Returns where the entry of a slot is, or the free one where it belongs.
#[inline]
fn place(entries: &[(u32, u32)], slot: u32) -> usize {
    let mask = entries.len().wrapping_sub(1);
    // The multiplier of Fibonacci hashing: the upper half of the product is well mixed.
    let hash = u64::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let mut at = usize::try_from(hash).unwrap_or_default() & mask;
    while let Some((known, _)) = entries.get(at) {
        if *known == slot || *known == NONE {
            break;
        }
        at = at.wrapping_add(1) & mask;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_have_the_same_numbers() {
        for slots in [0, 1, 1024, 1025, 5_000_000] {
            for count in [1_u32, 20, 3_000] {
                let requests = usize::try_from(count).unwrap();
                let mut numbers = ModuleNumbers::new(slots, requests);
                let ids: Vec<ModuleId> = (0..count)
                    .map(|at| ModuleId {
                        slot: u32::try_from(u64::from(at) * 1_664_525 % 4_999_999).unwrap(),
                        generation: 0,
                    })
                    .collect();
                for (id, number) in ids.iter().zip(0_u32..) {
                    assert_eq!(numbers.get(*id), NONE);
                    numbers.set(*id, number);
                }
                let fits = |id: &ModuleId| {
                    matches!(numbers, ModuleNumbers::Hashed(_))
                        || usize::try_from(id.slot).unwrap() < slots
                };
                for (id, number) in ids.iter().zip(0_u32..) {
                    let want = if fits(id) { number } else { NONE };
                    assert_eq!(numbers.get(*id), want, "{slots} {count}");
                }
            }
        }
    }
}
