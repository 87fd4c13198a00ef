//! What one writer of packets has told so far.

use super::counters::Counter;
use super::fields::{each_field, low, signed};
use super::interned::{InternedTables, TaskRow};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, Value};

/// The state of a sequence.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    pub(super) tables: InternedTables,
    /// The tables inside of its `ProfilePacket`s (Android 10).
    pub(super) profile_tables: InternedTables,
    /// The clock of its packets.
    pub(super) clock: Option<u32>,
    /// What samples of `StackSample` are weighted by, unless they say it.
    pub(super) counter: Option<Counter>,
    /// The thread of its `StreamingProfilePacket`s.
    pub(super) task: TaskRow,
    /// The time of the last sample of these, in microseconds.
    pub(super) time_us: Option<i64>,
    /// The number of its last `ProfilePacket`.
    pub(super) profile_index: Option<u64>,
    /// Rows of a heap profile that goes on in the next packet.
    pub(super) heap_rows: Vec<HeapRow>,
}

/// A row of a heap profile: a callstack, and what was allocated there.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeapRow {
    pub(super) pid: u32,
    pub(super) heap: backsight_profile::StrIdx,
    pub(super) callstack: u64,
    pub(super) allocated: AllocationCounts,
}

/// Counts of objects and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AllocationCounts {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) freed_objects: u64,
    pub(super) freed_bytes: u64,
    pub(super) max_objects: u64,
    pub(super) max_bytes: Option<u64>,
}

impl Sequence {
    /// Forgets what must be introduced again.
    pub(super) fn clear(&mut self) {
        self.tables = InternedTables::default();
        self.clock = None;
        self.counter = None;
        self.task = TaskRow::default();
        self.time_us = None;
    }

    /// Takes `TracePacketDefaults`.
    pub(super) fn defaults(
        &mut self,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        self.clock = None;
        self.counter = None;
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (58, Value::Varint(clock)) => self.clock = Some(low(clock)),
                (100, Value::Bytes(row)) => {
                    each_field(row, |number, value| {
                        if let (2, Value::Bytes(row)) = (number, value) {
                            self.counter = Some(Counter::of(row, budget, flaws)?.1);
                        }
                        Ok(())
                    })?;
                }
                _ => {}
            }
            Ok(())
        })?;
        if !is_whole {
            flaws.count("defaults of packets that cannot be decoded");
        }
        Ok(())
    }

    /// Takes a `ThreadDescriptor`.
    pub(super) fn thread(&mut self, row: &[u8], flaws: &mut Flaws) -> Result<(), Error> {
        let is_whole = each_field(row, |number, value| {
            if let Value::Varint(value) = value {
                match number {
                    1 => self.task.pid = Some(low(value)),
                    2 => self.task.tid = Some(low(value)),
                    6 => self.time_us = Some(signed(value)),
                    _ => {}
                }
            }
            Ok(())
        })?;
        if !is_whole {
            flaws.count("descriptions of threads that cannot be decoded");
        }
        Ok(())
    }
}
