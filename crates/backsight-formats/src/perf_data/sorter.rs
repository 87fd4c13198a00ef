//! Sorts records by time, without buffering all of them.
//!
//! Each processor has its own buffer, and perf empties one after the other, so that the file is not
//! in time order. A `FINISHED_ROUND` record follows when all buffers were emptied once. A later
//! round can have records that are older than the end of this round, but none that are older than
//! the end of the previous round:
//!
//! ```text
//!   round 1   ├─────────────┤
//!   round 2         ├───────────────┤         at its end, records up to the end of round 1 are emitted
//!   round 3                 ├──────────────┤  at its end, records up to the end of round 2 are emitted
//! ```
//!
//! A file without rounds would be buffered as a whole. Therefore, when more than [`MAX_HELD`] bytes
//! are buffered, the older half is emitted, and records that arrive too late for that are counted.
//!
//! Source: `tools/perf/util/ordered-events.c`.

use super::raw::RawRecord;

/// The maximum size of buffered records in bytes. perf's buffers have 512 KiB per processor, and up
/// to two rounds are buffered.
pub const MAX_HELD: usize = 64 << 20;

/// The maximum valid time in nanoseconds. On a clock that counts from 1970, it is in the year 2116.
pub(super) const MAX_TIME: u64 = 1 << 62;

/// The time that perf writes if it knows none: `OFF_CPU_TIMESTAMP` in
/// `tools/perf/util/bpf_off_cpu.c`.
pub(super) const NO_TIME: u64 = 0xffff_ffff_0000_0000;

/// A buffered record.
#[derive(Clone, Copy, Debug)]
struct HeldRecord {
    time: u64,
    /// The offset of its body in the buffer.
    start: u32,
    len: u32,
    kind: u32,
    misc: u16,
    event: u16,
    /// Whether its recorded time is valid.
    has_time: bool,
}

/// Records and their bodies.
#[derive(Debug, Default)]
struct RecordBuffer {
    held: Vec<HeldRecord>,
    bodies: Vec<u8>,
}

/// A record with its time and event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sorted<'a> {
    pub(super) record: RawRecord<'a>,
    /// In nanoseconds; 0 if it has none.
    pub(super) time: u64,
    /// Whether its recorded time is valid.
    pub(super) has_time: bool,
    /// The index of its event.
    pub(super) event: usize,
}

/// Takes records in the order of the file, and emits them in time order.
#[derive(Debug)]
pub(super) struct Sorter {
    waiting: RecordBuffer,
    ready: RecordBuffer,
    /// The number of records of `ready` that were emitted.
    out: usize,
    /// The latest time of the previous round, and of this round.
    end_before: u64,
    end: u64,
    /// The latest time that was released.
    latest_out: u64,
    /// The number of records that arrived after later ones had been emitted.
    pub(super) late: u64,
    most: usize,
}

impl Sorter {
    /// Creates a sorter that buffers up to `most` bytes.
    pub(super) fn holding(most: usize) -> Self {
        Self {
            waiting: RecordBuffer::default(),
            ready: RecordBuffer::default(),
            out: 0,
            end_before: 0,
            end: 0,
            latest_out: 0,
            late: 0,
            most,
        }
    }

    /// Adds a record. A record without a time is emitted as soon as possible. A record with an
    /// invalid time gets the latest time of this round.
    pub(super) fn push(&mut self, record: &RawRecord<'_>, event: usize, time: Option<u64>) {
        let has_time = time.is_none_or(|time| time <= MAX_TIME);
        let time = match time {
            Some(_) if !has_time => self.end,
            time => time.unwrap_or_default(),
        };
        let heap = &mut self.waiting;
        let len = u32::try_from(record.body.len());
        let start = u32::try_from(heap.bodies.len());
        // A body has less than 2^16 bytes, and the buffer less than 2^32.
        let (Ok(start), Ok(len)) = (start, len) else {
            return;
        };
        heap.bodies.extend_from_slice(record.body);
        heap.held.push(HeldRecord {
            time,
            start,
            len,
            kind: record.kind,
            misc: record.misc,
            event: u16::try_from(event).unwrap_or(u16::MAX),
            has_time,
        });
        self.end = self.end.max(time);
        // Records that perf synthesized have no time, and are never late.
        let is_late = time > 0 && time < self.latest_out;
        self.late = self.late.saturating_add(u64::from(is_late));
    }

    /// Whether the buffer is full, so that records must be emitted.
    pub(super) fn is_full(&self) -> bool {
        let list = self
            .waiting
            .held
            .len()
            .saturating_mul(size_of::<HeldRecord>());
        self.waiting.bodies.len().saturating_add(list) >= self.most
    }

    /// Ends a round: releases the records that no later record can precede.
    pub(super) fn finish_round(&mut self) {
        self.release(self.end_before);
        self.end_before = self.end;
    }

    /// Releases the older half.
    pub(super) fn release_older_half(&mut self) {
        let mut times: Vec<u64> = self.waiting.held.iter().map(|held| held.time).collect();
        let middle = times.len() / 2;
        if middle < times.len() {
            let (_, middle, _) = times.select_nth_unstable(middle);
            let middle = *middle;
            self.release(middle);
            self.end_before = self.end_before.max(middle);
        }
    }

    /// Ends the last round: releases all records.
    pub(super) fn finish(&mut self) {
        self.release(u64::MAX);
    }

    /// Releases records up to and including `time`. Those released before must have been taken.
    fn release(&mut self, time: u64) {
        std::mem::swap(&mut self.waiting, &mut self.ready);
        self.waiting.held.clear();
        self.waiting.bodies.clear();
        self.out = 0;
        let Self { waiting, ready, .. } = self;
        let RecordBuffer { held, bodies } = ready;
        held.retain(|one| {
            let goes_out = one.time <= time;
            if !goes_out {
                waiting.take_over(one, body(bodies, one));
            }
            goes_out
        });
        // The sort is stable: records with equal times keep their order. It is also fast, because
        // it merges runs, and the records of each processor are sorted already.
        held.sort_by_key(|held| held.time);
        if let Some(last) = held.last() {
            self.latest_out = self.latest_out.max(last.time);
        }
    }

    /// Whether [`Sorter::next`] has a record.
    pub(super) fn has_ready(&self) -> bool {
        self.out < self.ready.held.len()
    }

    /// Takes the next record in time order.
    pub(super) fn next(&mut self, big: bool) -> Option<Sorted<'_>> {
        self.out = self.out.saturating_add(1);
        self.at(self.out.checked_sub(1)?, big)
    }

    /// Returns the record that was taken last.
    pub(super) fn last(&self, big: bool) -> Option<Sorted<'_>> {
        self.at(self.out.checked_sub(1)?, big)
    }

    /// Returns the time of the next record.
    pub(super) fn next_time(&self) -> Option<u64> {
        self.ready.held.get(self.out).map(|held| held.time)
    }

    fn at(&self, place: usize, big: bool) -> Option<Sorted<'_>> {
        let held = self.ready.held.get(place)?;
        let record = RawRecord {
            kind: held.kind,
            misc: held.misc,
            body: body(&self.ready.bodies, held),
            big,
        };
        Some(Sorted {
            record,
            time: held.time,
            has_time: held.has_time,
            event: usize::from(held.event),
        })
    }
}

impl RecordBuffer {
    fn take_over(&mut self, held: &HeldRecord, body: &[u8]) {
        // The offset fitted before.
        let start = u32::try_from(self.bodies.len()).unwrap_or(u32::MAX);
        self.bodies.extend_from_slice(body);
        self.held.push(HeldRecord { start, ..*held });
    }
}

fn body<'a>(bodies: &'a [u8], held: &HeldRecord) -> &'a [u8] {
    let part = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let rest = bodies.get(part(held.start)..).unwrap_or_default();
    rest.get(..part(held.len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_HELD, RawRecord, Sorter};

    fn push(sorter: &mut Sorter, time: u64, body: &[u8]) {
        let record = RawRecord {
            kind: 9,
            misc: 0,
            body,
            big: false,
        };
        sorter.push(&record, 0, Some(time));
    }

    fn out(sorter: &mut Sorter) -> Vec<(u64, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(next) = sorter.next(false) {
            all.push((next.time, next.record.body.to_vec()));
        }
        all
    }

    fn times(sorter: &mut Sorter) -> Vec<u64> {
        out(sorter).into_iter().map(|(time, _)| time).collect()
    }

    #[test]
    fn a_round_lets_out_what_the_one_before_had_reached() {
        let mut sorter = Sorter::holding(MAX_HELD);
        for (round, want) in [
            (&[1, 2, 2, 3, 4][..], &[][..]),
            (&[3, 4, 5, 5, 6, 7], &[1, 2, 2, 3, 3, 4, 4]),
            (&[6, 7, 8, 9, 10], &[5, 5, 6, 6, 7, 7]),
        ] {
            for time in round {
                push(&mut sorter, *time, b"");
            }
            sorter.finish_round();
            assert_eq!(times(&mut sorter), want);
        }
        sorter.finish();
        assert_eq!(times(&mut sorter), [8, 9, 10]);
        assert_eq!(sorter.late, 0);
    }

    #[test]
    fn without_rounds_the_older_half_goes_out_and_late_ones_are_counted() {
        let mut sorter = Sorter::holding(192);
        for time in [5, 1, 4, 2, 3, 6] {
            push(&mut sorter, time, b"12345678");
        }
        assert!(sorter.is_full());
        sorter.release_older_half();
        assert_eq!(times(&mut sorter), [1, 2, 3, 4]);
        assert!(!sorter.is_full());
        push(&mut sorter, 3, b"");
        push(&mut sorter, 0, b"");
        sorter.finish();
        assert_eq!(times(&mut sorter), [0, 3, 5, 6]);
        assert_eq!(sorter.late, 1);
    }

    proptest! {
        /// Two buffers, each in time order, which are emptied alternately up to random points.
        #[test]
        fn records_of_several_processors_are_sorted(
            turns in prop::collection::vec((0_u64..20, 0_u64..20), 1..30)
        ) {
            let mut sorter = Sorter::holding(MAX_HELD);
            let (mut now, mut want, mut got) = (0, Vec::new(), Vec::new());
            for (first, second) in turns {
                // Records up to `now` are in both buffers in this round; perf empties the second
                // one later.
                for step in 0..first {
                    push(&mut sorter, now + 2 * step, &[1]);
                    want.push(now + 2 * step);
                }
                for step in 0..first + second {
                    push(&mut sorter, now + 2 * step + 1, &[2]);
                    want.push(now + 2 * step + 1);
                }
                now += 2 * (first + second);
                sorter.finish_round();
                got.extend(times(&mut sorter));
            }
            sorter.finish();
            got.extend(times(&mut sorter));
            want.sort_unstable();
            prop_assert_eq!(got, want);
            prop_assert_eq!(sorter.late, 0);
        }
    }
}
