//! The mappings of a process at one time of a trace.

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

/// Mappings, sorted and disjoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressSpace(Vec<Mapped>);

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
        self.0.insert(at, mapped);
    }

    pub(crate) fn unmap(&mut self, range: AbsRange) {
        let inside = self.cut_out(range);
        self.0.drain(inside);
    }

    pub(crate) fn protect(&mut self, range: AbsRange, perms: Perms) {
        let inside = self.cut_out(range);
        for mapped in self.0.get_mut(inside).unwrap_or_default() {
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
        let Some(lower) = self.0.get_mut(at).filter(|mapped| mapped.vma.start < addr) else {
            return at;
        };
        let mut upper = *lower;
        lower.vma.end = addr;
        let into = addr.0.wrapping_sub(upper.vma.start.0);
        upper.vma.start = addr;
        // What a forged record says past the end of all files is judged at lookup.
        upper.vma.offset.0 = upper.vma.offset.0.saturating_add(into);
        let place = at.saturating_add(1);
        self.0.insert(place, upper);
        place
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
