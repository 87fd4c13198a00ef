//! What a process says of executable memory without a file: whether it moved the text of a file
//! there.
//!
//! ```text
//!   mapped ──▶ asked: moved, or other code      the answer counts
//!          ──▶ asked: not written yet           asked once more, a moment later
//!          ──▶ no answer                        judged by the mappings around it
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use backsight_types::AbsRange;
use backsight_types::trace::{Mmap, MovedText, ProcessChange};

/// What a process says of memory.
#[derive(Debug)]
pub(super) enum TextAnswer {
    /// It is text of the file of this mapping.
    Moved(Mmap),
    /// It is other code.
    Other,
    /// It is not that text, but a part of it was still empty.
    NotWritten,
    /// The process has ended, or has something else there by now, or cannot be asked.
    Unknown,
}

/// How much is compared of a page: whole pages of code are never zero.
const PART: u64 = 4096;

/// Whether the first, middle and last page of memory have been written. Also if it cannot be read:
/// then asking again is of no use.
pub(super) fn is_written(pid: u32, range: AbsRange) -> bool {
    let Ok(memory) = File::open(format!("/proc/{pid}/mem")) else {
        return true;
    };
    let size = range.size();
    let parts = [0, (size / 2) & !(PART - 1), size.saturating_sub(PART)];
    parts.into_iter().all(|into| {
        let mut bytes = [0; PART as usize];
        let at = range.start.0.saturating_add(into);
        let read = memory.read_at(&mut bytes, at).unwrap_or(0);
        let mut bytes = bytes.iter().take(read);
        read == 0 || bytes.any(|byte| *byte != 0)
    })
}

/// A program copies its text in less time.
const WRITTEN_AFTER: Duration = Duration::from_millis(100);

/// The most that are asked again.
const MAX_OPEN: usize = 256;

/// Memory of a process that was not written when it was asked.
#[derive(Debug)]
pub(super) struct UnwrittenMemory {
    pub(super) pid: u32,
    /// The number of the event that mapped it.
    pub(super) order: u64,
    pub(super) mapping: Mmap,
    since: Instant,
}

/// All of it that is still mapped.
#[derive(Debug, Default)]
pub(super) struct OpenQuestions(Vec<UnwrittenMemory>);

impl OpenQuestions {
    pub(super) fn add(&mut self, pid: u32, order: u64, mapping: &Mmap) {
        if self.0.len() < MAX_OPEN {
            self.0.push(UnwrittenMemory {
                pid,
                order,
                mapping: mapping.clone(),
                since: Instant::now(),
            });
        }
    }

    /// A process changed: nobody asks for what is not there any more.
    pub(super) fn changed(&mut self, pid: u32, change: &ProcessChange) {
        self.0.retain(|open| {
            let range = open.mapping.range;
            let is_over = |other: AbsRange| other.start < range.end && range.start < other.end;
            open.pid != pid
                || match change {
                    ProcessChange::Mmap(mapping) => !is_over(mapping.range),
                    ProcessChange::Munmap(range) => !is_over(*range),
                    _ => false,
                }
        });
    }

    /// Takes those that have had time to be written.
    pub(super) fn take_due(&mut self) -> Vec<UnwrittenMemory> {
        let due = |open: &mut UnwrittenMemory| open.since.elapsed() >= WRITTEN_AFTER;
        self.0.extract_if(.., due).collect()
    }
}

impl UnwrittenMemory {
    /// Returns the mapping with what the process says now; `None` if it says nothing. What is still
    /// empty is no text: who moves its own text needs it at once.
    pub(super) fn answered(self, answer: TextAnswer) -> Option<Mmap> {
        match answer {
            TextAnswer::Moved(text) => Some(text),
            TextAnswer::Other | TextAnswer::NotWritten => Some(Mmap {
                moved: MovedText::Denied,
                ..self.mapping
            }),
            TextAnswer::Unknown => None,
        }
    }
}
