//! Texts that many threads add to and read.
//!
//! A text never moves once it is kept, so it is lent out for as long as all of them
//! live. What is kept together lies together.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::byte_count::{Tally, bytes_of};

/// Texts, in segments that are each kept whole.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Each level has room for twice as many segments as the one before, so that none
    /// ever moves.
    levels: [OnceLock<Slots>; LEVELS],
    /// Segments so far.
    count: AtomicUsize,
    bytes: Tally,
}

/// Room for segments.
type Slots = Box<[OnceLock<Box<str>>]>;

/// Segments of the first level, as a power of two.
const FIRST: u32 = 4;

/// As many as an address space has room for.
const LEVELS: usize = 32;

impl Texts {
    /// Keeps a segment, and returns it to be cut into its texts.
    ///
    /// Returns `None` when there are as many as there can be.
    pub(super) fn keep(&self, segment: String) -> Option<&str> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (level, slot) = slot_of(number)?;
        let slots = self.levels.get(usize::try_from(level).ok()?)?;
        let slots = slots.get_or_init(|| {
            let count = 1_usize.checked_shl(level.saturating_add(FIRST));
            let slots = std::iter::repeat_with(OnceLock::new).take(count.unwrap_or(0));
            let slots: Slots = slots.collect();
            self.bytes.add(bytes_of(&slots));
            slots
        });
        let segment = segment.into_boxed_str();
        self.bytes.add(segment.len());
        let kept = slots.get(slot)?;
        kept.set(segment).ok()?;
        kept.get().map(|segment| &**segment)
    }

    /// Returns the bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

/// Returns a segment's level, and its slot there.
fn slot_of(number: usize) -> Option<(u32, usize)> {
    let nth = number.checked_add(1 << FIRST)?;
    let bits = nth.ilog2();
    let slot = nth ^ (1 << bits);
    Some((bits.checked_sub(FIRST)?, slot))
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn a_text_stays_what_it_was() {
        let texts = Texts::default();
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
        let texts = Texts::default();
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
