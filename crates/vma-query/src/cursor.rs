//! One pass upwards over VMAs, by either backend or over a saved text.

use backsight_types::{AbsAddr, BuildId};

use crate::error::Result;
use crate::maps::{ProcMaps, Reply};
use crate::name::NameBuf;
use crate::query::{Filter, Query};
use crate::snapshot::Snapshot;
use crate::text_walk::TextWalk;
use crate::vma::Vma;

/// Finds VMAs for addresses that go up.
///
/// By ioctl each [`seek`](Self::seek) is one query. By text the reading goes on
/// from where it stands, so a whole sorted batch costs one pass that stops behind
/// its last address. An address lower than the one before is found too, but the
/// text is then read from its start again; so it is when the process changed its
/// mappings and the text came out torn, or when two cursors over one
/// [`ProcMaps`] take turns.
#[derive(Debug)]
pub struct Cursor<'m> {
    source: VmaSource<'m>,
    filter: Filter,
}

#[derive(Debug)]
enum VmaSource<'m> {
    /// A process, and where its text stands once it is read instead of the ioctl.
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
    /// Returns a cursor over it: the same pass that a live process allows.
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

    /// Passes over all VMAs that do not pass `filter`.
    #[must_use]
    pub fn only(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Returns the VMA that covers `addr`, or else the first above it; `None` when
    /// there is none, and so none for any higher address either.
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
    /// reads from the file behind the VMA, by the same query: see
    /// [`ProcMaps::query_build_id`] for what that costs. By text there is none.
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
