//! The records of all buffers, as a recording that is in progress.
//!
//! ```text
//!   header, events, what was there before
//!   buffer of processor 0, buffer of processor 1, …, FINISHED_ROUND     each time that it is read
//! ```
//!
//! The reader of recordings sorts and parses them, so that a live recording and a file of perf
//! give the same events.

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::now_ns;
use crate::record;
use crate::ring_set::RingSet;

/// The buffers, and what was written here.
#[derive(Debug, Default)]
pub(crate) struct RecordSource {
    pub(crate) rings: RingSet,
    /// Records that go before the next round.
    pub(crate) written: Vec<u8>,
    /// Whether the next round is the last.
    pub(crate) is_ending: bool,
    /// When sampling was stopped.
    pub(crate) stopped: Option<Instant>,
    /// The same on the clock of the records.
    pub(crate) stopped_ns: Option<u64>,
    /// When the last round began, and the one before it, on the clock of the records. The reader
    /// hands a round on when the next one has ended.
    pub(crate) round_ns: u64,
    pub(crate) reached_ns: u64,
    /// The bytes that came from the kernel so far.
    pub(crate) bytes: u64,
    /// The most bytes that were in the buffers at once.
    pub(crate) most_bytes: usize,
}

/// A [`RecordSource`] as a stream.
#[derive(Debug)]
pub(crate) struct RecordStream {
    source: Arc<Mutex<RecordSource>>,
    round: Vec<u8>,
    at: usize,
    /// Whether the buffers were emptied since a reader last had to wait.
    is_drained: bool,
    is_at_end: bool,
}

impl RecordStream {
    pub(crate) fn new(source: Arc<Mutex<RecordSource>>) -> Self {
        Self {
            source,
            round: Vec::new(),
            at: 0,
            is_drained: false,
            is_at_end: false,
        }
    }

    /// Empties the buffers.
    fn next_round(&mut self) {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.reached_ns = source.round_ns;
        source.round_ns = now_ns();
        let RecordSource {
            rings,
            written,
            is_ending,
            bytes,
            most_bytes,
            ..
        } = &mut *source;
        self.round.clear();
        self.at = 0;
        self.round.append(written);
        let count = rings.drain(&mut self.round);
        *bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        *most_bytes = count.max(*most_bytes);
        record::finished_round(&mut self.round);
        self.is_at_end = *is_ending;
    }
}

impl Read for RecordStream {
    /// Reads what is in the buffers, and then fails once with [`ErrorKind::WouldBlock`].
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.round.len() {
            if self.is_at_end {
                return Ok(0);
            }
            if self.is_drained {
                self.is_drained = false;
                return Err(ErrorKind::WouldBlock.into());
            }
            self.next_round();
            self.is_drained = true;
        }
        let mut rest = self.round.get(self.at..).unwrap_or_default();
        let count = rest.read(room)?;
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}
