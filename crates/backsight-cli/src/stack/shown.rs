//! Stacks as text and as NDJSON.

use std::io::Write;

use backsight::{StackEnd, StackFrame, ThreadStack};
use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{JsonLabel, SampleLine};
use backsight_types::Reason;

use crate::failure::Result;
use crate::sink::Sink;
use crate::symbolize::LiveProcess;

/// The threads of a process, to be written.
pub(super) struct ShownStacks<'s> {
    pub(super) pid: u32,
    pub(super) threads: &'s [ThreadStack],
    pub(super) is_native_only: bool,
    pub(super) is_verbose: bool,
}

/// What was written of one stack.
#[derive(Debug, Default)]
struct Written {
    /// The answers of its frames.
    answers: Vec<u64>,
    /// Frames of code made at run time that are left out: since the last one that was written.
    hidden: u64,
    /// And in all.
    all_hidden: u64,
}

impl ShownStacks<'_> {
    /// Writes them, and returns the number of threads without a stack, of stacks that are cut, and
    /// of frames without a name.
    pub(super) fn write(&self, live: &mut LiveProcess, sink: &mut Sink<impl Write>) -> Result<u64> {
        let unresolved = sink.unresolved;
        let asked = self.threads.iter().flat_map(frames);
        let asked = asked.map(|frame| (frame.addr, frame.lookup));
        let mut left = self.threads.iter();
        let (mut at, mut written, mut rest) = (None::<&ThreadStack>, Written::default(), 0_usize);
        live.answer_each(asked, sink, |sink, answer, module| {
            while rest == 0 {
                if let Some(thread) = at {
                    self.end(thread, std::mem::take(&mut written), sink)?;
                }
                at = left.next();
                let Some(thread) = at else { break };
                self.begin(thread, sink)?;
                rest = frames(thread).len();
            }
            rest = rest.saturating_sub(1);
            let is_made = answer.reason == Some(Reason::Anonymous) && answer.frames.is_empty();
            if self.is_native_only && is_made {
                written.hidden = written.hidden.saturating_add(1);
                return Ok(());
            }
            written.write_hidden(sink)?;
            written.answers.push(sink.count());
            Ok(sink.answer(answer, module)?)
        })?;
        if let Some(thread) = at {
            self.end(thread, written, sink)?;
        }
        for thread in left {
            self.begin(thread, sink)?;
            self.end(thread, Written::default(), sink)?;
        }
        let is_whole =
            |thread: &&ThreadStack| matches!(&thread.stack, Ok((_, StackEnd::Outermost)));
        let whole = self.threads.iter().filter(is_whole).count();
        let cut = u64::try_from(self.threads.len().saturating_sub(whole)).unwrap_or(u64::MAX);
        Ok(cut.saturating_add(sink.unresolved.saturating_sub(unresolved)))
    }

    fn begin(&self, thread: &ThreadStack, sink: &mut Sink<impl Write>) -> Result<()> {
        let (tid, name) = (thread.tid, Terminal(&thread.name));
        let details = match &thread.stack {
            Err(refusal) => format!("  [no stack: {refusal}]"),
            Ok(_) if self.is_verbose => format!("  [{}]", stops(thread)),
            Ok(_) => String::new(),
        };
        Ok(sink.note(format_args!("thread {tid} {name}{details}"))?)
    }

    fn end(
        &self,
        thread: &ThreadStack,
        mut written: Written,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        written.write_hidden(sink)?;
        let end = thread.stack.as_ref().map(|(_, end)| *end);
        let cut = match end {
            Ok(StackEnd::Outermost) | Err(_) => "",
            Ok(StackEnd::FrameLimit) => "more frames: -n 0 shows all",
            Ok(StackEnd::ByteLimit) => {
                "more frames: the stack is larger than --max-stack allows to copy"
            }
            Ok(StackEnd::Unreadable) => "more frames: the rest of the stack cannot be read",
            Ok(_) => "the caller is not known: no call frame information leads to it",
        };
        if !cut.is_empty() {
            sink.note(format_args!("{:18} [{cut}]", ""))?;
        }
        let mut labels = vec![text("comm", &String::from_utf8_lossy(&thread.name))];
        match end {
            Ok(end) => labels.push(text("end", end.as_str())),
            Err(refusal) => labels.push(text("no_stack", &refusal.to_string())),
        }
        labels.push(JsonLabel {
            unit: Some("microseconds".to_owned()),
            ..number("stopped", thread.stopped.as_micros())
        });
        labels.push(number("stops", thread.stops.into()));
        for (key, count) in [
            ("guessed", guessed(thread)),
            ("left_out", written.all_hidden),
        ] {
            if count > 0 {
                labels.push(number(key, count.into()));
            }
        }
        Ok(sink.sample(&SampleLine {
            pid: Some(self.pid),
            tid: Some(thread.tid),
            values: vec![1],
            stack: written.answers,
            labels,
            ..SampleLine::default()
        })?)
    }
}

impl Written {
    /// Says how many frames were left out here.
    fn write_hidden(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        let hidden = std::mem::take(&mut self.hidden);
        if hidden > 0 {
            self.all_hidden = self.all_hidden.saturating_add(hidden);
            let frames = if hidden == 1 { "frame" } else { "frames" };
            let gap = "";
            sink.note(format_args!(
                "{gap:18} [{hidden} {frames} of code made at run time]"
            ))?;
        }
        Ok(())
    }
}

fn frames(thread: &ThreadStack) -> &[StackFrame] {
    thread.stack.as_ref().map_or(&[], |(frames, _)| frames)
}

/// Returns for how long a thread was stopped, and what was guessed.
fn stops(thread: &ThreadStack) -> String {
    let times = match thread.stops {
        1 => String::new(),
        times => format!(", {times} times"),
    };
    let guessed = match guessed(thread) {
        0 => String::new(),
        count => format!(", {count} frames by and after frame pointers"),
    };
    format!("stopped {} µs{times}{guessed}", thread.stopped.as_micros())
}

fn guessed(thread: &ThreadStack) -> u64 {
    let count = frames(thread).iter().filter(|it| it.is_guessed).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn text(key: &str, text: &str) -> JsonLabel {
    JsonLabel {
        key: key.to_owned(),
        text: Some(text.to_owned()),
        ..JsonLabel::default()
    }
}

fn number(key: &str, number: u128) -> JsonLabel {
    JsonLabel {
        key: key.to_owned(),
        number: Some(i64::try_from(number).unwrap_or(i64::MAX)),
        ..JsonLabel::default()
    }
}
