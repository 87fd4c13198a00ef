//! Heap profiles: what was allocated at each stack, and what is in use.

use backsight_profile::{Label, LabelValue, Sample, StackIdx, StrIdx};
use hashbrown::HashMap;

use super::fields::{each_field, low};
use super::interned::TaskRow;
use super::sequence::{AllocationCounts, HeapRow, Sequence};
use super::stacks::GrowingProfile;
use crate::protobuf::{Error, Value};

/// The values of rows.
const ALLOCATED: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// The values of rows that were taken when most memory was in use.
const AT_MAXIMUM: [(&str, &str); 2] = [("max_objects", "count"), ("max_space", "bytes")];

/// The last counts of each callstack. Dumps are cumulative.
#[derive(Debug, Default)]
pub(super) struct HeapProfiles {
    rows: Vec<(HeapKey, AllocationCounts)>,
    known: HashMap<HeapKey, usize>,
}

/// A callstack of a heap. The recorder may use a new ID for a stack; then counts begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct HeapKey {
    sequence: u32,
    pid: u32,
    heap: StrIdx,
    callstack: u64,
    stack: Option<StackIdx>,
}

impl HeapProfiles {
    /// Takes a `ProfilePacket`.
    pub(super) fn take(
        &mut self,
        packet: &[u8],
        number: u32,
        sequence: &mut Sequence,
        out: &mut GrowingProfile,
    ) -> Result<(), Error> {
        let (mut is_continued, mut index) = (false, 0);
        let is_whole = each_field(packet, |field, value| {
            match (field, value) {
                (1..=4, Value::Bytes(row)) => {
                    let tables = &mut sequence.profile_tables;
                    tables.are_of_profile = true;
                    tables.take_of_profile(field, row, &mut out.budget, &mut out.flaws)?;
                }
                (5, Value::Bytes(row)) => dump(row, &mut sequence.heap_rows, out)?,
                (6, Value::Varint(value)) => is_continued = value != 0,
                (7, Value::Varint(value)) => index = value,
                _ => {}
            }
            Ok(())
        })?;
        if !is_whole {
            out.flaws
                .count("heap profiles that cannot be decoded to their end");
        }
        let expected = sequence
            .profile_index
            .map_or(0, |last| last.saturating_add(1));
        let missing = index.saturating_sub(expected);
        if missing > 0 {
            let what = "packets of heap profiles that are missing in the trace";
            out.flaws.change(what, missing);
        }
        sequence.profile_index = Some(index);
        match is_continued {
            true => Ok(()),
            false => self.commit(number, sequence, out),
        }
    }

    /// Resolves the rows of a dump that is whole.
    pub(super) fn commit(
        &mut self,
        number: u32,
        sequence: &mut Sequence,
        out: &mut GrowingProfile,
    ) -> Result<(), Error> {
        for row in std::mem::take(&mut sequence.heap_rows) {
            let of_profile = &mut sequence.profile_tables;
            let stack = match of_profile.callstacks.contains_key(&row.callstack) {
                true => out.stack(of_profile, row.callstack)?,
                false => out.stack(&mut sequence.tables, row.callstack)?,
            };
            let key = HeapKey {
                sequence: number,
                pid: row.pid,
                heap: row.heap,
                callstack: row.callstack,
                stack,
            };
            match self.known.get(&key).and_then(|at| self.rows.get_mut(*at)) {
                Some((_, counts)) => {
                    *counts = row.allocated;
                    let what = "rows of heap profiles that a later dump continues";
                    out.flaws.leave_out(what);
                }
                None => {
                    out.budget
                        .take_rows::<(HeapKey, AllocationCounts, HeapKey)>(2)?;
                    self.known.insert(key, self.rows.len());
                    self.rows.push((key, row.allocated));
                }
            }
        }
        sequence.profile_tables = Default::default();
        Ok(())
    }

    /// Adds the samples.
    pub(super) fn finish(self, out: &mut GrowingProfile) -> Result<(), Error> {
        let key = out.profile.strings.intern("heap");
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for (heap, counts) in self.rows {
            let task = TaskRow {
                pid: Some(heap.pid),
                tid: None,
            };
            let thread = out.thread(task)?;
            let label = Label {
                key,
                value: LabelValue::Text(heap.heap),
            };
            let mut add = |types: &[(&str, &str)], values: &[i64]| {
                let first_type = out.types(types).unwrap_or_default();
                let sample = Sample {
                    thread,
                    time_ns: None,
                    stack: heap.stack,
                    first_type,
                };
                out.sum(sample, values, &[label])
            };
            let [objects, bytes, freed_objects, freed_bytes] = [
                counts.objects,
                counts.bytes,
                counts.freed_objects,
                counts.freed_bytes,
            ]
            .map(number);
            if let Some(max_bytes) = counts.max_bytes {
                add(
                    &AT_MAXIMUM,
                    &[number(counts.max_objects), number(max_bytes)],
                )?;
            }
            if counts.max_bytes.is_none() || objects != 0 || bytes != 0 {
                let values = [
                    objects,
                    bytes,
                    objects.saturating_sub(freed_objects),
                    bytes.saturating_sub(freed_bytes),
                ];
                add(&ALLOCATED, &values)?;
            }
        }
        Ok(())
    }
}

/// Takes the rows of one process (`ProcessHeapSamples`).
fn dump(dump: &[u8], rows: &mut Vec<HeapRow>, out: &mut GrowingProfile) -> Result<(), Error> {
    let (mut pid, mut heap) = (0, &b"libc.malloc"[..]);
    let mut faults = Vec::new();
    let is_whole = each_field(dump, |number, value| {
        match (number, value) {
            (1, Value::Varint(value)) => pid = low(value),
            (11, Value::Bytes(name)) => heap = name,
            (14, Value::Varint(value)) if value != 0 => faults.push(number),
            (4 | 6 | 7 | 8 | 10, Value::Varint(value)) if value != 0 => faults.push(number),
            _ => {}
        }
        Ok(())
    })?;
    if !is_whole {
        out.flaws
            .count("heap profiles that cannot be decoded to their end");
    }
    faults.sort_unstable();
    faults.dedup();
    for fault in faults {
        let what = match fault {
            4 => "dumps without rows, because another recorder was at work",
            6 => "dumps of processes that left the recorder before the end",
            7 => "dumps that lack allocations, because the buffer overran",
            8 => "dumps that lack allocations, because the buffer was corrupted",
            10 => "dumps that lack allocations, because the recorder's limits were met",
            _ => "dumps that lack allocations, because of an error in the process",
        };
        out.flaws.change(what, 1);
    }
    let heap = out.profile.strings.intern(&String::from_utf8_lossy(heap));
    each_field(dump, |number, value| {
        let (2, Value::Bytes(row)) = (number, value) else {
            return Ok(());
        };
        let (mut callstack, mut allocated) = (0, AllocationCounts::default());
        let is_whole = each_field(row, |number, value| {
            if let Value::Varint(value) = value {
                match number {
                    1 => callstack = value,
                    2 => allocated.bytes = value,
                    3 => allocated.freed_bytes = value,
                    5 => allocated.objects = value,
                    6 => allocated.freed_objects = value,
                    8 => allocated.max_bytes = Some(value),
                    9 => allocated.max_objects = value,
                    _ => {}
                }
            }
            Ok(())
        })?;
        if !is_whole {
            out.flaws
                .count("rows of heap profiles that cannot be decoded");
        }
        out.budget.take_rows::<HeapRow>(2)?;
        rows.push(HeapRow {
            pid,
            heap,
            callstack,
            allocated,
        });
        Ok(())
    })?;
    Ok(())
}
