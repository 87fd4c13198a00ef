//! A place for files that are found while lookups run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A list that grows under shared references and never moves what it holds, so that
/// references into it live as long as it does.
#[derive(Debug)]
pub(in crate::dwarf) struct Arena<T> {
    /// Number `n` has room for 2^n values.
    blocks: [OnceLock<Box<[OnceLock<T>]>>; MAX_BLOCKS],
    count: AtomicUsize,
}

/// Room for 2^24 values, more than any limit allows.
const MAX_BLOCKS: usize = 24;

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            blocks: [const { OnceLock::new() }; MAX_BLOCKS],
            count: AtomicUsize::new(0),
        }
    }
}

impl<T> Arena<T> {
    /// Keeps a value, and returns where it is; `None` when the arena is full.
    pub(in crate::dwarf) fn keep(&self, value: T) -> Option<&T> {
        // From 1, so that the highest bit names the block.
        let number = self.count.fetch_add(1, Ordering::Relaxed).checked_add(1)?;
        let block = usize::try_from(number.checked_ilog2()?).ok()?;
        let first = 1_usize.checked_shl(number.checked_ilog2()?)?;
        let slots = self.blocks.get(block)?;
        let slots = slots.get_or_init(|| (0..first).map(|_| OnceLock::new()).collect());
        let slot = slots.get(number.checked_sub(first)?)?;
        Some(slot.get_or_init(|| value))
    }

    /// Returns how many values were kept.
    pub(in crate::dwarf) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Arena;

    #[test]
    fn kept_values_do_not_move() {
        let arena = Arena::default();
        let kept: Vec<&usize> = (0..1000).map(|at| arena.keep(at).unwrap()).collect();
        assert_eq!(arena.len(), 1000);
        let values: Vec<usize> = kept.iter().map(|value| **value).collect();
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        let shared: Arena<usize> = Arena::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let shared = &shared;
                scope.spawn(move || {
                    for at in 0..100 {
                        assert_eq!(shared.keep(thread * 100 + at), Some(&(thread * 100 + at)));
                    }
                });
            }
        });
        assert_eq!(shared.len(), 400);
    }
}
