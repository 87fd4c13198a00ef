//! Takes the stacks of some threads: copies each, unwinds it, and again if more is needed.

use backsight_types::{AbsAddr, Lookup};
use backsight_unwind::{CodeMap, WalkEnd, Walker};
use nix::unistd::Pid;
use vma_query::Snapshot;

use super::captured::CapturedThread;
use super::options::StackOptions;
use super::refusal::StackRefusal;
use super::tasks::Tasks;
use super::thread_stack::{StackEnd, StackFrame, ThreadStack};
use super::tracee::{Abandoned, Traced, capture};
use super::wanted::{Growth, WantedStack};

/// How often a thread that is about to get a signal is tried again.
const ATTEMPTS: u32 = 8;

/// What the stacks of some threads are taken with.
pub(super) struct Round<'r> {
    pub(super) options: &'r StackOptions,
    pub(super) tasks: &'r Tasks,
    pub(super) code: &'r CodeMap,
    pub(super) snapshot: &'r Snapshot,
    /// Whether registers of the process can be read on this machine.
    pub(super) can_read: bool,
}

impl Round<'_> {
    pub(super) fn read(&self, tids: &[u32], walker: &mut Walker) -> Vec<ThreadStack> {
        let wanted = |tid: &u32| {
            let thread = ThreadStack::unread(*tid, self.tasks.name(*tid));
            WantedStack::new(thread, self.options.max_stack_bytes)
        };
        let mut wanted: Vec<WantedStack> = tids.iter().map(wanted).collect();
        let mut done = Vec::new();
        while !wanted.is_empty() {
            let copied = self.copy(&wanted);
            let mut again = Vec::new();
            for (mut want, captured) in wanted.into_iter().zip(copied) {
                let goes_on = match captured {
                    Ok(captured) => {
                        let thread = &mut want.thread;
                        thread.stopped = thread.stopped.saturating_add(captured.stopped);
                        thread.stops = thread.stops.saturating_add(1);
                        self.walk(&mut want, &captured, walker)
                    }
                    Err(refusal) => {
                        // What was found the first time counts.
                        if want.thread.stops == 0 {
                            want.thread.stack = Err(refusal);
                        }
                        false
                    }
                };
                match goes_on {
                    true => again.push(want),
                    false => done.push(want.thread),
                }
            }
            wanted = again;
        }
        // A thread that has ended is none, but the first one is still listed.
        let first = self.tasks.pid();
        done.retain(|thread| thread.tid == first || thread.stack != Err(StackRefusal::Ended));
        done
    }

    /// Unwinds a thread, and returns whether more of its memory is wanted.
    fn walk(&self, want: &mut WantedStack, captured: &CapturedThread, walker: &mut Walker) -> bool {
        let CapturedThread {
            machine, registers, ..
        } = *captured;
        let sp = registers.get(machine.stack_pointer()).unwrap_or_default();
        let (mut frames, mut missing) = (Vec::<StackFrame>::new(), None);
        let mut word = |addr| {
            let word = captured.memory.word(addr, machine.word_size());
            if word.is_none() {
                missing = Some(addr);
            }
            word
        };
        let found = |frame: backsight_unwind::WalkedFrame| frames.push(frame.into());
        let end = walker.walk(machine, self.code, registers, &mut word, found);
        // Where a walk went astray is no frame.
        if end == WalkEnd::NotCode && frames.last().is_some_and(|last| !self.is_code(last)) {
            frames.pop();
        }
        let lacks_memory = matches!(
            end,
            WalkEnd::NotRecorded | WalkEnd::NotCode | WalkEnd::NoRule
        );
        let missing = missing.filter(|_| lacks_memory);
        let growth = missing.map(|addr| want.grow(sp, addr, |addr| self.mapped_from(addr)));
        let end = match end {
            WalkEnd::Outermost => StackEnd::Outermost,
            _ if frames.len() >= self.options.max_frames => StackEnd::FrameLimit,
            _ if growth == Some(Growth::Bounded) => StackEnd::ByteLimit,
            WalkEnd::NotRecorded => StackEnd::Unreadable,
            _ => StackEnd::NoCaller,
        };
        want.thread.stack = Ok((frames, end));
        growth == Some(Growth::Grown)
    }

    /// Whether a frame other than the innermost one is in code.
    fn is_code(&self, frame: &StackFrame) -> bool {
        let call = frame.addr.0.saturating_sub(1);
        frame.lookup == Lookup::Exact || self.code.at(call).is_some()
    }

    /// Returns how much is mapped from an address up, in bytes.
    fn mapped_from(&self, addr: u64) -> usize {
        // A stack that was mapped a moment ago is not in the snapshot.
        let Some(found) = self.snapshot.covering(AbsAddr(addr)) else {
            return usize::MAX;
        };
        let above = found.vma.end.0.saturating_sub(addr);
        usize::try_from(above).unwrap_or(usize::MAX)
    }

    /// Copies these threads, and returns one result for each.
    fn copy(&self, wanted: &[WantedStack]) -> Vec<Result<CapturedThread, StackRefusal>> {
        let mut all = Vec::new();
        let mut attempts = 0_u32;
        while let Some(left) = wanted.get(all.len()..).filter(|left| !left.is_empty()) {
            let begun = all.len();
            let abandoned = std::thread::scope(|scope| {
                // The end of this thread detaches what could not be detached.
                let tracer = scope.spawn(|| self.trace(left, &mut all));
                tracer.join().ok().flatten()
            });
            if all.len() > begun {
                attempts = 0;
            }
            let refusal = match abandoned {
                Some(Abandoned::WithSignal) if attempts < ATTEMPTS => {
                    attempts = attempts.saturating_add(1);
                    continue;
                }
                Some(Abandoned::Ended) => StackRefusal::Ended,
                Some(_) => StackRefusal::NotStopping,
                None => continue,
            };
            all.push(Err(refusal));
        }
        all
    }

    /// Copies threads until one cannot be detached.
    fn trace(
        &self,
        wanted: &[WantedStack],
        all: &mut Vec<Result<CapturedThread, StackRefusal>>,
    ) -> Option<Abandoned> {
        for want in wanted {
            let tid = want.thread.tid;
            match self.capture(want) {
                Ok(Err(StackRefusal::Denied)) => all.push(Err(self.tasks.why_denied(tid))),
                Ok(captured) => all.push(captured),
                Err(abandoned) => return Some(abandoned),
            }
        }
        None
    }

    fn capture(&self, want: &WantedStack) -> Traced {
        if !self.can_read {
            return Ok(Err(StackRefusal::Unsupported));
        }
        let tid = want.thread.tid;
        let pid = i32::try_from(tid).map(Pid::from_raw);
        let (Ok(pid), Ok(memory)) = (pid, self.tasks.memory(tid)) else {
            return Ok(Err(StackRefusal::Denied));
        };
        capture(pid, &memory, self.options.wait, |sp| {
            want.windows(sp, |addr| self.mapped_from(addr))
        })
    }
}
