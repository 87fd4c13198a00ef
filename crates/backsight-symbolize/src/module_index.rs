//! The flat index of a module: all its units at once, in parallel.
//!
//! ```text
//!   unit ─flatten─▶ part ─┐
//!   unit ─flatten─▶ part ─┼─merge─▶ scopes, lines ─symbols fill the gaps─▶ Index
//!   unit ─flatten─▶ part ─┘
//! ```
//!
//! Which unit answers where several claim an address, and which symbol where no
//! unit does, follows the same rules as a lookup without an index.

use std::sync::atomic::{AtomicUsize, Ordering};

use backsight_index::SymbolIndex;
use backsight_index::engine::{CodeOffsets, MergeInput, TableSymbols, UnitPart, UnitRanges, merge};
use backsight_sources::go_pclntab::{GoNames, GoUnits};
use backsight_types::BuildId;
use rayon::prelude::*;

use crate::dwarf::{DwarfFile, FileUnits, FlattenScratch};
use crate::go_lines::GoLines;
use crate::limits::Limits;

/// What an index is made of.
#[derive(Debug)]
pub(crate) struct ModuleSources<'s> {
    pub(crate) build_id: Option<BuildId>,
    /// Where code is.
    pub(crate) code: CodeOffsets,
    pub(crate) dwarf: Option<&'s DwarfFile>,
    /// Counts before debug information, which has no Go then.
    pub(crate) go: Option<&'s GoLines>,
    pub(crate) limits: &'s Limits,
}

impl<'s> ModuleSources<'s> {
    fn go_units<'n>(&self, names: &'n GoNames) -> GoUnits<'n>
    where
        's: 'n,
    {
        let units = self.go.map(|go| go.units(names, &self.code, self.limits));
        units.unwrap_or_default()
    }

    fn merging(self) -> MergeInput {
        MergeInput {
            build_id: self.build_id,
            code: self.code,
            is_incomplete: match self.dwarf {
                Some(dwarf) => dwarf.is_incomplete(),
                None => self.go.is_none(),
            },
            inline_depth: self.limits.inline_depth,
            name_bytes: self.limits.name_bytes,
        }
    }
}

/// Builds the index, in rayon's current thread pool. The symbol tables are read while
/// units are flattened.
pub(crate) fn build<'s>(
    sources: ModuleSources<'s>,
    symbols: impl FnOnce() -> TableSymbols<'s> + Send,
) -> SymbolIndex {
    let ModuleSources { dwarf, go, .. } = sources;
    let names = go.map(GoLines::names).unwrap_or_default();
    let Some(dwarf) = dwarf else {
        let (mut go, symbols) = rayon::join(|| sources.go_units(&names), symbols);
        let parts = std::mem::take(&mut go.parts);
        let claims = claims_of(&go, 0, parts.len(), &sources.code);
        return merge(parts, |_| claims, &symbols, sources.merging());
    };
    dwarf.with_units(|units| {
        let (mut parts, symbols) = rayon::join(|| flatten_all(units, &sources.code), symbols);
        let damaged = parts.iter().any(|part| part.damaged);
        let mut go = sources.go_units(&names);
        let (first, count) = (parts.len(), go.parts.len());
        parts.append(&mut go.parts);
        let go_claims = claims_of(&go, first, count, &sources.code);
        let claims = |code: &CodeOffsets| {
            // Behind the walk, which has read the root DIEs that claims need.
            let claims = units.claims(go_claims, code);
            // Merging needs nothing of the file but names.
            units.release();
            claims
        };
        let index = merge(parts, claims, &symbols, sources.merging());
        dwarf.note_damage(damaged || units.are_damaged());
        units.release();
        index
    })
}

/// Returns the code that so many units claim, which begin with the number `first`.
fn claims_of(go: &GoUnits<'_>, first: usize, count: usize, code: &CodeOffsets) -> UnitRanges {
    let mut claims = UnitRanges::default();
    let units = (first..).take(count);
    let units: Vec<u32> = units.filter_map(|unit| u32::try_from(unit).ok()).collect();
    go.claim(&mut claims, &units, code);
    claims
}

fn flatten_all<'d>(units: FileUnits<'_, 'd>, code: &CodeOffsets) -> Vec<UnitPart<'d>> {
    // The largest first, so that no thread is left alone with one at the end.
    let mut order: Vec<(usize, (usize, usize))> = (0..).zip(units.list()).collect();
    order.sort_by_key(|(_, (_, length))| std::cmp::Reverse(*length));
    let next = AtomicUsize::new(0);
    let work = |_| {
        let mut scratch = FlattenScratch::default();
        let mut done = Vec::new();
        while let Some((at, (offset, _))) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*at, units.flatten(*offset, code, &mut scratch)));
        }
        done
    };
    let threads = (0..rayon::current_num_threads()).into_par_iter();
    let done: Vec<Vec<(usize, UnitPart<'d>)>> = threads.with_max_len(1).map(work).collect();
    let mut parts: Vec<UnitPart<'d>> = Vec::new();
    parts.resize_with(order.len(), UnitPart::default);
    for (at, part) in done.into_iter().flatten() {
        if let Some(place) = parts.get_mut(at) {
            *place = part;
        }
    }
    parts
}
