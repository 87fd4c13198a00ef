//! A whole maps text, live or saved, searched by bisection.

use std::ops::Range;

use backsight_types::AbsAddr;

use crate::error::{Error, Result};
use crate::lines::{Lines, READINGS};
use crate::maps_file::MapsFile;
use crate::{Cursor, Filter, NameBuf, Vma, VmaName, text};

/// All VMAs of a process at about one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    vmas: Vec<Entry>,
    names: Vec<u8>,
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
    /// Its name as raw bytes: `\012` is a newline, ` (deleted)` is still there.
    pub raw_name: &'s [u8],
}

impl<'s> NamedVma<'s> {
    /// Returns what the name means.
    #[must_use]
    pub fn name(&self) -> VmaName<'s> {
        VmaName::new(self.raw_name)
    }
}

impl Snapshot {
    /// Reads a saved text.
    ///
    /// # Errors
    /// [`Error::Malformed`] names the line, from 1, and what is wrong with it: no
    /// maps line, ranges that overlap or run backwards, or nothing at all.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut snapshot = Self::default();
        let mut name = NameBuf::new();
        let lines = text
            .strip_suffix(b"\n")
            .unwrap_or(text)
            .split(|byte| *byte == b'\n');
        for (number, line) in (1..).zip(lines) {
            let malformed = |reason| Error::Malformed {
                line: number,
                reason,
            };
            if line.is_empty() && number == 1 {
                return Err(malformed(
                    "the text is empty, as that of a process that has ended",
                ));
            }
            if snapshot.push(line, &mut name).map_err(malformed)? == Order::Torn {
                return Err(malformed("the range begins before the one above it ends"));
            }
        }
        Ok(snapshot)
    }

    /// Reads a live text, again when it came out torn.
    pub(crate) fn of(maps: &MapsFile) -> Result<Self> {
        let mut turn = maps.turn();
        let mut lines = Lines::new();
        let mut name = NameBuf::new();
        'reading: for _ in 0..READINGS {
            lines.rewind();
            let mut snapshot = Self::default();
            while let Some(line) = lines.next(&mut turn)? {
                match snapshot.push(line, &mut name) {
                    Ok(Order::Upward) => {}
                    Ok(Order::Torn) => continue 'reading,
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

    fn push(&mut self, line: &[u8], name: &mut NameBuf) -> Result<Order, text::Reason> {
        let (vma, printed) = text::parse_line(line)?;
        if self
            .vmas
            .last()
            .is_some_and(|above| vma.start < above.vma.end)
        {
            return Ok(Order::Torn);
        }
        name.set_from_text(printed);
        // A file's VMAs follow each other: their name is kept once.
        let above = self.vmas.last().map(|above| above.name.clone());
        let same = above.filter(|at| self.names.get(at.clone()) == Some(name.as_bytes()));
        let name = same.unwrap_or_else(|| {
            let start = self.names.len();
            self.names.extend_from_slice(name.as_bytes());
            start..self.names.len()
        });
        self.vmas.push(Entry { vma, name });
        Ok(Order::Upward)
    }

    /// Returns the number of VMAs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vmas.len()
    }

    /// Returns whether it has no VMAs, which only [`Snapshot::default`] has.
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

    /// Returns the VMA that covers `addr` if it passes `filter`, or else the first
    /// above that does.
    #[must_use]
    pub fn covering_or_next(&self, addr: AbsAddr, filter: Filter) -> Option<NamedVma<'_>> {
        let below = self.vmas.partition_point(|entry| entry.vma.end <= addr);
        let mut above = self.vmas.get(below..).unwrap_or_default().iter();
        above
            .find(|entry| filter.passes(&entry.vma))
            .map(|entry| self.named(entry))
    }

    /// Walks over all VMAs, upwards.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NamedVma<'_>> {
        self.vmas.iter().map(|entry| self.named(entry))
    }

    /// Returns a cursor over it: the same pass that a live process allows.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::saved(self)
    }

    fn named(&self, entry: &Entry) -> NamedVma<'_> {
        let raw_name = self.names.get(entry.name.clone()).unwrap_or_default();
        NamedVma {
            vma: entry.vma,
            raw_name,
        }
    }
}

/// How a line stands to the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Upward,
    /// It begins before the one above ends: the mappings changed in between.
    Torn,
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
