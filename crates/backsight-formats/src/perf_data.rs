//! Recordings of Linux `perf`: the mappings and changes of processes, and samples.
//!
//! ```text
//!   files ──▶ records, decompressed if needed ──▶ sorted by time ──▶ events
//! ```
//!
//! Files and pipes (`perf record -o -`) are read, in either byte order, with any number of events,
//! compressed or not. Records are streamed: at most [`MAX_HELD`] bytes of them are buffered for
//! sorting.
//!
//! - A file that was cut off is read up to the cut. Its feature sections, which follow the records,
//!   are missing: there are no build IDs except those in mappings, and no names of events.
//! - A damaged record is skipped and counted. A damaged record size ends the reading of the file,
//!   because the next record cannot be found; all records before it are kept.
//! - Addresses are returned as recorded. Which of them are return addresses follows from the call
//!   chain: see [`ChainEntry`](backsight_types::trace::ChainEntry).
//! - User stacks recorded as memory (`--call-graph dwarf`) are returned as bytes, because unwinding
//!   needs the files of the process.
//! - The user part of a call chain can be in the branch stack (`--call-graph lbr`, see
//!   [`SampleRecord::has_stack_of_calls`](backsight_types::trace::SampleRecord::has_stack_of_calls)),
//!   or in a later record. In the second case the sample is returned when that record was read.
//! - A sample of an event group (`{a,b}:S`) is returned once for each event whose counter has
//!   changed.
//!
//! Not read: hardware traces, and mappings of guests. They are counted in [`Problems`], as are
//! records of types that this version does not know.

mod attr;
mod bpf;
mod cookie;
mod counters;
mod deferred;
mod error;
mod event_attrs;
mod facts;
mod fields;
mod header;
mod kernel_record;
mod kinds;
mod perf_record;
mod process_record;
mod raw;
mod sorter;
mod streams;
mod threads;
mod zstd_stream;

use std::io::{Read, Seek, SeekFrom};

use backsight_types::trace::{Event, Facts};

pub use error::{EarlyEnd, Error, Problems, ReadEnd};
pub use raw::MAX_GROWTH;
pub use sorter::MAX_HELD;

use counters::Counters;
use deferred::Deferred;
use event_attrs::Events;
use fields::SampleFields;
use header::FileHeader;
use kinds::kind;
use streams::Streams;
use threads::LiveThreads;

/// Reads a recording.
pub struct Reader<R> {
    streams: Streams<R>,
    events: Events,
    facts: Facts,
    threads: LiveThreads,
    deferred: Deferred,
    counters: Counters,
    problems: Problems,
    big: bool,
    /// The current sample, and the events that it is still to be returned for, last first.
    current: Current,
    parts: Vec<(usize, u64)>,
    /// A second event of the last record, returned after the first.
    also: Option<Event<'static>>,
}

/// The sample that is being returned.
#[derive(Default)]
struct Current {
    fields: SampleFields,
    /// Whether it was delayed until the user part of its call chain was read.
    has_waited: bool,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a recording in one file, and reads its header and features.
    ///
    /// # Errors
    /// As [`Reader::stream`].
    pub fn open(input: R) -> Result<Self, Error> {
        Self::directory(input, Vec::new())
    }

    /// Opens the files of a directory that `perf record --threads` wrote: `data`, which has a
    /// header, and `data.0`, `data.1`, …, which have only records.
    ///
    /// # Errors
    /// As [`Reader::stream`].
    pub fn directory(mut input: R, others: Vec<R>) -> Result<Self, Error> {
        let head = FileHeader::of_file(&mut input)?;
        let mut files = vec![(input, head.size)];
        let mut problems = Problems::default();
        for mut other in others {
            let size = other.seek(SeekFrom::End(0));
            let size = size.and_then(|size| other.rewind().map(|()| size));
            let size = size.unwrap_or_else(|error| {
                problems.end(files.len(), ReadEnd::Io(error));
                0
            });
            files.push((other, Some(size)));
        }
        Self::new(files, head, problems)
    }
}

impl<R: Read> Reader<R> {
    /// Reads an input that cannot seek. In the format that `perf record -o -` writes, the facts of
    /// the header are records, with build IDs at the end. A file that is read through a pipe has
    /// none of them, because its feature sections follow the records.
    ///
    /// # Errors
    /// [`Error::NotPerfData`] if it is not a recording; [`Error::Malformed`] if its header is
    /// damaged; [`Error::Unsupported`] if records do not say which event they belong to;
    /// [`Error::Io`] if reading the input fails.
    pub fn stream(mut input: R) -> Result<Self, Error> {
        let head = FileHeader::of_stream(&mut input)?;
        let files = vec![(input, head.size)];
        Self::new(files, head, Problems::default())
    }

    fn new(
        files: Vec<(R, Option<u64>)>,
        head: FileHeader,
        mut problems: Problems,
    ) -> Result<Self, Error> {
        if let Some(end) = head.end {
            problems.end(0, end);
        }
        problems.flaws = head.flaws;
        let mut facts = head.facts;
        facts.events = head.events.types();
        let mut reader = Self {
            streams: Streams::new(files, head.big),
            events: head.events,
            facts,
            threads: LiveThreads::default(),
            deferred: Deferred::default(),
            counters: Counters::default(),
            problems,
            big: head.big,
            current: Current::default(),
            parts: Vec::new(),
            also: None,
        };
        // A pipe has all attributes before its first sample.
        if head.is_pipe {
            reader.read_round(0);
        }
        reader.events.check()?;
        Ok(reader)
    }

    /// Returns the facts about the recording that were read so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the problems found so far.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Returns the problems found so far.
    pub fn into_problems(self) -> Problems {
        self.problems
    }

    /// Returns the next event; `None` at the end. [`Problems::ends`] says whether a file ended
    /// early.
    ///
    /// Also returns `None` if reading the input would block
    /// ([`ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock)): then
    /// [`is_paused`](Self::is_paused), and a later call goes on. So the input may be a recording
    /// in progress, such as the kernel's ring buffers. Events wait for the end of the round after
    /// theirs (`PERF_RECORD_FINISHED_ROUND`), because no earlier ones can follow then.
    #[expect(
        clippy::should_implement_trait,
        reason = "a sample borrows from the reader"
    )]
    pub fn next(&mut self) -> Option<Event<'_>> {
        let (event, period) = loop {
            if let Some(part) = self.parts.pop() {
                break part;
            }
            if self.also.is_some() {
                return self.also.take();
            }
            if let Some(waited) = self.deferred.advance() {
                let (event, time) = (waited.event, waited.time);
                self.begin_sample(event, time, true);
                continue;
            }
            while let Some(stream) = self.streams.without_record() {
                self.read_round(stream);
                if self.streams.is_paused() {
                    return None;
                }
            }
            let Some(next) = self.streams.next(self.big) else {
                if self.deferred.finish(self.big) {
                    continue;
                }
                self.count_missing();
                return None;
            };
            if next.record.kind == kind::SAMPLE {
                let (event, time) = (next.event, Some(next.time).filter(|_| next.has_time));
                self.begin_sample(event, time, false);
            } else if let Some(event) = self.read_kernel_record() {
                return Some(event);
            }
        };
        let Current { fields, has_waited } = &self.current;
        let record = match has_waited {
            true => self.deferred.record(self.big),
            false => self.streams.last(self.big)?.record,
        };
        Some(Event::Sample(fields.sample(&record, event, period)))
    }

    /// Returns whether [`next`](Self::next) returned `None` because reading the input would block.
    pub fn is_paused(&self) -> bool {
        self.streams.is_paused()
    }

    /// Parses the last sample record, and determines which events it is a sample of.
    fn begin_sample(&mut self, event: usize, time: Option<u64>, has_waited: bool) {
        let Self {
            streams,
            events,
            deferred,
            counters,
            problems,
            parts,
            ..
        } = self;
        let attr = events.attr(event);
        let taken = match has_waited {
            true => None,
            false => streams.last(self.big).map(|sorted| sorted.record),
        };
        let record = taken.unwrap_or_else(|| deferred.record(self.big));
        let time = time.filter(|_| attr.has(attr::sample::TIME));
        let is_off_cpu = events.is_off_cpu(event);
        let Some(fields) = SampleFields::parse(&record, attr, time, is_off_cpu) else {
            let what = "samples that do not fit the attribute of their event";
            return problems.flaws.count(what);
        };
        if let Some((record, cookie)) = taken.zip(fields.cookie) {
            return deferred.wait(&record, event, &fields, cookie);
        }
        let read = (fields.read.of(&record), self.big);
        let flaws = &mut problems.flaws;
        if !counters.split(read, attr, fields.tid, events, flaws, parts) {
            parts.push((event, fields.period));
        } else if parts.is_empty() {
            flaws.leave_out("samples in which no counter changed");
        }
        parts.reverse();
        self.current = Current { fields, has_waited };
    }

    fn read_round(&mut self, stream: usize) {
        let Self {
            streams,
            events,
            facts,
            problems,
            ..
        } = self;
        streams.read_round(stream, events, facts, problems);
    }

    /// Counts what is known to be missing only at the end.
    fn count_missing(&mut self) {
        let flaws = &mut self.problems.flaws;
        let Deferred { alone, unused, .. } = &mut self.deferred;
        flaws.leave_out_many("deferred user stacks that are missing", *alone);
        flaws.leave_out_many("deferred user stacks without a sample", *unused);
        (*alone, *unused) = (0, 0);
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            facts, problems, ..
        } = self;
        f.debug_struct("Reader")
            .field("facts", facts)
            .field("problems", problems)
            .finish_non_exhaustive()
    }
}
