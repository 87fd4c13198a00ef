//! Reads records of the kernel other than samples.

use std::io::Read;

use backsight_types::trace::{
    Context, Event, ProcessChange, ProcessRecord, ThreadChange, ThreadRecord,
};

use super::error::Problems;
use super::kinds::kind;
use super::{Reader, process_record};
use crate::bytes::Bytes;

impl<R: Read> Reader<R> {
    /// Returns the event of the last record, which is not a sample.
    pub(super) fn read_kernel_record(&mut self) -> Option<Event<'static>> {
        let next = self.streams.last(self.big)?;
        let (record, time_ns, event) = (next.record, next.time, next.event);
        let too_short = |problems: &mut Problems| {
            let what = "records about a process that are too short";
            problems.flaws.count(what);
        };
        let mut at = Bytes::new(record.body, record.big);
        match record.kind {
            kind::LOST => {
                let (_id, count) = (at.u64()?, at.u64()?);
                return Some(Event::Lost(count));
            }
            kind::LOST_SAMPLES => return at.u64().map(Event::Lost),
            kind::THROTTLE => return Some(Event::Throttled),
            kind::SWITCH | kind::SWITCH_CPU_WIDE => {
                let Some((pid, tid)) = self.events.thread_of(event, &record) else {
                    too_short(&mut self.problems);
                    return None;
                };
                return Some(Event::Switched {
                    time_ns,
                    pid,
                    tid,
                    is_out: record.misc & process_record::SWITCH_OUT != 0,
                });
            }
            kind::CALLCHAIN_DEFERRED => {
                let thread = self.events.thread_of(event, &record);
                let trailer = self.events.attr(event).trailer();
                let tid = thread.map(|(_, tid)| tid);
                if self.deferred.take(&record, tid, trailer).is_none() {
                    let what = "deferred user stacks that are too short";
                    self.problems.flaws.count(what);
                }
                return None;
            }
            kind::MMAP | kind::MMAP2 if is_of_guest(record.misc) => {
                self.problems.flaws.leave_out("mappings of guests");
                return None;
            }
            _ => {}
        }
        let Some(told) = process_record::parse(&record, time_ns, || self.events.have_build_ids())
        else {
            too_short(&mut self.problems);
            return None;
        };
        let mut first = told.change.map(Event::Process);
        if let Some((pid, tid, change)) = told.thread {
            if change == ThreadChange::Ended {
                self.deferred.thread_ended(tid, self.big);
                self.counters.thread_ended(tid);
            }
            if self.threads.take(pid, tid, &change) {
                let change = ProcessChange::Exit;
                first = Some(Event::Process(ProcessRecord {
                    time_ns,
                    pid,
                    change,
                }));
            }
            let thread = Event::Thread(ThreadRecord {
                time_ns,
                pid,
                tid,
                change,
            });
            match first {
                Some(_) => self.also = Some(thread),
                None => first = Some(thread),
            }
        }
        first
    }
}

/// Whether a record is of a virtual machine, whose address space is another one.
fn is_of_guest(misc: u16) -> bool {
    let context = Context::of_misc(misc);
    matches!(context, Context::GuestKernel | Context::GuestUser)
}
