//! One pass upwards over the text of a live process.

use backsight_types::AbsAddr;

use crate::error::{Error, Result};
use crate::lines::{Lines, READINGS};
use crate::maps_file::{MapsFile, ReadGuard};
use crate::name::NameBuf;
use crate::query::Query;
use crate::text;
use crate::vma::Vma;

/// Returns the VMA that `query` asks for, and puts its name into `name`, by a pass of its
/// own up to the answer.
pub(crate) fn query(
    maps: &MapsFile,
    query: Query,
    name: Option<&mut NameBuf>,
) -> Result<Option<Vma>> {
    let mut walk = TextWalk::new();
    let found = walk.seek(maps, query)?;
    let found = found.filter(|vma| query.is_answered_by(vma));
    if let Some(name) = name {
        match found {
            Some(_) => name.set_from_text(&walk.printed_name),
            None => name.clear(),
        }
    }
    Ok(found)
}

/// A pass over a live text.
///
/// It goes on from where it stands, and begins again for a lower address, or when the
/// text came out torn.
#[derive(Debug)]
pub(crate) struct TextWalk {
    lines: Lines,
    /// The VMA that the last seek stopped at: above all that were passed over.
    stop: Option<Vma>,
    pub(crate) printed_name: Vec<u8>,
    /// The address of the last seek.
    addr: AbsAddr,
    /// The end of the last line's range: the next one begins there or above.
    floor: AbsAddr,
}

impl TextWalk {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(),
            stop: None,
            printed_name: Vec::new(),
            addr: AbsAddr(0),
            floor: AbsAddr(0),
        }
    }

    /// Returns the VMA that covers the address asked for, or else the first above it; of
    /// those that pass the filter.
    pub(crate) fn seek(&mut self, maps: &MapsFile, query: Query) -> Result<Option<Vma>> {
        let addr = query.addr;
        if addr < self.addr {
            self.rewind();
        }
        self.addr = addr;
        if let Some(vma) = self.stop.filter(|vma| vma.end > addr) {
            return Ok(Some(vma));
        }
        let mut reading = maps.lock_reading();
        for _ in 0..READINGS {
            match self.read_on(&mut reading, query) {
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

    fn read_on(&mut self, reading: &mut ReadGuard<'_>, query: Query) -> Result<Option<Vma>> {
        self.stop = None;
        while let Some(line) = self.lines.next(reading)? {
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
