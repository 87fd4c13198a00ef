//! Merges the files of a recording by time.
//!
//! A recording is a file, or a directory of files (`perf record --threads`), each written by one
//! thread of perf. The next record of each file is known, and the earliest of them is emitted.

use std::io::{ErrorKind, Read};

use backsight_types::trace::Facts;

use super::error::{Problems, ReadEnd};
use super::event_attrs::Events;
use super::kinds::{is_known, kind};
use super::perf_record;
use super::raw::Records;
use super::sorter::{MAX_HELD, MAX_TIME, NO_TIME, Sorted, Sorter};

/// A file.
struct Stream<R> {
    records: Records<R>,
    sorter: Sorter,
    is_done: bool,
}

/// All files.
pub(super) struct Streams<R> {
    all: Vec<Stream<R>>,
    /// The number of files whose first record was read.
    begun: usize,
    /// The file with the earliest record, and the time up to which its records are the earliest.
    current: usize,
    until: Option<u64>,
    /// Whether an input had nothing to read for the moment.
    is_paused: bool,
}

impl<R: Read> Streams<R> {
    /// Creates the streams of files that are at their first record, with the size of each file's
    /// records, if known.
    pub(super) fn new(files: Vec<(R, Option<u64>)>, big: bool) -> Self {
        let most = MAX_HELD.checked_div(files.len()).unwrap_or(MAX_HELD);
        let stream = |(input, size)| Stream {
            records: Records::new(input, size, big),
            sorter: Sorter::holding(most),
            is_done: false,
        };
        Self {
            all: files.into_iter().map(stream).collect(),
            begun: 0,
            current: 0,
            until: None,
            is_paused: false,
        }
    }

    /// Returns whether the last round ended because its input has nothing to read for the moment.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Returns a file whose next record is not known yet.
    pub(super) fn without_record(&mut self) -> Option<usize> {
        while let Some(stream) = self.all.get(self.begun) {
            if !stream.is_known() {
                return Some(self.begun);
            }
            self.begun = self.begun.saturating_add(1);
        }
        let current = self.all.get(self.current)?;
        (!current.is_known()).then_some(self.current)
    }

    /// Takes the earliest record. [`Streams::without_record`] must be `None`.
    pub(super) fn next(&mut self, big: bool) -> Option<Sorted<'_>> {
        if self.all.len() > 1 {
            self.choose();
        }
        self.all.get_mut(self.current)?.sorter.next(big)
    }

    /// Returns the record that was taken last.
    pub(super) fn last(&self, big: bool) -> Option<Sorted<'_>> {
        self.all.get(self.current)?.sorter.last(big)
    }

    /// Finds the file whose next record is the earliest; of equal times, the first file.
    fn choose(&mut self) {
        let time = |stream: &Stream<R>| stream.sorter.next_time();
        let now = self.all.get(self.current).and_then(time);
        if now.zip(self.until).is_some_and(|(now, until)| now < until) {
            return;
        }
        let mut earliest = None;
        self.until = Some(u64::MAX);
        for (at, stream) in self.all.iter().enumerate() {
            let Some(time) = time(stream) else { continue };
            match earliest {
                Some(least) if time >= least => {
                    self.until = self.until.map(|until| until.min(time));
                }
                _ => {
                    self.until = earliest.or(Some(u64::MAX));
                    earliest = Some(time);
                    self.current = at;
                }
            }
        }
    }

    /// Reads records of a file until some can be emitted, or up to its end.
    pub(super) fn read_round(
        &mut self,
        file: usize,
        events: &mut Events,
        facts: &mut Facts,
        problems: &mut Problems,
    ) {
        let Some(stream) = self.all.get_mut(file) else {
            return;
        };
        let flaws = &mut problems.flaws;
        let mut end = None;
        self.is_paused = false;
        while !stream.is_done && !stream.sorter.has_ready() {
            match stream.records.next() {
                Ok(Some(record)) if !is_known(record.kind) => {
                    flaws.leave_out("records of unknown types");
                }
                Ok(Some(record)) if record.kind < kind::FIRST_OF_PERF => {
                    let Some(event) = events.of(&record) else {
                        flaws.count("samples of events that are not described");
                        continue;
                    };
                    let time = events.time_of(event, &record);
                    if time.is_some_and(|time| time > MAX_TIME && time != NO_TIME) {
                        flaws.count("records with an invalid time");
                    }
                    stream.sorter.push(&record, event, time);
                    if stream.sorter.is_full() {
                        stream.sorter.release_older_half();
                    }
                }
                Ok(Some(record)) if record.kind == kind::FINISHED_ROUND => {
                    stream.sorter.finish_round();
                }
                Ok(Some(record)) => {
                    if record.kind == kind::AUXTRACE {
                        flaws.leave_out("buffers of hardware traces");
                    }
                    if perf_record::take(&record, events, facts, flaws).is_none() {
                        flaws.count("records about the recording that are too short");
                    }
                }
                Ok(None) => stream.finish(),
                Err(ReadEnd::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_paused = true;
                    break;
                }
                Err(error) => {
                    end = Some(error);
                    stream.finish();
                }
            }
        }
        if let Some(end) = end {
            problems.end(file, end);
        }
        problems.late = self.late();
    }

    /// Returns the number of records that were emitted out of order.
    fn late(&self) -> u64 {
        let late = self.all.iter().map(|stream| stream.sorter.late);
        late.fold(0, u64::saturating_add)
    }
}

impl<R: Read> Stream<R> {
    fn is_known(&self) -> bool {
        self.is_done || self.sorter.has_ready()
    }

    /// Ends the stream.
    fn finish(&mut self) {
        self.is_done = true;
        self.sorter.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, Streams};
    use crate::perf_data::raw::{RawRecord, Records};
    use crate::perf_data::sorter::Sorter;

    #[test]
    fn the_earliest_of_all_goes_out() {
        let stream = |times: &[u64]| {
            let mut sorter = Sorter::holding(1 << 20);
            for time in times {
                let record = RawRecord {
                    kind: 9,
                    misc: 0,
                    body: b"",
                    big: false,
                };
                sorter.push(&record, 0, Some(*time));
            }
            let mut stream = Stream {
                records: Records::new(&b""[..], None, false),
                sorter,
                is_done: false,
            };
            stream.finish();
            stream
        };
        let mut streams = Streams::new(Vec::<(&[u8], _)>::new(), false);
        streams.all = vec![
            stream(&[5, 1, 9]),
            stream(&[]),
            stream(&[2, 3, 4, 5, 10]),
            stream(&[7]),
        ];
        let mut times = Vec::new();
        while streams.without_record().is_none() {
            let Some(next) = streams.next(false) else {
                break;
            };
            times.push(next.time);
        }
        assert_eq!(times, [1, 2, 3, 4, 5, 5, 7, 9, 10]);
        assert_eq!(streams.late(), 0);
    }
}
