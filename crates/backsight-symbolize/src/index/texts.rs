//! Texts that many threads add to and read, packed without gaps.
//!
//! A text never moves once it is kept, so it is lent out for as long as all of them
//! live. What is kept together lies together.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tally::{Tally, bytes_of};

/// Where a text is: its segment in the upper 24 bits, where it starts there in the next
/// 20, and its length in the lower 20. Numbers below [`Place::MIN`] name none.
///
/// Both ends are told, so that a reader waits for memory once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    pub(super) const MIN: u64 = 1 << SEGMENT_AT;

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        (bits >= Self::MIN).then_some(Self(bits))
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

const SEGMENT_AT: u32 = 40;
const START_AT: u32 = 20;
const LOW_BITS: u64 = (1 << 20) - 1;

/// The length of a text that is longer than lengths can say, and a segment of its own.
const WHOLE: u64 = LOW_BITS;

/// Texts, in segments that are each kept whole.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Each level has room for twice as many segments as the one before, so that none
    /// ever moves.
    levels: [OnceLock<Slots>; LEVELS],
    /// Segments so far.
    count: AtomicU32,
    bytes: Tally,
}

/// Room for segments.
type Slots = Box<[OnceLock<Box<str>>]>;

/// Segments of the first level, as a power of two.
const FIRST: u32 = 4;

/// With these, segments are numbered by 24 bits.
const LEVELS: usize = 20;

/// Texts on their way there.
#[derive(Debug, Default)]
pub(super) struct Segment(String);

/// Where a text is in its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside(u64);

impl Segment {
    /// Adds a text, and returns where in the segment it is: `None` where it wants a
    /// segment of its own, as this one is full or it is too long to share one.
    pub(super) fn push(&mut self, text: &str) -> Option<Inside> {
        let start = u64::try_from(self.0.len()).ok()?;
        let length = u64::try_from(text.len()).ok()?.min(WHOLE);
        if start > 0 && (start >= LOW_BITS || length == WHOLE) {
            return None;
        }
        self.0.push_str(text);
        Some(Inside(start << START_AT | length))
    }
}

impl Texts {
    /// Keeps a segment, and returns what makes a [`Place`] of a place in it.
    ///
    /// Returns `None` when there are as many as can be told apart.
    pub(super) fn keep(&self, segment: Segment) -> Option<impl Fn(Inside) -> Place> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (level, slot) = slot_of(number.into())?;
        let slots = self.levels.get(usize::try_from(level).ok()?)?;
        let slots = slots.get_or_init(|| {
            let count = 1_usize.checked_shl(level.saturating_add(FIRST));
            let slots = std::iter::repeat_with(OnceLock::new).take(count.unwrap_or(0));
            let slots: Slots = slots.collect();
            self.bytes.add(bytes_of(&slots));
            slots
        });
        let text = segment.0.into_boxed_str();
        self.bytes.add(text.len());
        slots.get(slot)?.set(text).ok()?;
        let segment = u64::from(number).saturating_add(1);
        Some(move |inside: Inside| Place(segment << SEGMENT_AT | inside.0))
    }

    /// Returns the text at a place.
    #[inline]
    pub(super) fn get(&self, place: Place) -> Option<&str> {
        let number = (place.0 >> SEGMENT_AT).checked_sub(1)?;
        let (level, slot) = slot_of(number)?;
        let slots = self.levels.get(usize::try_from(level).ok()?)?.get()?;
        let segment = slots.get(slot)?.get()?;
        let start = usize::try_from(place.0 >> START_AT & LOW_BITS).ok()?;
        match place.0 & LOW_BITS {
            WHOLE => Some(segment),
            length => {
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                segment.get(start..end)
            }
        }
    }

    /// Returns the bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

/// Returns a segment's level, and its slot there.
#[inline]
fn slot_of(number: u64) -> Option<(u32, usize)> {
    let nth = number.checked_add(1 << FIRST)?;
    let bits = nth.ilog2();
    let slot = nth ^ (1 << bits);
    Some((bits.checked_sub(FIRST)?, usize::try_from(slot).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Place, Segment, Texts};

    #[test]
    fn a_text_is_found_where_it_was_kept() {
        let long = "é".repeat(1 << 18);
        let some = ["", "a", "main", &long[..126], &long[..128], &long];
        let texts = Texts::default();
        let mut kept = Vec::new();
        for round in 0..100 {
            let mut segment = Segment::default();
            let starts: Vec<_> = some[round % 3..]
                .iter()
                .map(|text| (segment.push(text).unwrap(), *text))
                .collect();
            let place = texts.keep(segment).unwrap();
            kept.extend(starts.into_iter().map(|(at, text)| (place(at), text)));
        }
        for (place, text) in &kept {
            assert_eq!(Place::from_bits(place.bits()), Some(*place));
            assert_eq!(texts.get(*place), Some(*text));
        }
        let bytes: usize = kept.iter().map(|(_, text)| text.len()).sum();
        assert!(texts.bytes() > u64::try_from(bytes).unwrap());
    }

    #[test]
    fn a_text_that_is_too_long_gets_a_segment_of_its_own() {
        let texts = Texts::default();
        let mut shared = Segment::default();
        let short = shared.push("short").unwrap();
        for length in [(1 << 20) - 1, 1 << 20, 3 << 20] {
            let long = "x".repeat(length);
            assert!(shared.push(&long).is_none());
            let mut own = Segment::default();
            let at = own.push(&long).unwrap();
            assert!(own.push("more").is_none());
            let place = texts.keep(own).unwrap()(at);
            assert_eq!(texts.get(place), Some(long.as_str()));
        }
        let almost = "x".repeat((1 << 20) - 2);
        let longest = shared.push(&almost).unwrap();
        assert!(shared.push("full").is_none());
        let place = texts.keep(shared).unwrap();
        assert_eq!(texts.get(place(short)), Some("short"));
        assert_eq!(texts.get(place(longest)), Some(almost.as_str()));
    }

    #[test]
    fn no_text_is_where_none_was_kept() {
        let texts = Texts::default();
        let mut segment = Segment::default();
        let at = segment.push("text").unwrap();
        let place = texts.keep(segment).unwrap()(at).bits();
        assert_eq!(Place::from_bits(0), None);
        assert_eq!(Place::from_bits(Place::MIN - 1), None);
        for wrong in [
            place + 1,
            place + (1 << 20),
            place + Place::MIN,
            u64::MAX - 1,
        ] {
            let wrong = Place::from_bits(wrong).unwrap();
            assert_eq!(texts.get(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn segments_are_kept_by_many_threads() {
        let texts = Texts::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let texts = &texts;
                scope.spawn(move || {
                    for nth in 0..500 {
                        let text = format!("{thread} {nth}");
                        let mut segment = Segment::default();
                        let at = segment.push(&text).unwrap();
                        let place = texts.keep(segment).unwrap()(at);
                        assert_eq!(texts.get(place), Some(text.as_str()));
                    }
                });
            }
        });
    }
}
