//! The cache against a table of pages.

use backsight_types::{AbsAddr, AbsRange, FileOffset, InModule, ModuleIdx};
use proptest::prelude::*;

use super::{FoundSpan, VmaCache};
use crate::{options::Trust, span::Span};

proptest! {
    #[test]
    fn the_last_answer_holds(found in prop::collection::vec((0_u32..400, 1_u32..9), 1..200)) {
        let (mut cache, mut known) = (VmaCache::new(Trust::UntilInvalidated), [None; 512]);
        for ((start, size), nth) in found.into_iter().zip(0..) {
            let range = AbsRange { start: AbsAddr(start.into()), end: AbsAddr((start + size).into()) };
            let span = Span::of(range, InModule::new(ModuleIdx(nth)).at(FileOffset(0)));
            match cache.find(AbsAddr((start + size / 2).into())) {
                FoundSpan::Nothing(between) => cache.insert_between(between, span),
                _ => cache.insert(span),
            }
            // Spans that it overlaps are older, and are removed completely.
            let over = known[start as usize..][..size as usize].to_vec();
            known.iter_mut().filter(|of| over.contains(of)).for_each(|of| *of = None);
            known[start as usize..][..size as usize].fill(Some(span.at_zero()));
        }
        for (addr, known) in (0..).zip(known) {
            let found = cache.find(AbsAddr(addr));
            let found = if let FoundSpan::Valid(span) = found { Some(span.at_zero()) } else { None };
            prop_assert_eq!(found, known);
        }
    }
}
