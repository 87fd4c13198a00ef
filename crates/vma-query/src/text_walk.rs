//! One ascending pass over the text of a live process.

use backsight_types::AbsAddr;

use crate::error::{Error, Result};
use crate::lines::{Lines, READINGS};
use crate::maps_file::{MapsFile, ReadGuard};
use crate::name::NameBuf;
use crate::query::Query;
use crate::text;
use crate::vma::Vma;

/// Returns the VMA that `query` asks for, and puts its name into `name`. Reads the text
/// from the start up to the answer.
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
/// It continues at the current position. For a lower address, or if the text is torn, it
/// starts again.
#[derive(Debug)]
pub(crate) struct TextWalk {
    lines: Lines,
    /// The VMA that the last seek stopped at, above all that were skipped.
    stop: Option<Vma>,
    pub(crate) printed_name: Vec<u8>,
    /// The address of the last seek.
    addr: AbsAddr,
    /// The end of the last line's range. The next range must not start below it.
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

    /// Returns the first VMA that matches the filter and covers the query's address or is
    /// above it.
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
            // Most lines are skipped: only their range is parsed.
            let parsed_range = text::parse_range(line);
            if let Ok(text::ParsedRange { range, .. }) = parsed_range {
                if range.start < self.floor {
                    return Err(Error::Torn);
                }
                self.floor = range.end;
                if range.end <= query.addr {
                    continue;
                }
            }
            let (vma, name) = match parsed_range.and_then(text::ParsedRange::parse) {
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
