//! One ascending pass over VMAs: of a process, by either backend, or of a saved text.

use backsight_types::{AbsAddr, BuildId};

use crate::error::Result;
use crate::maps::{ProcMaps, Reply};
use crate::name::NameBuf;
use crate::query::{Filter, Query};
use crate::snapshot::Snapshot;
use crate::text_walk::TextWalk;
use crate::vma::Vma;

/// Finds VMAs for ascending addresses.
///
/// By ioctl, each [`seek`](Self::seek) is one query. By text, reading continues at the
/// current position, so a sorted batch costs one pass that stops after the last address.
/// The text is read again from its start in three cases: an address is lower than the one
/// before; the process changed its mappings and the text is torn; two cursors over one
/// [`ProcMaps`] alternate.
#[derive(Debug)]
pub struct Cursor<'m> {
    source: VmaSource<'m>,
    filter: Filter,
}

#[derive(Debug)]
enum VmaSource<'m> {
    /// A process, and the position in its text if the text is read instead of the ioctl.
    Live(&'m ProcMaps, Option<Box<TextWalk>>),
    Saved(&'m Snapshot),
}

impl ProcMaps {
    /// Returns a cursor below the first VMA, for many sorted addresses.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::over(VmaSource::Live(self, None))
    }
}

impl Snapshot {
    /// Returns a cursor over the saved VMAs, for the same pass as over a live process.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::over(VmaSource::Saved(self))
    }
}

impl<'m> Cursor<'m> {
    fn over(source: VmaSource<'m>) -> Self {
        let filter = Filter::ANY;
        Self { source, filter }
    }

    /// Skips all VMAs that do not match `filter`.
    #[must_use]
    pub fn only(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Returns the VMA that covers `addr`, or else the first above it. `None` means that
    /// no VMA is at or above `addr`.
    ///
    /// # Errors
    /// As [`ProcMaps::query`].
    #[inline]
    pub fn seek(&mut self, addr: AbsAddr) -> Result<Option<Vma>> {
        let query = self.query(addr);
        match &mut self.source {
            VmaSource::Live(maps, walk) => {
                if walk.is_none()
                    && let Reply::Answer(found) = maps.ioctl(query)?
                {
                    return Ok(found);
                }
                walk.get_or_insert_with(|| Box::new(TextWalk::new()))
                    .seek(maps.file(), query)
            }
            VmaSource::Saved(saved) => Ok(saved
                .covering_or_next(addr, self.filter)
                .map(|found| found.vma)),
        }
    }

    /// As [`seek`](Self::seek), and puts the VMA's name into `name`.
    ///
    /// # Errors
    /// As [`ProcMaps::query`].
    #[inline]
    pub fn seek_named(&mut self, addr: AbsAddr, name: &mut NameBuf) -> Result<Option<Vma>> {
        name.clear();
        let query = self.query(addr);
        match &mut self.source {
            VmaSource::Live(maps, walk) => {
                if walk.is_none()
                    && let Reply::Answer(found) = maps.ioctl_named(query, name)?
                {
                    return Ok(found);
                }
                let walk = walk.get_or_insert_with(|| Box::new(TextWalk::new()));
                let found = walk.seek(maps.file(), query)?;
                if found.is_some() {
                    name.set_from_text(&walk.printed_name);
                }
                Ok(found)
            }
            VmaSource::Saved(saved) => Ok(saved.covering_or_next(addr, self.filter).map(|found| {
                name.set(found.raw_name);
                found.vma
            })),
        }
    }

    /// As [`seek_named`](Self::seek_named), and returns the GNU build ID that the kernel
    /// reads from the mapped file in the same query. [`ProcMaps::query_build_id`] says
    /// what that costs. By text, the build ID is always `None`.
    ///
    /// # Errors
    /// As [`ProcMaps::query`].
    pub fn seek_identified(
        &mut self,
        addr: AbsAddr,
        name: &mut NameBuf,
    ) -> Result<Option<(Vma, Option<BuildId>)>> {
        let query = self.query(addr);
        if let VmaSource::Live(maps, None) = &self.source
            && let Reply::Answer(found) = maps.ioctl_identified(query, name)?
        {
            return Ok(found);
        }
        Ok(self.seek_named(addr, name)?.map(|vma| (vma, None)))
    }

    fn query(&self, addr: AbsAddr) -> Query {
        Query::covering_or_next(addr).only(self.filter)
    }
}
