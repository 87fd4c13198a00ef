//! Reads the maps text of a process line by line.
//!
//! A read of any size returns at most a page of text. `pread` does not change the
//! position of the open file, which a received descriptor shares with its sender.
//! Sequential `pread` costs the same as `read`; only a jump makes the kernel start from
//! the first VMA.
//!
//! For a jump, the kernel prints the text again and skips that many bytes. If the process
//! has changed its mappings meanwhile, the position is wrong and lines are lost. So two
//! readers of one open file must not alternate: see [`ReadGuard`].

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::maps_file::{MapsFile, ReadGuard};

/// Twice what one read returns: room for one read and for the incomplete line before it.
const CAPACITY: usize = 8192;

/// The kernel prints no line near this length. A longer line means another kind of file,
/// such as a descriptor of `/dev/zero`.
const MAX_LINE: usize = 1 << 20;

/// How often a text is read before it is reported as torn. With a thread that did nothing
/// but `mprotect`, up to one reading in a hundred was torn.
pub(crate) const READINGS: usize = 5;

/// The position of one reader in a maps text.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Identifies this reader among all in this process.
    id: u64,
    buffer: Vec<u8>,
    /// The part of `buffer` that was read and not yet returned.
    from: usize,
    until: usize,
    /// The offset in the text of the next read.
    position: u64,
    ended: bool,
    /// The number of lines returned.
    count: usize,
}

impl Lines {
    /// Starts at the first line.
    pub(crate) fn new() -> Self {
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: LAST_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
            buffer: vec![0; CAPACITY],
            from: 0,
            until: 0,
            position: 0,
            ended: false,
            count: 0,
        }
    }

    /// Goes back to the first line and keeps the buffer.
    pub(crate) fn rewind(&mut self) {
        (self.from, self.until, self.position) = (0, 0, 0);
        (self.ended, self.count) = (false, 0);
    }

    /// Returns the number of the last returned line, counted from 1.
    pub(crate) fn number(&self) -> usize {
        self.count
    }

    /// Returns the next line without its newline, or `None` after the last.
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when the process ended meanwhile: the kernel then cuts the
    /// text short without an error, so at the end of the text this is checked.
    /// [`Error::Torn`] when another reader read the same file in between.
    pub(crate) fn next(&mut self, reading: &mut ReadGuard<'_>) -> Result<Option<&[u8]>> {
        let mut seen = self.from;
        loop {
            let unseen = self.buffer.get(seen..self.until).unwrap_or_default();
            if let Some(into) = memchr::memchr(b'\n', unseen) {
                let start = self.from;
                let end = seen.saturating_add(into);
                self.from = end.saturating_add(1);
                self.count = self.count.saturating_add(1);
                return Ok(self.buffer.get(start..end));
            }
            if self.ended {
                // The kernel ends each line with a newline, so this is another kind of
                // file.
                return match self.from == self.until {
                    true => Ok(None),
                    false => Err(Error::NotMaps),
                };
            }
            self.make_room()?;
            seen = self.until;
            self.fill(reading)?;
        }
    }

    /// Moves the incomplete line to the front, and doubles the buffer if the line takes
    /// more than half of it: a path can be longer than any fixed size.
    fn make_room(&mut self) -> Result<()> {
        self.buffer.copy_within(self.from..self.until, 0);
        self.until = self.until.saturating_sub(self.from);
        self.from = 0;
        if self.until.saturating_mul(2) > self.buffer.len() {
            let larger = self.buffer.len().saturating_mul(2);
            if larger > MAX_LINE {
                return Err(Error::NotMaps);
            }
            self.buffer.resize(larger, 0);
        }
        Ok(())
    }

    fn fill(&mut self, reading: &mut ReadGuard<'_>) -> Result<()> {
        if self.position > 0 && *reading.last != self.id {
            return Err(Error::Torn);
        }
        *reading.last = self.id;
        let file = reading.maps.file();
        let room = self.buffer.get_mut(self.until..).unwrap_or_default();
        let read = read_at(reading.maps, file, room, self.position)?;
        if read == 0 && self.position > 0 {
            self.ended = true;
            return check_running(reading.maps, file);
        }
        if read == 0 {
            return match reading.maps.replacement_for(file) {
                Some(_) => self.fill(reading),
                None => Err(Error::ProcessGone),
            };
        }
        self.until = self.until.saturating_add(read);
        self.position = self.position.saturating_add(read as u64);
        Ok(())
    }
}

/// The text of an exited process is empty, so one byte proves that it has not exited.
fn check_running(maps: &MapsFile, file: &File) -> Result<()> {
    match read_at(maps, file, &mut [0], 0)? {
        0 => Err(Error::ProcessGone),
        _ => Ok(()),
    }
}

fn read_at(maps: &MapsFile, file: &File, buffer: &mut [u8], position: u64) -> Result<usize> {
    loop {
        match file.read_at(buffer, position) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done.map_err(|error| Error::from_io("read", maps.path(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::Lines;
    use crate::Error;
    use crate::maps_file::MapsFile;

    fn holding(text: &[u8]) -> MapsFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        MapsFile::new(file)
    }

    fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
        let maps = holding(text);
        let mut reading = maps.lock_reading();
        let mut lines = Lines::new();
        let mut all = Vec::new();
        while let Some(line) = lines.next(&mut reading).unwrap() {
            all.push(line.to_vec());
        }
        assert_eq!(lines.number(), all.len());
        all
    }

    #[test]
    fn lines_that_straddle_reads_come_whole() {
        let want: Vec<Vec<u8>> = (0..3000).map(|n| vec![b'a' + (n % 26) as u8; n]).collect();
        let text: Vec<u8> = want
            .iter()
            .flat_map(|line| [line.as_slice(), b"\n"].concat())
            .collect();
        assert_eq!(lines_of(&text), want);
    }

    #[test]
    fn a_line_longer_than_the_buffer_comes_whole() {
        let long = vec![b'x'; 100_000];
        let text = [b"short\n", long.as_slice(), b"\nlast\n"].concat();
        assert_eq!(lines_of(&text), [b"short".to_vec(), long, b"last".to_vec()]);
    }

    #[test]
    fn a_file_without_lines_is_no_maps_file() {
        let zero = MapsFile::new(std::fs::File::open("/dev/zero").unwrap());
        let first = Lines::new().next(&mut zero.lock_reading()).map(drop);
        assert!(matches!(first, Err(Error::NotMaps)));
    }

    #[test]
    fn an_empty_text_is_a_process_that_is_gone() {
        let first = Lines::new()
            .next(&mut holding(b"").lock_reading())
            .map(drop);
        assert!(matches!(first, Err(Error::ProcessGone)));
    }

    #[test]
    fn after_rewinding_the_first_line_comes_again() {
        let maps = holding(b"one\ntwo\n");
        let mut reading = maps.lock_reading();
        let mut lines = Lines::new();
        for _ in 0..2 {
            assert_eq!(lines.next(&mut reading).unwrap(), Some(&b"one"[..]));
            assert_eq!(lines.next(&mut reading).unwrap(), Some(&b"two"[..]));
            assert_eq!(lines.next(&mut reading).unwrap(), None);
            assert_eq!(lines.next(&mut reading).unwrap(), None);
            lines.rewind();
        }
    }

    #[test]
    fn a_reading_that_another_came_between_is_torn() {
        let long_enough_for_two_pieces = b"a line\n".repeat(2000);
        let maps = holding(&long_enough_for_two_pieces);
        let mut reading = maps.lock_reading();
        let (mut first, mut second) = (Lines::new(), Lines::new());
        first.next(&mut reading).unwrap();
        second.next(&mut reading).unwrap();
        let end = loop {
            match first.next(&mut reading) {
                Ok(Some(_)) => {}
                end => break end.map(drop),
            }
        };
        assert!(matches!(end, Err(Error::Torn)), "{end:?}");
        first.rewind();
        while first.next(&mut reading).unwrap().is_some() {}
        assert_eq!(first.number(), 2000);
    }
}
