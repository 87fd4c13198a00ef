//! Recordings of Linux `perf`: what processes mapped and became, and their samples.
//!
//! ```text
//!   bytes ──▶ records (and those within compressed ones) ──▶ in order of time ──▶ events
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
//!   chain: see [`ChainEntry`].
//! - A user stack that was taken as memory (`--call-graph dwarf`) is handed on as it
//!   is: to unwind it, the files of the process are needed.
//!
//! Not read: branch stacks, hardware traces, what a guest mapped, and recordings in a
//! directory (`perf record --threads`).

mod attr;
mod bytes;
mod error;
mod events;
mod facts;
mod header;
mod raw;
mod record;
mod sample;
mod sorter;
mod threads;

use std::io::{Read, Seek};

use backsight_types::trace::{Change, Record};

pub use error::{End, Error, Problems};
pub use events::{EventType, Unit};
pub use facts::{Facts, FileId};
pub use raw::MAX_GROWTH;
pub use record::ThreadChange;
pub use sample::{ChainEntry, Context, Sample, UserStack};
pub use sorter::MAX_HELD;

use attr::Attr;
use bytes::Bytes;
use events::{Described, Events};
use header::Head;
use raw::{RawRecord, Records, kind};
use sample::Fields;
use sorter::Sorter;
use threads::Threads;

/// One thing that happened, in order of time.
#[derive(Debug)]
pub enum Event<'a> {
    /// A process, or the kernel, mapped something or became something else. Its time
    /// is 0 for what was there before the recording began.
    Record(Record),
    /// A thread began, was named, or ended. Comes behind the record of the same fact.
    Thread {
        /// When, in nanoseconds; 0 for before the recording began.
        time_ns: u64,
        /// Its process.
        pid: u32,
        /// Its ID.
        tid: u32,
        /// What became of it.
        change: ThreadChange,
    },
    /// A sample.
    Sample(Sample<'a>),
    /// So many records were lost, since nobody emptied the buffers in time.
    Lost(u64),
    /// The kernel took fewer samples for a while: they took too much time.
    Throttled,
}

/// Reads a recording.
pub struct Reader<R> {
    records: Records<R>,
    sorter: Sorter,
    events: Events,
    facts: Facts,
    threads: Threads,
    problems: Problems,
    big: bool,
    /// What else the last record said.
    also: Option<Event<'static>>,
    done: bool,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file, and reads all of its header first.
    ///
    /// # Errors
    /// As [`Reader::stream`].
    pub fn open(mut input: R) -> Result<Self, Error> {
        let head = Head::of_file(&mut input)?;
        Self::new(input, head)
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
        let head = Head::of_stream(&mut input)?;
        Self::new(input, head)
    }

    fn new(input: R, head: Head) -> Result<Self, Error> {
        let mut facts = head.facts;
        facts.events = head.events.types();
        let mut reader = Self {
            records: Records::new(input, head.size, head.big),
            sorter: Sorter::new(),
            events: head.events,
            facts,
            threads: Threads::default(),
            problems: Problems {
                end: head.end,
                ..Problems::default()
            },
            big: head.big,
            also: None,
            done: false,
        };
        // A pipe tells all of that before its first sample.
        if head.is_pipe {
            reader.read_round();
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
        let (fields, event) = loop {
            if self.also.is_some() {
                return self.also.take();
            }
            while !self.sorter.has_ready() {
                if self.done {
                    return None;
                }
                self.read_round();
            }
            let next = self.sorter.peek(self.big)?;
            if next.record.kind != kind::SAMPLE {
                if let Some(event) = self.tell() {
                    return Some(event);
                }
                continue;
            }
            let attr = self.events.attr(next.event);
            match Fields::parse(&next.record, attr, next.time) {
                Some(fields) => break (fields, next.event),
                None => {
                    let what = "samples that are not as their event says";
                    self.problems.flaws.count(what);
                    self.sorter.next(self.big)?;
                }
            }
        };
        // Taken out here, since the borrow of a sample outlives the loop.
        let next = self.sorter.next(self.big)?;
        Some(Event::Sample(fields.sample(&next.record, event)))
    }

    /// Takes a record that is no sample, and returns what it says.
    fn tell(&mut self) -> Option<Event<'static>> {
        let next = self.sorter.next(self.big)?;
        let (record, time_ns) = (next.record, next.time);
        let mut at = Bytes::new(record.body, record.big);
        match record.kind {
            kind::LOST => {
                let (_id, count) = (at.u64()?, at.u64()?);
                return Some(Event::Lost(count));
            }
            kind::LOST_SAMPLES => return at.u64().map(Event::Lost),
            kind::THROTTLE => return Some(Event::Throttled),
            _ => {}
        }
        let Some(told) = record::parse(&record, time_ns) else {
            self.problems
                .flaws
                .count("records about a process that are too short");
            return None;
        };
        let mut first = told.change.map(Event::Record);
        if let Some((pid, tid, change)) = told.thread {
            if self.threads.take(pid, tid, &change) {
                let change = Change::Exit;
                first = Some(Event::Record(Record {
                    time_ns,
                    pid,
                    change,
                }));
            }
            let thread = Event::Thread {
                time_ns,
                pid,
                tid,
                change,
            };
            match first {
                Some(_) => self.also = Some(thread),
                None => first = Some(thread),
            }
        }
        first
    }

    /// Reads records until some are ready, or to the end.
    fn read_round(&mut self) {
        while !self.done && !self.sorter.has_ready() {
            match self.records.next() {
                Ok(Some(record)) if record.kind < kind::FIRST_OF_PERF => {
                    let event = self.events.of(&record);
                    let time = self.events.time_of(event, &record);
                    self.sorter.push(&record, event, time);
                    if self.sorter.is_full() {
                        self.sorter.relieve();
                    }
                }
                Ok(Some(record)) if record.kind == kind::FINISHED_ROUND => {
                    self.sorter.finish_round();
                }
                Ok(Some(record)) => {
                    let Self { events, facts, .. } = self;
                    if take_metadata(&record, events, facts).is_none() {
                        self.problems
                            .flaws
                            .count("records about the recording that are too short");
                    }
                }
                Ok(None) => self.finish(None),
                Err(end) => self.finish(Some(end)),
            }
        }
        self.problems.late = self.sorter.late;
    }

    fn finish(&mut self, end: Option<End>) {
        self.done = true;
        // What the header had told already says more.
        if self.problems.end.is_none() {
            self.problems.end = end;
        }
        self.sorter.finish();
    }
}

/// Takes what perf says by itself; `None` when it is damaged.
fn take_metadata(record: &RawRecord<'_>, events: &mut Events, facts: &mut Facts) -> Option<()> {
    const UPDATE_NAME: u64 = 2;
    let big = record.big;
    let mut at = Bytes::new(record.body, big);
    match record.kind {
        kind::HEADER_ATTR => {
            let (attr, size) = Attr::parse(record.body, big)?;
            events.add(Described {
                attr,
                name: None,
                ids: events::numbers(record.body.get(size..)?, big),
            });
            facts.events = events.types();
        }
        kind::EVENT_UPDATE => {
            let (what, id) = (at.u64()?, at.u64()?);
            if what == UPDATE_NAME {
                events.name(id, String::from_utf8_lossy(at.text()).into_owned());
                facts.events = events.types();
            }
        }
        kind::HEADER_FEATURE => {
            let feature = at.u64()?;
            facts.take_feature(feature, at.rest(), big);
            if feature == facts::feature::EVENT_DESC {
                events.take_names(at.rest(), big);
                facts.events = events.types();
            }
        }
        kind::HEADER_BUILD_ID => facts.take_build_id(record.misc, record.body, big),
        _ => {}
    }
    Some(())
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
