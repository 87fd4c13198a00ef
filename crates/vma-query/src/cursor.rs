//! One pass upwards over VMAs, by either backend or over a saved text.

use backsight_types::{AbsAddr, BuildId};

use crate::error::{Error, Result};
use crate::lines::{Lines, READINGS};
use crate::maps::Reply;
use crate::maps_file::Turn;
use crate::{Filter, NameBuf, ProcMaps, Query, Snapshot, Vma, text};

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
    source: Source<'m>,
    filter: Filter,
}

#[derive(Debug)]
enum Source<'m> {
    /// A process, and where its text stands once it is read instead of the ioctl.
    Live(&'m ProcMaps, Option<Box<TextWalk>>),
    Saved(&'m Snapshot),
}

impl<'m> Cursor<'m> {
    pub(crate) fn live(maps: &'m ProcMaps) -> Self {
        Self {
            source: Source::Live(maps, None),
            filter: Filter::ANY,
        }
    }

    pub(crate) fn text(maps: &'m ProcMaps) -> Self {
        Self {
            source: Source::Live(maps, Some(Box::new(TextWalk::new()))),
            filter: Filter::ANY,
        }
    }

    pub(crate) fn saved(snapshot: &'m Snapshot) -> Self {
        Self {
            source: Source::Saved(snapshot),
            filter: Filter::ANY,
        }
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
            Source::Live(maps, walk) => {
                if walk.is_none()
                    && let Reply::Answer(found) = maps.ioctl(query)?
                {
                    return Ok(found);
                }
                walk.get_or_insert_with(|| Box::new(TextWalk::new()))
                    .seek(maps, query)
            }
            Source::Saved(saved) => Ok(saved
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
            Source::Live(maps, walk) => {
                if walk.is_none()
                    && let Reply::Answer(found) = maps.ioctl_named(query, name)?
                {
                    return Ok(found);
                }
                let walk = walk.get_or_insert_with(|| Box::new(TextWalk::new()));
                let found = walk.seek(maps, query)?;
                if found.is_some() {
                    name.set_from_text(&walk.printed_name);
                }
                Ok(found)
            }
            Source::Saved(saved) => Ok(saved.covering_or_next(addr, self.filter).map(|found| {
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
        if let Source::Live(maps, None) = &self.source
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

/// A pass over a live text.
#[derive(Debug)]
struct TextWalk {
    lines: Lines,
    /// The VMA that the last seek stopped at: above all that were passed over.
    stop: Option<Vma>,
    printed_name: Vec<u8>,
    /// The address of the last seek.
    addr: AbsAddr,
    /// The end of the last line's range: the next one begins there or above.
    floor: AbsAddr,
}

impl TextWalk {
    fn new() -> Self {
        Self {
            lines: Lines::new(),
            stop: None,
            printed_name: Vec::new(),
            addr: AbsAddr(0),
            floor: AbsAddr(0),
        }
    }

    fn seek(&mut self, maps: &ProcMaps, query: Query) -> Result<Option<Vma>> {
        let addr = query.addr;
        if addr < self.addr {
            self.rewind();
        }
        self.addr = addr;
        if let Some(vma) = self.stop.filter(|vma| vma.end > addr) {
            return Ok(Some(vma));
        }
        let mut turn = maps.file().turn();
        for _ in 0..READINGS {
            match self.read_on(&mut turn, query) {
                Err(Error::Torn) => self.rewind(),
                done => return done,
            }
        }
        Err(Error::Torn)
    }

    fn rewind(&mut self) {
        self.lines.rewind();
        (self.stop, self.floor) = (None, AbsAddr(0));
    }

    fn read_on(&mut self, turn: &mut Turn<'_>, query: Query) -> Result<Option<Vma>> {
        self.stop = None;
        while let Some(line) = self.lines.next(turn)? {
            // Most lines are passed over: of those no more than the range is read.
            let begun = text::parse_range(line);
            if let Ok(text::Begun { range, .. }) = begun {
                if range.start < self.floor {
                    return Err(Error::Torn);
                }
                self.floor = range.end;
                if range.end <= query.addr {
                    continue;
                }
            }
            let (vma, name) = match begun.and_then(text::Begun::parse) {
                Ok(parsed) => parsed,
                Err(reason) => {
                    return Err(Error::Malformed {
                        line: self.lines.number(),
                        reason,
                    });
                }
            };
            if query.filter.passes(&vma) {
                self.printed_name.clear();
                self.printed_name.extend_from_slice(name);
                self.stop = Some(vma);
                break;
            }
        }
        Ok(self.stop)
    }
}
