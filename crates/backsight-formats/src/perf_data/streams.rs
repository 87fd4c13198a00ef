//! Files of records, each in order of time, and all of them together.
//!
//! A recording is one file, or a directory of them (`perf record --threads`): each thread
//! of perf wrote its own. Of each, the next record is known; the earliest goes out.

use std::io::Read;

use backsight_types::trace::Facts;

use super::error::Problems;
use super::event_attrs::Events;
use super::kinds::{is_known, kind};
use super::perf_record;
use super::raw::Records;
use super::sorter::{MAX_HELD, MAX_TIME, NO_TIME, Sorted, Sorter};

/// One file.
struct Stream<R> {
    records: Records<R>,
    sorter: Sorter,
    is_done: bool,
}

/// All files.
pub(super) struct Streams<R> {
    all: Vec<Stream<R>>,
    /// Those before it have been asked for their first record.
    begun: usize,
    /// The one that has the earliest record, and up to which time it has.
    current: usize,
    until: Option<u64>,
}

impl<R: Read> Streams<R> {
    /// Takes files that stand at their first record, with how many bytes they have if
    /// that is known.
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
        }
    }

    /// Returns a file whose next record is not known.
    pub(super) fn unknown(&mut self) -> Option<usize> {
        while let Some(stream) = self.all.get(self.begun) {
            if !stream.is_known() {
                return Some(self.begun);
            }
            self.begun = self.begun.saturating_add(1);
        }
        let current = self.all.get(self.current)?;
        (!current.is_known()).then_some(self.current)
    }

    /// Takes the earliest record of all, when [`Streams::unknown`] is `None`.
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

    /// Finds the file whose next record is the earliest. Where times are equal, the
    /// first.
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

    /// Reads records of a file until some are ready, or to its end.
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
        while !stream.is_done && !stream.sorter.has_ready() {
            match stream.records.next() {
                Ok(Some(record)) if !is_known(record.kind) => {
                    flaws.leave_out("records of a type that is not known");
                }
                Ok(Some(record)) if record.kind < kind::FIRST_OF_PERF => {
                    let Some(event) = events.of(&record) else {
                        flaws.count("samples of an event that nothing describes");
                        continue;
                    };
                    let time = events.time_of(event, &record);
                    if time.is_some_and(|time| time > MAX_TIME && time != NO_TIME) {
                        flaws.count("records with a time that no clock shows");
                    }
                    stream.sorter.push(&record, event, time);
                    if stream.sorter.is_full() {
                        stream.sorter.relieve();
                    }
                }
                Ok(Some(record)) if record.kind == kind::FINISHED_ROUND => {
                    stream.sorter.finish_round();
                }
                Ok(Some(record)) => {
                    if record.kind == kind::AUXTRACE {
                        flaws.leave_out("pieces of hardware traces");
                    }
                    if perf_record::take(&record, events, facts).is_none() {
                        flaws.count("records about the recording that are too short");
                    }
                }
                Ok(None) => stream.finish(),
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

    /// Returns how many records came too late to be put in order.
    fn late(&self) -> u64 {
        let late = self.all.iter().map(|stream| stream.sorter.late);
        late.fold(0, u64::saturating_add)
    }
}

impl<R: Read> Stream<R> {
    fn is_known(&self) -> bool {
        self.is_done || self.sorter.has_ready()
    }

    /// Ends it.
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
        while streams.unknown().is_none() {
            let Some(next) = streams.next(false) else {
                break;
            };
            times.push(next.time);
        }
        assert_eq!(times, [1, 2, 3, 4, 5, 5, 7, 9, 10]);
        assert_eq!(streams.late(), 0);
    }
}
