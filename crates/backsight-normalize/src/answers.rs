//! The answers that an [`ExactIndex`](crate::exact_index::ExactIndex) refers to by
//! number.
//!
//! Most answers are places in files, so one branch-free loop computes a place for each
//! address. An answer that is not a place is encoded as a place in a module that does not
//! exist, and is replaced after that loop.

use backsight_types::{AbsAddr, FileOffset, ModuleIdx, Outcome};

use crate::missed::Missed;
use crate::page_numbers::Numbers;
use crate::span::{PENDING, Span};

/// The number of answers. It is a power of two, so that a mask replaces the bounds check.
pub(crate) const ANSWERS: usize = 512;

/// The answers for address 0, by number. Number 0 is always [`PENDING`].
#[derive(Debug, Default)]
pub(crate) struct BatchAnswers {
    places: Option<Box<[PackedPlace; ANSWERS]>>,
    /// The same answers, not encoded.
    any: Vec<Outcome>,
    /// Whether many addresses are expected whose answer is not a place.
    are_mixed: bool,
}

/// A place in a file, or the encoded number of another answer.
#[derive(Clone, Copy, Debug)]
struct PackedPlace {
    module: ModuleIdx,
    file_offset: u64,
}

impl PackedPlace {
    /// This bit marks the number of an answer that is not a place. No module index has
    /// it.
    const NONE: u32 = 1 << 31;

    fn of(number: u32, at_zero: &Outcome) -> Self {
        let (module, file_offset) = match *at_zero {
            Outcome::Located {
                module,
                file_offset,
            } if module.0 & Self::NONE == 0 => (module, file_offset.0),
            _ => (ModuleIdx(number | Self::NONE), 0),
        };
        Self {
            module,
            file_offset,
        }
    }

    /// Returns the number of the answer that an outcome encodes, if it is not a place.
    #[inline]
    fn number(outcome: &Outcome) -> Option<u32> {
        match outcome {
            Outcome::Located { module, .. } if module.0 & Self::NONE != 0 => {
                Some(module.0 & !Self::NONE)
            }
            _ => None,
        }
    }
}

impl BatchAnswers {
    /// Sets the answers of spans, numbered from 1. `some_outside` says whether some of
    /// the expected addresses lie outside all spans.
    pub(crate) fn prepare(&mut self, spans: &[Span], some_outside: bool) {
        let is_place = |span: &Span| matches!(span.at_zero(), Outcome::Located { .. });
        self.are_mixed = some_outside || !spans.iter().all(is_place);
        let nothing = PackedPlace::of(0, &PENDING);
        self.places
            .get_or_insert_with(|| Box::new([nothing; ANSWERS]));
        self.any.clear();
        self.any.resize(spans.len().saturating_add(1), PENDING);
        for (number, span) in (1..).zip(spans) {
            self.put(number, span);
        }
    }

    /// Updates the answer of a span, valid or stale.
    pub(crate) fn put(&mut self, number: u32, span: &Span) {
        let at_zero = match span.is_stale() {
            true => PENDING,
            false => span.at_zero(),
        };
        self.set(number, at_zero);
    }

    fn set(&mut self, number: u32, at_zero: Outcome) {
        let places = self.places.as_deref_mut();
        if let Some(any) = self.any.get_mut(number as usize)
            && let Some(place) = places.and_then(|places| places.get_mut(number as usize))
        {
            *any = at_zero;
            *place = PackedPlace::of(number, &at_zero);
        }
    }

    /// Sets all answers to [`PENDING`], after all spans were marked stale.
    pub(crate) fn mark_all_stale(&mut self) {
        let all = u32::try_from(self.any.len()).unwrap_or(u32::MAX);
        (0..all).for_each(|number| self.set(number, PENDING));
    }

    /// Appends an outcome for each address, [`PENDING`] if none is known. Records the
    /// positions of the pending ones in `missed`, and returns their number.
    pub(crate) fn answer(
        &self,
        numbers: Numbers<'_>,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
        missed: &mut Missed,
    ) -> usize {
        let from = outcomes.len();
        let Some(places) = self.places.as_deref() else {
            return missed.all(addrs, outcomes);
        };
        if self.are_mixed {
            let (_, count) = locate::<true>(numbers, places, addrs, outcomes, missed);
            return self.settle(outcomes.get_mut(from..).unwrap_or_default(), missed, count);
        }
        let (modules, _) = locate::<false>(numbers, places, addrs, outcomes, missed);
        if modules & PackedPlace::NONE == 0 {
            return 0;
        }
        let outcomes = outcomes.get_mut(from..).unwrap_or_default();
        let mut count = 0_usize;
        for (at, outcome) in (0..).zip(outcomes.iter()) {
            missed.put(count, at);
            count = count.wrapping_add(usize::from(PackedPlace::number(outcome).is_some()));
        }
        self.settle(outcomes, missed, count)
    }

    /// Replaces the encoded outcomes. Returns how many are pending.
    fn settle(&self, outcomes: &mut [Outcome], missed: &mut Missed, count: usize) -> usize {
        let mut pending = 0_usize;
        for nth in 0..count {
            let at = missed.at(nth);
            if let Some(outcome) = outcomes.get_mut(usize::from(at)) {
                let number = PackedPlace::number(outcome).unwrap_or_default();
                *outcome = self.any.get(number as usize).copied().unwrap_or(PENDING);
                missed.put(pending, at);
                pending = pending.wrapping_add(usize::from(*outcome == PENDING));
            }
        }
        pending
    }
}

/// Appends a place for each address. If `NOTES`, it records the positions of encoded
/// answers that are not places, and returns their number. Otherwise it returns the bits
/// of all module indices, combined by OR.
///
/// Not inlined, so that the variables of the loop stay in registers. It is branch-free
/// because for unsorted addresses a branch would be mispredicted.
#[inline(never)]
#[expect(
    clippy::indexing_slicing,
    reason = "the index is reduced modulo the length; `get` costs a tenth of the loop"
)]
fn locate<const NOTES: bool>(
    numbers: Numbers<'_>,
    places: &[PackedPlace; ANSWERS],
    addrs: &[AbsAddr],
    outcomes: &mut Vec<Outcome>,
    missed: &mut Missed,
) -> (u32, usize) {
    let (mut modules, mut at, mut count) = (0, 0_u16, 0_usize);
    outcomes.extend(addrs.iter().map(|addr| {
        let PackedPlace {
            module,
            file_offset,
        } = places[usize::from(numbers.of(*addr)) % ANSWERS];
        if NOTES {
            missed.put(count, at);
            at = at.wrapping_add(1);
            count = count.wrapping_add(usize::from(module.0 & PackedPlace::NONE != 0));
        } else {
            modules |= module.0;
        }
        let file_offset = FileOffset(file_offset.wrapping_add(addr.0));
        Outcome::Located {
            module,
            file_offset,
        }
    }));
    (modules, count)
}
