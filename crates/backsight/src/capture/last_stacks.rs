//! The last stack that each thread had on the processor.
//!
//! A user who may not observe the kernel gets no sample when a thread stops running, only the
//! record that it does ([`EventType::has_last_stacks`]). Then the time off the processor goes to
//! the stack of the thread's last sample, as the nearest that is known.

use backsight_types::trace::{EventType, SampleRecord};
use hashbrown::HashMap;

use super::piece::Unwound;
use super::spaces::LookupPids;

/// The last stacks of threads, if switches need them.
#[derive(Debug, Default)]
pub(super) struct LastStacks {
    /// The event of switches that have no stacks of their own.
    event: Option<usize>,
    of: HashMap<u32, LastStack>,
}

/// The last stack of a thread.
#[derive(Debug, Default)]
pub(super) struct LastStack {
    pid: u32,
    pub(super) who: LookupPids,
    pub(super) chain: Unwound,
}

/// Threads whose ends were missed are forgotten with the others when there are so many.
const MAX_THREADS: usize = 1 << 16;

impl LastStacks {
    /// Takes the event types listed so far.
    pub(super) fn set_events(&mut self, events: &[EventType]) {
        self.event = events.iter().position(|event| event.has_last_stacks);
    }

    /// Returns the event of switches without stacks.
    pub(super) fn event(&self) -> Option<usize> {
        self.event
    }

    /// Keeps the stack of a sample. `unwound` replaces its chain.
    pub(super) fn seen(
        &mut self,
        sample: &SampleRecord<'_>,
        who: LookupPids,
        unwound: Option<&Unwound>,
    ) {
        if self.event.is_none() {
            return;
        }
        if self.of.len() >= MAX_THREADS {
            self.of.clear();
        }
        let last = self.of.entry(sample.tid).or_default();
        (last.pid, last.who) = (sample.pid, who);
        last.chain.clear();
        match unwound {
            Some(unwound) => unwound.entries.iter().for_each(|it| last.chain.push(*it)),
            None => sample.chain().for_each(|entry| last.chain.push(entry)),
        }
    }

    /// Returns the last stack of a thread of this process.
    pub(super) fn last(&self, pid: u32, tid: u32) -> Option<&LastStack> {
        self.of.get(&tid).filter(|last| last.pid == pid)
    }

    /// A thread has ended, or runs another program.
    pub(super) fn forget(&mut self, tid: u32) {
        self.of.remove(&tid);
    }
}
