//! Records in order of time, without holding all of them.
//!
//! Each processor has a buffer of its own, and perf empties one after the other, so
//! the file goes back and forth in time. It says when it is through all of them, by a
//! `FINISHED_ROUND`. What a later round holds can be older than this round's end, but
//! never older than the end of the round before:
//!
//! ```text
//!   round 1   ├─────────────┤
//!   round 2         ├───────────────┤         its end: all up to the end of round 1 goes out
//!   round 3                 ├──────────────┤  its end: all up to the end of round 2 goes out
//! ```
//!
//! A file without rounds would be held whole. So when more is held than
//! [`MAX_HELD`], the older half goes out, and what comes later than it should have is
//! counted.
//!
//! Source: `tools/perf/util/ordered-events.c`.

use super::raw::RawRecord;

/// No more than so many bytes of records wait for older ones. The buffers of perf have
/// 512 KiB for each processor, and two rounds may wait.
pub const MAX_HELD: usize = 64 << 20;

/// No clock shows more nanoseconds, be it since a machine began or since 1970: that is in
/// the year 2116.
pub(super) const MAX_TIME: u64 = 1 << 62;

/// What perf writes where it knows no time: `OFF_CPU_TIMESTAMP` of
/// `tools/perf/util/bpf_off_cpu.c`.
pub(super) const NO_TIME: u64 = 0xffff_ffff_0000_0000;

/// A record that waits, or goes out next.
#[derive(Clone, Copy, Debug)]
struct HeldRecord {
    time: u64,
    /// Of its body, in the buffer.
    start: u32,
    len: u32,
    kind: u32,
    misc: u16,
    event: u16,
    /// Whether its own time is one that can be.
    has_time: bool,
}

/// Records with their bodies.
#[derive(Debug, Default)]
struct RecordBuffer {
    held: Vec<HeldRecord>,
    bodies: Vec<u8>,
}

/// A record with what sorting found out about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sorted<'a> {
    pub(super) record: RawRecord<'a>,
    /// In nanoseconds; 0 when it has none.
    pub(super) time: u64,
    /// Whether the record says so itself.
    pub(super) has_time: bool,
    /// Its place among the events.
    pub(super) event: usize,
}

/// Takes records as they stand in the file, and gives them out in order of time.
#[derive(Debug)]
pub(super) struct Sorter {
    waiting: RecordBuffer,
    ready: RecordBuffer,
    /// How many of `ready` are out.
    out: usize,
    /// The latest time of the round before, and of this one.
    end_before: u64,
    end: u64,
    /// The latest time that went out.
    latest_out: u64,
    /// Records that came after later ones had gone out.
    pub(super) late: u64,
    most: usize,
}

impl Sorter {
    /// Begins, with so many bytes that may wait.
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

    /// Takes a record. Those without a time go out as soon as they can; those whose time
    /// cannot be, with what came last.
    pub(super) fn push(&mut self, record: &RawRecord<'_>, event: usize, time: Option<u64>) {
        let has_time = time.is_none_or(|time| time <= MAX_TIME);
        let time = match time {
            Some(_) if !has_time => self.end,
            time => time.unwrap_or_default(),
        };
        let heap = &mut self.waiting;
        let len = u32::try_from(record.body.len());
        let start = u32::try_from(heap.bodies.len());
        // Bodies have less than 2^16 bytes, and the heap less than 2^32.
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
        // What perf made up has no time, and is never late.
        let is_late = time > 0 && time < self.latest_out;
        self.late = self.late.saturating_add(u64::from(is_late));
    }

    /// Returns whether so much waits that it must go out.
    pub(super) fn is_full(&self) -> bool {
        let list = self
            .waiting
            .held
            .len()
            .saturating_mul(size_of::<HeldRecord>());
        self.waiting.bodies.len().saturating_add(list) >= self.most
    }

    /// Ends a round: what no later record can precede goes out.
    pub(super) fn finish_round(&mut self) {
        self.release(self.end_before);
        self.end_before = self.end;
    }

    /// Lets the older half go out.
    pub(super) fn relieve(&mut self) {
        let mut times: Vec<u64> = self.waiting.held.iter().map(|held| held.time).collect();
        let middle = times.len() / 2;
        if middle < times.len() {
            let (_, middle, _) = times.select_nth_unstable(middle);
            let middle = *middle;
            self.release(middle);
            self.end_before = self.end_before.max(middle);
        }
    }

    /// Ends the last round: all goes out.
    pub(super) fn finish(&mut self) {
        self.release(u64::MAX);
    }

    /// Lets out what is not later than `time`. What went out before must be taken.
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
        // What came first stays first. Each processor's records are in order already,
        // and a stable sort merges such runs.
        held.sort_by_key(|held| held.time);
        if let Some(last) = held.last() {
            self.latest_out = self.latest_out.max(last.time);
        }
    }

    /// Returns whether [`Sorter::next`] has one.
    pub(super) fn has_ready(&self) -> bool {
        self.out < self.ready.held.len()
    }

    /// Takes the next record in order of time.
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
        // It was that small before.
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
        sorter.relieve();
        assert_eq!(times(&mut sorter), [1, 2, 3, 4]);
        assert!(!sorter.is_full());
        push(&mut sorter, 3, b"");
        push(&mut sorter, 0, b"");
        sorter.finish();
        assert_eq!(times(&mut sorter), [0, 3, 5, 6]);
        assert_eq!(sorter.late, 1);
    }

    proptest! {
        /// Two buffers, each in order, emptied in turns up to any point.
        #[test]
        fn what_processors_recorded_comes_in_order(
            turns in prop::collection::vec((0_u64..20, 0_u64..20), 1..30)
        ) {
            let mut sorter = Sorter::holding(MAX_HELD);
            let (mut now, mut want, mut got) = (0, Vec::new(), Vec::new());
            for (first, second) in turns {
                // What is recorded up to `now` is found in either buffer of this round,
                // and perf comes to the second one a while later.
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
