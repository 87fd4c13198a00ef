//! Iterators over VMAs.

use backsight_types::AbsAddr;

use crate::cursor::Cursor;
use crate::error::Result;
use crate::maps::ProcMaps;
use crate::name::NameBuf;
use crate::query::Filter;
use crate::vma::Vma;

/// All VMAs of a process from an address on, in ascending order.
///
/// As an iterator it yields them without names; [`next_named`](Self::next_named) also
/// writes names, into a reusable buffer.
///
/// The process may run meanwhile: each VMA is returned as it is when the walk reaches it.
/// Each VMA ends above the one before, but may start below that one's end if the two were
/// merged in between or if it grew downward.
#[derive(Debug)]
pub struct Vmas<'m> {
    cursor: Cursor<'m>,
    /// The next address to query; `None` after the end.
    next: Option<AbsAddr>,
}

impl ProcMaps {
    /// Iterates over all VMAs in ascending order.
    #[must_use]
    pub fn vmas(&self) -> Vmas<'_> {
        Vmas {
            cursor: self.cursor(),
            next: Some(AbsAddr(0)),
        }
    }
}

impl Vmas<'_> {
    /// Yields only the VMAs that match `filter`. By ioctl, the kernel skips the others,
    /// which is several times faster than one query for each.
    #[must_use]
    pub fn only(self, filter: Filter) -> Self {
        Self {
            cursor: self.cursor.only(filter),
            ..self
        }
    }

    /// Starts with the VMA that covers `addr`, or the first above it.
    #[must_use]
    pub fn from(self, addr: AbsAddr) -> Self {
        Self {
            next: Some(addr),
            ..self
        }
    }

    /// Yields the next VMA and puts its name into `name`.
    ///
    /// The iteration ends after an error.
    pub fn next_named(&mut self, name: &mut NameBuf) -> Option<Result<Vma>> {
        let from = self.next.take()?;
        let found = self.cursor.seek_named(from, name);
        self.step(from, found)
    }

    fn step(&mut self, from: AbsAddr, found: Result<Option<Vma>>) -> Option<Result<Vma>> {
        let found = found.transpose()?;
        if let Ok(vma) = &found {
            // An end at or below `from` would loop forever, so the walk stops.
            self.next = Some(vma.end).filter(|end| *end > from);
        }
        Some(found)
    }
}

impl Iterator for Vmas<'_> {
    type Item = Result<Vma>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.next.take()?;
        let found = self.cursor.seek(from);
        self.step(from, found)
    }
}

impl std::iter::FusedIterator for Vmas<'_> {}
