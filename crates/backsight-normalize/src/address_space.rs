//! The mappings of a process at one time of a trace.

use std::collections::BTreeMap;
use std::sync::Arc;

use backsight_types::{AbsAddr, AbsRange, ModuleIdx, Outcome, Perms, Reason};
use vma_query::{Error, Vma};

use crate::batch::VmaSource;
use crate::span::Span;

/// A mapping, and its module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped {
    pub(crate) vma: Vma,
    /// `None` for memory without a file.
    pub(crate) module: Option<ModuleIdx>,
    /// The process said that this is no text of a file.
    pub(crate) is_other_code: bool,
}

/// Disjoint mappings, by their start. Clones share them until one is changed, because
/// most forked processes call `exec` before they change a mapping.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressSpace(Arc<BTreeMap<AbsAddr, Mapped>>);

impl AddressSpace {
    /// Adds a mapping and removes what it overlaps, as `mmap` with `MAP_FIXED` does.
    pub(crate) fn map(&mut self, mapped: Mapped) {
        let range = mapped.vma.range();
        if range.size() == 0 {
            return;
        }
        self.unmap(range);
        Arc::make_mut(&mut self.0).insert(range.start, mapped);
    }

    pub(crate) fn unmap(&mut self, range: AbsRange) {
        self.cut_out(range);
        while let Some(start) = self.first_in(range) {
            Arc::make_mut(&mut self.0).remove(&start);
        }
    }

    pub(crate) fn protect(&mut self, range: AbsRange, perms: Perms) {
        self.cut_out(range);
        if self.first_in(range).is_some() {
            let inside = Arc::make_mut(&mut self.0).range_mut(range.start..range.end);
            inside.for_each(|(_, mapped)| mapped.vma.perms = perms);
        }
    }

    /// Returns the number of mappings.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Iterates over the mappings in order of address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mapped> {
        self.0.values()
    }

    /// Returns the same mappings, with the indices that modules were moved to.
    pub(crate) fn with_moved_modules(&self, moved: &[Option<ModuleIdx>]) -> Self {
        let mappings = self.0.iter().map(|(start, mapped)| {
            let module = mapped.module;
            let module = module.and_then(|old| *moved.get(old.as_usize())?);
            (*start, Mapped { module, ..*mapped })
        });
        Self(Arc::new(mappings.collect()))
    }

    /// A number that those have in common that share their mappings.
    pub(crate) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn first_in(&self, range: AbsRange) -> Option<AbsAddr> {
        // A range whose end is below its start is empty.
        let end = range.end.max(range.start);
        self.0
            .range(range.start..end)
            .next()
            .map(|(start, _)| *start)
    }

    /// Splits mappings at both ends of `range`.
    fn cut_out(&mut self, range: AbsRange) {
        self.cut_at(range.start);
        self.cut_at(range.end);
    }

    /// Splits the mapping that `addr` lies inside of.
    fn cut_at(&mut self, addr: AbsAddr) {
        let below = self.0.range(..addr).next_back();
        let Some((start, lower)) = below.filter(|(_, lower)| lower.vma.end > addr) else {
            return;
        };
        let (start, mut upper) = (*start, *lower);
        let into = addr.0.wrapping_sub(start.0);
        upper.vma.start = addr;
        // A forged record may exceed the largest offset; the lookup checks that.
        upper.vma.offset.0 = upper.vma.offset.0.saturating_add(into);
        let mappings = Arc::make_mut(&mut self.0);
        if let Some(lower) = mappings.get_mut(&start) {
            lower.vma.end = addr;
        }
        mappings.insert(addr, upper);
    }

    /// Returns the outcome of an address; `None` if nothing is mapped there.
    pub(crate) fn outcome_at(&self, addr: AbsAddr) -> Option<Outcome> {
        let mapped = self.covering_or_next(addr)?;
        let inside = mapped.vma.contains(addr);
        inside.then(|| Span::of_vma(&mapped.vma, mapped.outcome()).outcome(addr))
    }

    /// Returns the mapping that covers `addr`.
    pub(crate) fn covering(&self, addr: AbsAddr) -> Option<&Mapped> {
        let found = self.covering_or_next(addr)?;
        found.vma.contains(addr).then_some(found)
    }

    fn covering_or_next(&self, addr: AbsAddr) -> Option<&Mapped> {
        let below = self.0.range(..=addr).next_back();
        let covering = below.filter(|(_, mapped)| mapped.vma.contains(addr));
        let found = covering.or_else(|| self.0.range(addr..).next());
        found.map(|(_, mapped)| mapped)
    }
}

impl Mapped {
    /// Returns the outcome of the first byte.
    pub(crate) fn outcome(&self) -> Outcome {
        let Self { vma, module, .. } = self;
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

impl VmaSource for &AddressSpace {
    fn reads_upwards(&self) -> bool {
        false
    }

    fn vma_now(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error> {
        Ok(self.covering_or_next(addr).map(|mapped| mapped.vma))
    }

    fn is_still(&self, _: &Vma, _: Outcome) -> bool {
        // The records report every change, so cached spans need no check.
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
