//! The mappings of a process at one time of a trace.

use std::sync::Arc;

use backsight_types::{AbsAddr, AbsRange, ModuleIdx, Outcome, Perms, Reason};
use vma_query::{Error, Vma};

use crate::batch::Ground;
use crate::span::Span;

/// A mapping, and the module behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped {
    pub(crate) vma: Vma,
    /// `None` for memory without a file.
    pub(crate) module: Option<ModuleIdx>,
}

/// Mappings, sorted and disjoint. Copies share them until one is changed, as a process
/// shares its memory with what it forks, most of which then runs another program.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressSpace(Arc<Vec<Mapped>>);

impl AddressSpace {
    /// Maps in place of what was there, as `mmap` with `MAP_FIXED` does.
    pub(crate) fn map(&mut self, mapped: Mapped) {
        let range = mapped.vma.range();
        if range.size() == 0 {
            return;
        }
        self.unmap(range);
        let at = self
            .0
            .partition_point(|other| other.vma.start < range.start);
        Arc::make_mut(&mut self.0).insert(at, mapped);
    }

    pub(crate) fn unmap(&mut self, range: AbsRange) {
        let inside = self.cut_out(range);
        if !inside.is_empty() {
            Arc::make_mut(&mut self.0).drain(inside);
        }
    }

    pub(crate) fn protect(&mut self, range: AbsRange, perms: Perms) {
        let inside = self.cut_out(range);
        let mappings = Arc::make_mut(&mut self.0);
        for mapped in mappings.get_mut(inside).unwrap_or_default() {
            mapped.vma.perms = perms;
        }
    }

    /// Splits mappings at both ends of `range`, and returns the places of those that
    /// then lie inside.
    fn cut_out(&mut self, range: AbsRange) -> std::ops::Range<usize> {
        let first = self.cut_at(range.start);
        // A range that runs backwards has nothing inside.
        let behind = self.cut_at(range.end).max(first);
        first..behind
    }

    /// Splits the mapping that `addr` lies inside of, and returns the place of the
    /// first one that begins there or above.
    fn cut_at(&mut self, addr: AbsAddr) -> usize {
        let at = self.0.partition_point(|mapped| mapped.vma.end <= addr);
        let is_inside = |mapped: &Mapped| mapped.vma.start < addr;
        if !self.0.get(at).is_some_and(is_inside) {
            return at;
        }
        let mappings = Arc::make_mut(&mut self.0);
        let Some(lower) = mappings.get_mut(at) else {
            return at;
        };
        let mut upper = *lower;
        lower.vma.end = addr;
        let into = addr.0.wrapping_sub(upper.vma.start.0);
        upper.vma.start = addr;
        // What a forged record says past the end of all files is judged at lookup.
        upper.vma.offset.0 = upper.vma.offset.0.saturating_add(into);
        let place = at.saturating_add(1);
        mappings.insert(place, upper);
        place
    }

    pub(crate) fn as_slice(&self) -> &[Mapped] {
        &self.0
    }

    /// Returns the outcome of an address; `None` where nothing is mapped.
    pub(crate) fn outcome_at(&self, addr: AbsAddr) -> Option<Outcome> {
        let mapped = self.covering_or_next(addr)?;
        let inside = mapped.vma.contains(addr);
        inside.then(|| Span::of_vma(&mapped.vma, mapped.outcome()).outcome(addr))
    }

    fn covering_or_next(&self, addr: AbsAddr) -> Option<&Mapped> {
        self.0
            .get(self.0.partition_point(|mapped| mapped.vma.end <= addr))
    }
}

impl Mapped {
    /// Returns the outcome of the first byte.
    fn outcome(&self) -> Outcome {
        let Self { vma, module } = self;
        if !vma.is_executable() {
            return Outcome::Unresolved(Reason::NotExecutable);
        }
        match module {
            None => Outcome::Unresolved(Reason::Anonymous),
            Some(_) if vma.offset.checked_add(vma.range().size()).is_none() => {
                Outcome::Unresolved(Reason::Unreadable)
            }
            Some(module) => Outcome::Located {
                module: *module,
                file_offset: vma.offset,
            },
        }
    }
}

impl Ground for &AddressSpace {
    fn reads_upwards(&self) -> bool {
        false
    }

    fn vma_now(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error> {
        Ok(self.covering_or_next(addr).map(|mapped| mapped.vma))
    }

    fn is_still(&self, _: &Vma, _: Outcome) -> bool {
        // A replay is told of every change, so nothing is asked about again.
        true
    }

    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        Ok(match self.covering_or_next(addr) {
            Some(mapped) if mapped.vma.contains(addr) => {
                Span::of_vma(&mapped.vma, mapped.outcome())
            }
            next => Span::gap(addr, next.map(|next| next.vma)),
        })
    }
}
