//! A range of an open file, read like a file of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Reads a range of an open file, such as the contents of an archive's member, as a file that
/// begins and ends with it. The position of the file itself is neither used nor changed.
#[derive(Debug)]
pub struct FilePart<'f> {
    file: &'f File,
    range: Range<u64>,
    /// The position, as an offset in the range.
    at: u64,
}

impl<'f> FilePart<'f> {
    /// Starts at the beginning of the range, which is in bytes from the start of the file. What
    /// is after the end of the file cannot be read.
    #[must_use]
    pub fn new(file: &'f File, range: Range<u64>) -> Self {
        Self { file, range, at: 0 }
    }

    fn len(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

impl Read for FilePart<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.len().saturating_sub(self.at);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get_mut(..room).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(0);
        }
        let count = (self.file).read_at(bytes, self.range.start.saturating_add(self.at))?;
        let more = u64::try_from(count).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(more);
        Ok(count)
    }
}

impl Seek for FilePart<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.len(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        let at = base.checked_add_signed(by);
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
