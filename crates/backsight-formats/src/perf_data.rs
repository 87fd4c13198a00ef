//! Recordings of Linux `perf`: what processes mapped and became, and their samples.
//!
//! ```text
//!   files ──▶ records (and those within compressed ones) ──▶ in order of time ──▶ events
//! ```
//!
//! Files and what went through a pipe (`perf record -o -`), in either byte order, with
//! several events, compressed or not. The records stream through: no more than
//! [`MAX_HELD`] bytes of them wait for older ones.
//!
//! - A file that is cut off is read up to the cut. Its features stand at the end, so
//!   it has none: no build IDs beyond those of its mappings, no names of events.
//! - A damaged record is passed over and counted. A damaged size ends the reading,
//!   since nothing tells where the next record begins; all before is kept.
//! - Addresses stay as captured. Which of them are return addresses follows from the
//!   chain: see [`ChainEntry`](backsight_types::trace::ChainEntry).
//! - A user stack that was taken as memory (`--call-graph dwarf`) is handed on as it
//!   is: to unwind it, the files of the process are needed.
//!
//! - The user's part of a chain may be in the branches that the processor kept
//!   ([`SampleRecord::has_stack_of_calls`](backsight_types::trace::SampleRecord::has_stack_of_calls)), or come in a later record: then its samples wait.
//! - A sample of a group of counters (`{a,b}:S`) is one for each that has moved.
//!
//! Not read: hardware traces, and what a guest mapped. What is passed over for that or
//! because it is newer than this is counted in [`Problems`].

mod attr;
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
    /// The sample that is given out, and the events that it is of, the last first.
    current: Current,
    parts: Vec<(usize, u64)>,
    /// What else the last record said.
    also: Option<Event<'static>>,
}

/// A sample that was taken.
#[derive(Default)]
struct Current {
    fields: SampleFields,
    /// Whether it waited for the user's part of its chain.
    has_waited: bool,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file, and reads all of its header first.
    ///
    /// # Errors
    /// As [`Reader::stream`].
    pub fn open(input: R) -> Result<Self, Error> {
        Self::directory(input, Vec::new())
    }

    /// Opens the files of a directory that `perf record --threads` made: `data`, which is
    /// as any file, and `data.0`, `data.1`, …, which have records alone.
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
    /// Reads an input that cannot go back: a pipe. What the header says of the machine
    /// comes with the records, build IDs at their end; a file that was sent through a
    /// pipe has neither.
    ///
    /// # Errors
    /// [`Error::NotPerfData`] for anything else; [`Error::Malformed`] for a header that
    /// cannot be; [`Error::Unsupported`] for events that cannot be told from each
    /// other; [`Error::Io`] when the input fails.
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
        // A pipe tells all of that before its first sample.
        if head.is_pipe {
            reader.read_round(0);
        }
        reader.events.check()?;
        Ok(reader)
    }

    /// Returns what the recording says of itself, as far as it was read.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns what was wrong with it, as far as it was read.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Returns what was wrong with it, when it was read.
    pub fn into_problems(self) -> Problems {
        self.problems
    }

    /// Returns the next event; `None` at the end, of which [`Reader::problems`] says
    /// whether it is the proper one.
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
            while let Some(stream) = self.streams.unknown() {
                self.read_round(stream);
            }
            let Some(next) = self.streams.next(self.big) else {
                if self.deferred.finish(self.big) {
                    continue;
                }
                self.say_what_was_left();
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

    /// Reads the sample that was taken last, and finds what it is a sample of.
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
            let what = "samples that are not as their event says";
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
            flaws.leave_out("samples in which no counter had moved");
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

    /// Counts what is known to be missing at the end alone.
    fn say_what_was_left(&mut self) {
        let flaws = &mut self.problems.flaws;
        let Deferred { alone, unused, .. } = &mut self.deferred;
        flaws.leave_out_many("user stacks that were to come later and did not", *alone);
        flaws.leave_out_many("user stacks that came later for no sample", *unused);
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
