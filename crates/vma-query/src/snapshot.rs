//! A whole maps text, live or saved, with binary search.

use std::io::{BufRead, Read};
use std::ops::Range;

use backsight_types::AbsAddr;

use crate::error::{Error, Result};
use crate::lines::{Lines, READINGS};
use crate::maps_file::MapsFile;
use crate::name::{NameBuf, VmaName};
use crate::query::Filter;
use crate::text;
use crate::vma::Vma;

/// The maximum length of a line of a saved text. Paths have at most a few thousand bytes.
const MAX_LINE: u64 = 1 << 20;

/// All VMAs of a process, read in one pass.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    vmas: Vec<Entry>,
    names: Vec<u8>,
    is_cut: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    vma: Vma,
    name: Range<usize>,
}

/// A VMA of a [`Snapshot`], with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedVma<'s> {
    /// The VMA.
    pub vma: Vma,
    /// Its name as raw bytes: `\012` is decoded to a newline, ` (deleted)` is kept.
    pub raw_name: &'s [u8],
}

impl<'s> NamedVma<'s> {
    /// Returns what the name means.
    #[must_use]
    pub fn name(&self) -> VmaName<'s> {
        VmaName::new(self.raw_name)
    }
}

/// How many VMAs are kept on each side of executable memory without a file.
const AROUND: usize = 8;

/// The last VMAs of a text that were not kept: one of any kind, and executable memory without a file
/// above it, without a gap.
#[derive(Default)]
struct Below {
    vmas: Vec<(Vma, Vec<u8>)>,
    /// The names that are not in use: lines are many.
    spare: Vec<Vec<u8>>,
}

impl Below {
    fn clear(&mut self) {
        self.spare.extend(self.vmas.drain(..).map(|(_, name)| name));
    }

    fn drain(&mut self, mut take: impl FnMut(Vma, &[u8])) {
        self.vmas.iter().for_each(|(vma, name)| take(*vma, name));
        self.clear();
    }

    fn add(&mut self, vma: Vma, printed: &[u8], is_made: bool) {
        if !is_made {
            self.clear();
        }
        if self.vmas.len() == AROUND {
            // Nothing may be kept of it: it is too far away.
            self.spare.push(self.vmas.remove(0).1);
        }
        let mut name = self.spare.pop().unwrap_or_default();
        name.clear();
        name.extend_from_slice(printed);
        self.vmas.push((vma, name));
    }
}

impl Snapshot {
    /// Reads a saved text.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the line number, counted from 1, and the reason: the
    /// line is not of the maps format, its range overlaps the one before or is out of
    /// order, or the text is empty.
    pub fn parse(text: &[u8]) -> Result<Self> {
        Self::read(text, |_| true)
    }

    /// Reads a saved text from a stream, and keeps the VMAs for which `keep` returns
    /// `true`.
    ///
    /// Memory is used only for those and for the longest line, however long the text is.
    /// There are processes with two million VMAs, but their stacks touch a few dozen.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), also for lines that are not kept; [`Error::Io`] when
    /// the reader fails.
    pub fn read(text: impl BufRead, mut keep: impl FnMut(&Vma) -> bool) -> Result<Self> {
        let mut name = NameBuf::new();
        Self::read_lines(text, |snapshot, vma, printed| {
            if keep(&vma) {
                snapshot.push(vma, printed, &mut name);
            }
        })
    }

    /// Reads a saved text. `take` gets each VMA and its name as printed, and pushes it or not.
    fn read_lines(
        mut text: impl BufRead,
        mut take: impl FnMut(&mut Self, Vma, &[u8]),
    ) -> Result<Self> {
        let mut snapshot = Self::default();
        let mut floor = AbsAddr(0);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let malformed = |reason| Error::Malformed {
                line: number,
                reason,
            };
            let read = (&mut text).take(MAX_LINE).read_until(b'\n', &mut line);
            if read.map_err(|error| Error::of_descriptor("read the maps text", error))? == 0
                && number > 1
            {
                break;
            }
            snapshot.is_cut = line.pop_if(|last| *last == b'\n').is_none();
            if snapshot.is_cut && line.len() as u64 == MAX_LINE {
                return Err(malformed("a line of more than 1 MiB"));
            }
            if line.is_empty() && number == 1 {
                return Err(malformed(
                    "the text is empty, like that of a process that has ended",
                ));
            }
            let (vma, printed) = text::parse_line(&line).map_err(malformed)?;
            if vma.start < floor {
                return Err(malformed("the range begins before the one above it ends"));
            }
            floor = vma.end;
            take(&mut snapshot, vma, printed);
        }
        Ok(snapshot)
    }

    /// As [`read`](Self::read), and keeps the VMAs that contain any of `addrs`. Of executable memory
    /// without a file, it also keeps up to eight VMAs on each side, without a gap, up to the first of
    /// another kind: they tell whose text may have been moved there. The number of addresses bounds
    /// the memory.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_at(text: impl BufRead, addrs: &[AbsAddr]) -> Result<Self> {
        let mut sorted = addrs.to_vec();
        sorted.sort_unstable();
        let mut name = NameBuf::new();
        let mut below = Below::default();
        let (mut end, mut wanted_above) = (AbsAddr(0), 0_usize);
        Self::read_lines(text, |snapshot, vma, printed| {
            let first = sorted.partition_point(|addr| *addr < vma.start);
            let is_asked = sorted.get(first).is_some_and(|addr| vma.contains(*addr));
            let is_made = vma.is_executable() && !vma.is_file_backed();
            if vma.start != end {
                below.clear();
                wanted_above = 0;
            }
            end = vma.end;
            let is_beside = wanted_above > 0;
            wanted_above = match is_made {
                true if is_asked => AROUND,
                true => wanted_above.saturating_sub(1),
                false => 0,
            };
            if is_made && is_asked {
                below.drain(|vma, printed| snapshot.push(vma, printed, &mut name));
            }
            if is_asked || is_beside {
                snapshot.push(vma, printed, &mut name);
                below.clear();
                return;
            }
            below.add(vma, printed, is_made);
        })
    }

    /// Returns whether a saved text ended without a newline. Then it may be truncated:
    /// part of the last name and further lines may be missing.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Reads a live text, and reads it again if it is torn.
    pub(crate) fn of(maps: &MapsFile) -> Result<Self> {
        let mut reading = maps.lock_reading();
        let mut lines = Lines::new();
        let mut name = NameBuf::new();
        'reading: for _ in 0..READINGS {
            lines.rewind();
            let mut snapshot = Self::default();
            let mut floor = AbsAddr(0);
            while let Some(line) = lines.next(&mut reading)? {
                match text::parse_line(line) {
                    Ok((vma, _)) if vma.start < floor => continue 'reading,
                    Ok((vma, printed)) => {
                        floor = vma.end;
                        snapshot.push(vma, printed, &mut name);
                    }
                    Err(reason) => {
                        return Err(Error::Malformed {
                            line: lines.number(),
                            reason,
                        });
                    }
                }
            }
            return Ok(snapshot);
        }
        Err(Error::Torn)
    }

    fn push(&mut self, vma: Vma, printed: &[u8], name: &mut NameBuf) {
        name.set_from_text(printed);
        // The VMAs of a file are adjacent: their name is stored once.
        let above = self.vmas.last().map(|above| above.name.clone());
        let same = above.filter(|at| self.names.get(at.clone()) == Some(name.as_bytes()));
        let name = same.unwrap_or_else(|| {
            let start = self.names.len();
            self.names.extend_from_slice(name.as_bytes());
            start..self.names.len()
        });
        self.vmas.push(Entry { vma, name });
    }

    /// Returns the number of VMAs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vmas.len()
    }

    /// Returns whether it has no VMAs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vmas.is_empty()
    }

    /// Returns the VMA that covers `addr`.
    #[must_use]
    pub fn covering(&self, addr: AbsAddr) -> Option<NamedVma<'_>> {
        self.covering_or_next(addr, Filter::ANY)
            .filter(|found| found.vma.contains(addr))
    }

    /// Returns the VMA that covers `addr` if it matches `filter`, or else the first above
    /// that matches.
    #[must_use]
    pub fn covering_or_next(&self, addr: AbsAddr, filter: Filter) -> Option<NamedVma<'_>> {
        let below = self.vmas.partition_point(|entry| entry.vma.end <= addr);
        let mut above = self.vmas.get(below..).unwrap_or_default().iter();
        above
            .find(|entry| filter.passes(&entry.vma))
            .map(|entry| self.named(entry))
    }

    /// Iterates over all VMAs in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NamedVma<'_>> {
        self.vmas.iter().map(|entry| self.named(entry))
    }

    fn named(&self, entry: &Entry) -> NamedVma<'_> {
        let raw_name = self.names.get(entry.name.clone()).unwrap_or_default();
        NamedVma {
            vma: entry.vma,
            raw_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;

    use super::Snapshot;
    use crate::{Error, Filter, VmaName};

    const TEXT: &str = "\
1000-2000 r--p 00000000 fe:00 7                                  /bin/a
2000-3000 r-xp 00001000 fe:00 7                                  /bin/a
5000-6000 rwxp 00000000 00:00 0 
7000-8000 r-xp 00000000 fe:00 8                                  /lib/b\\012c (deleted)
";

    #[test]
    fn an_address_finds_its_vma_or_the_next() {
        let saved = Snapshot::parse(TEXT.as_bytes()).unwrap();
        let code = Filter::EXECUTABLE | Filter::FILE_BACKED;
        let cases = [
            ("below all", 0x0, Filter::ANY, Some(0x1000)),
            ("first byte", 0x1000, Filter::ANY, Some(0x1000)),
            ("last byte", 0x1fff, Filter::ANY, Some(0x1000)),
            ("the end is exclusive", 0x2000, Filter::ANY, Some(0x2000)),
            ("in a gap", 0x4000, Filter::ANY, Some(0x5000)),
            ("above all", 0x8000, Filter::ANY, None),
            ("filter passes over", 0x1000, code, Some(0x2000)),
            ("filter passes over two", 0x3000, code, Some(0x7000)),
        ];
        for (name, addr, filter, want) in cases {
            let found = saved.covering_or_next(AbsAddr(addr), filter);
            assert_eq!(
                found.map(|found| found.vma.start),
                want.map(AbsAddr),
                "{name}"
            );
        }
        assert_eq!(saved.covering(AbsAddr(0x4000)), None);
        let last = saved.iter().last().unwrap();
        assert_eq!(
            last.name(),
            VmaName::Path {
                path: b"/lib/b\nc",
                deleted: true
            }
        );
    }

    #[test]
    fn a_saved_text_that_no_kernel_printed_is_refused_by_line() {
        let cases = [
            ("", 1),
            ("\n", 1),
            (
                "1000-2000 r--p 0 00:00 0 \n\n3000-4000 r--p 0 00:00 0 \n",
                2,
            ),
            ("2000-3000 r--p 0 00:00 0 \n1000-2000 r--p 0 00:00 0 \n", 2),
            ("1000-3000 r--p 0 00:00 0 \n2000-4000 r--p 0 00:00 0 \n", 2),
            ("\0\0\0", 1),
        ];
        for (text, want) in cases {
            match Snapshot::parse(text.as_bytes()) {
                Err(Error::Malformed { line, .. }) => assert_eq!(line, want, "{text:?}"),
                other => panic!("{text:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_last_newline_is_no_fault() {
        assert_eq!(
            Snapshot::parse(TEXT.trim_end().as_bytes()).unwrap().len(),
            4
        );
    }
}
