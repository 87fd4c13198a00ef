//! Copies of parts of a process's memory.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes below the stack pointer that are copied too: functions that call no others use them.
const RED_ZONE: u64 = 128;

/// Memory to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: u64,
    /// In bytes. Less may be mapped.
    pub(super) size: usize,
}

/// Copies of parts of a process's memory. Later ones do not overlap earlier ones.
#[derive(Debug, Default)]
pub(super) struct StackMemory {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Window {
    /// `size` bytes from a stack pointer up, and a few below it.
    pub(super) fn of_stack(sp: u64, size: usize) -> Self {
        let start = sp.saturating_sub(RED_ZONE);
        let below = usize::try_from(sp.saturating_sub(start)).unwrap_or_default();
        Self {
            start,
            size: size.saturating_add(below),
        }
    }
}

impl StackMemory {
    /// Copies a part. `memory` is the file `mem` of the process.
    pub(super) fn copy(&mut self, memory: &File, window: Window) {
        let mut bytes = vec![0; window.size];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            let done = u64::try_from(filled).unwrap_or(u64::MAX);
            // Where nothing is mapped, the copy ends.
            match memory.read_at(room, window.start.saturating_add(done)) {
                Ok(0) | Err(_) => break,
                Ok(more) => filled = filled.saturating_add(more),
            }
        }
        bytes.truncate(filled);
        self.pieces.push((window.start, bytes));
    }

    /// Returns a word of 4 or 8 bytes, if it was copied.
    pub(super) fn word(&self, addr: u64, size: u8) -> Option<u64> {
        self.pieces.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(addr.checked_sub(*start)?).ok()?;
            let end = at.checked_add(usize::from(size))?;
            let found = bytes.get(at..end)?;
            let mut all = [0; 8];
            all.get_mut(..usize::from(size))?.copy_from_slice(found);
            Some(u64::from_le_bytes(all))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::{StackMemory, Window};

    #[test]
    fn words_are_those_that_were_copied() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..64).collect();
        file.write_all(&bytes).unwrap();
        let memory: &File = &file;
        let mut copied = StackMemory::default();
        copied.copy(memory, Window { start: 8, size: 16 });
        copied.copy(
            memory,
            Window {
                start: 56,
                size: 99,
            },
        );
        copied.copy(
            memory,
            Window {
                start: 1000,
                size: 8,
            },
        );
        let words = [0, 8, 16, 20, 56, 57, u64::MAX].map(|addr| copied.word(addr, 8).is_some());
        assert_eq!(words, [false, true, true, false, true, false, false]);
        assert_eq!(copied.word(20, 4), Some(0x1716_1514));
        assert_eq!(Window::of_stack(0, 1).start, 0);
    }
}
