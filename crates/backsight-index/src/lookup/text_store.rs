//! An append-only store of texts for concurrent use.
//!
//! A text never moves, so references to it live as long as the store. Texts that are added
//! together are adjacent in memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::byte_count::{ByteCount, bytes_of};

/// Texts in segments.
#[derive(Debug, Default)]
pub(super) struct TextStore {
    /// Each level has room for twice as many segments as the one before. No level is ever
    /// reallocated.
    levels: [OnceLock<SegmentSlots>; MAX_LEVELS],
    /// Segments so far.
    count: AtomicUsize,
    bytes: ByteCount,
}

/// The slots of one level.
type SegmentSlots = Box<[OnceLock<Box<str>>]>;

/// log2 of the number of segments of the first level.
const FIRST_LEVEL_LOG2: u32 = 4;

/// Enough levels for all segments that fit an address space.
const MAX_LEVELS: usize = 32;

impl TextStore {
    /// Stores a segment, and returns it, to be split into its texts.
    ///
    /// Returns `None` if the store is full.
    pub(super) fn keep(&self, segment: String) -> Option<&str> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (level, slot) = slot_of(number)?;
        let slots = self.levels.get(usize::try_from(level).ok()?)?;
        let slots = slots.get_or_init(|| {
            let count = 1_usize.checked_shl(level.saturating_add(FIRST_LEVEL_LOG2));
            let slots = std::iter::repeat_with(OnceLock::new).take(count.unwrap_or(0));
            let slots: SegmentSlots = slots.collect();
            self.bytes.add(bytes_of(&slots));
            slots
        });
        let segment = segment.into_boxed_str();
        self.bytes.add(segment.len());
        let kept = slots.get(slot)?;
        kept.set(segment).ok()?;
        kept.get().map(|segment| &**segment)
    }

    /// Returns the memory of the texts in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

/// Returns a segment's level, and its slot there.
fn slot_of(number: usize) -> Option<(u32, usize)> {
    let nth = number.checked_add(1 << FIRST_LEVEL_LOG2)?;
    let bits = nth.ilog2();
    let slot = nth ^ (1 << bits);
    Some((bits.checked_sub(FIRST_LEVEL_LOG2)?, slot))
}

#[cfg(test)]
mod tests {
    use super::TextStore;

    #[test]
    fn a_text_stays_what_it_was() {
        let texts = TextStore::default();
        let text = |nth: usize| "é".repeat(nth);
        let kept: Vec<&str> = (0..1000)
            .map(|nth| texts.keep(text(nth)).unwrap())
            .collect();
        for (nth, kept) in kept.iter().enumerate() {
            assert_eq!(**kept, text(nth));
        }
        let bytes: usize = kept.iter().map(|text| text.len()).sum();
        assert!(texts.bytes() > u64::try_from(bytes).unwrap());
    }

    #[test]
    fn texts_are_kept_by_many_threads() {
        let texts = TextStore::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let texts = &texts;
                scope.spawn(move || {
                    let text = |nth: u32| format!("{thread} {nth}");
                    let kept: Vec<&str> =
                        (0..500).map(|nth| texts.keep(text(nth)).unwrap()).collect();
                    for (nth, kept) in (0..).zip(kept) {
                        assert_eq!(kept, text(nth));
                    }
                });
            }
        });
    }
}
