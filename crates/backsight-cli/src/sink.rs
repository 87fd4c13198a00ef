//! Where answers go: text for people, NDJSON, or the listing of `addr2line`.
//!
//! All show the same record, so none knows more than the others. The text:
//!
//! ```text
//! 0x55d0c0de1234     survey::aim [inlined]  src/survey.rs:33:5
//!                    survey::read+0x21  src/survey.rs:40:9  (/usr/bin/survey)
//! 0x7f1b4c6d1a47     /usr/lib/libjit.so+0x1a47  [no-symbols]
//! 0x10               [unmapped]
//! ```

mod text;

use std::collections::HashSet;
use std::io::{self, Write};

use backsight::LiveThread;
use backsight_formats::addr2line_text::{Style, Width};
use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{
    AddressLine, EndLine, HeaderLine, JsonLine, MalformedLine, SampleLine, Writer,
};
use backsight_types::{Arch, Module, ModuleIdx};

use crate::input::Mark;
use crate::palette::Palette;

/// How answers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// For people, in these colours.
    Text(Palette),
    /// NDJSON.
    Json,
    /// As `addr2line` lists them.
    Addr2line(Style),
}

/// Writes answers as they come.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    out: Writer<W>,
    layout: Layout,
    /// Modules whose line is out.
    introduced: HashSet<ModuleIdx>,
    /// Lines of type `address` so far.
    count: u64,
    /// What is to be written between the answers of this batch, the last first, each
    /// with the number of answers in all that it waits for.
    marks: Vec<(u64, Mark)>,
    /// What text says at the end of a line of input.
    end_mark: String,
    /// Answers that name nothing but a reason.
    pub(crate) unresolved: u64,
    /// Whether text shows places without an address by their file offset, since that
    /// is what was asked; else by their virtual offset.
    pub(crate) shows_file_offsets: bool,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W, layout: Layout) -> Self {
        Self {
            out: Writer::new(out),
            layout,
            introduced: HashSet::new(),
            count: 0,
            marks: Vec::new(),
            end_mark: String::new(),
            unresolved: 0,
            shows_file_offsets: false,
        }
    }

    /// Writes what made the answers that follow; NDJSON alone has such a line.
    pub(crate) fn header(&mut self, header: &HeaderLine) -> io::Result<()> {
        // Another process numbers its modules anew.
        self.introduced.clear();
        match self.layout {
            Layout::Text(_) | Layout::Addr2line(_) => Ok(()),
            Layout::Json => self.out.header(header),
        }
    }

    /// Names the process that the threads after it belong to, where there are several.
    pub(crate) fn begin_process(&mut self, pid: u32) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) => writeln!(self.out.get_mut(), "process {pid}"),
            // NDJSON has a header for each, and addr2line's listing no place for it.
            Layout::Json | Layout::Addr2line(_) => Ok(()),
        }
    }

    /// Sets the line that stands where the answers to a line of input end.
    pub(crate) fn set_end_mark(&mut self, text: Option<&str>) {
        text.unwrap_or_default().clone_into(&mut self.end_mark);
    }

    /// Takes what is to stand between the answers that come next, up to the next
    /// [`flush`](Self::flush): each with the number of them before it.
    pub(crate) fn begin_batch(&mut self, marks: &[(usize, Mark)]) {
        let behind = |before: &usize| u64::try_from(*before).unwrap_or(u64::MAX);
        let marks = marks.iter().rev();
        let counted = marks.map(|(before, mark)| (self.count + behind(before), mark.clone()));
        self.marks = counted.collect();
    }

    fn write_marks(&mut self) -> io::Result<()> {
        let so_far = self.count;
        let is_due = |(count, _): &mut (u64, Mark)| *count <= so_far;
        while let Some((_, mark)) = self.marks.pop_if(is_due) {
            match mark {
                Mark::Malformed(entry) => {
                    self.malformed(entry.line, &entry.text, &entry.cause.to_string())?;
                }
                Mark::LineEnd(line) => self.line_end(line)?,
            }
        }
        Ok(())
    }

    /// Writes one line for an entry that is no address, in the place of its answer.
    pub(crate) fn malformed(&mut self, line: u64, text: &str, cause: &str) -> io::Result<()> {
        match &self.layout {
            Layout::Text(_) => text::malformed(self.out.get_mut(), text, cause),
            Layout::Addr2line(style) => style.write(self.out.get_mut(), 0, Width::Wide, &[]),
            Layout::Json => self.out.malformed(&MalformedLine { line, text, cause }),
        }
    }

    fn line_end(&mut self, line: u64) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) | Layout::Addr2line(_) => {
                writeln!(self.out.get_mut(), "{}", self.end_mark)
            }
            Layout::Json => self.out.end(EndLine { line }),
        }
    }

    /// Writes one answer, and the module it names before it, if it is new.
    pub(crate) fn answer(
        &mut self,
        answer: &AddressLine<'_>,
        module: Option<&Module>,
    ) -> io::Result<()> {
        self.write_marks()?;
        self.count += 1;
        if answer.reason.is_some() && answer.frames.is_empty() {
            self.unresolved += 1;
        }
        match &self.layout {
            Layout::Text(palette) => {
                let asked = asked(answer, self.shows_file_offsets);
                return text::write(self.out.get_mut(), palette, asked, answer, module);
            }
            Layout::Addr2line(style) => {
                let asked = asked(answer, self.shows_file_offsets).unwrap_or_default();
                let out = self.out.get_mut();
                return style.write(out, asked, width(module), &answer.frames);
            }
            Layout::Json => {}
        }
        if let (Some(index), Some(module)) = (answer.module, module)
            && self.introduced.insert(index)
        {
            self.out.module(index, module)?;
        }
        self.out.address(answer)
    }

    /// Begins what is said of a thread. Text names it first; NDJSON does so behind
    /// its address, and the listing of `addr2line` not at all.
    pub(crate) fn begin_thread(&mut self, thread: &LiveThread) -> io::Result<()> {
        let Layout::Text(_) = self.layout else {
            return Ok(());
        };
        let LiveThread { tid, name, pc, .. } = thread;
        let name = Terminal(name);
        let state = if pc.is_some() { "" } else { "  [running]" };
        writeln!(self.out.get_mut(), "thread {tid} {name}{state}")
    }

    /// Ends it. A thread that stands somewhere was answered for last.
    pub(crate) fn end_thread(&mut self, pid: u32, thread: &LiveThread) -> io::Result<()> {
        let Layout::Json = self.layout else {
            return Ok(());
        };
        let last = self.count.checked_sub(1).filter(|_| thread.pc.is_some());
        self.out.sample(&SampleLine {
            pid: Some(pid),
            tid: Some(thread.tid),
            values: vec![1],
            stack: last.into_iter().collect(),
            ..SampleLine::default()
        })
    }

    /// Writes a record that is no answer: in NDJSON as it is, else not at all.
    pub(crate) fn pass_on(&mut self, record: &JsonLine) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) | Layout::Addr2line(_) => Ok(()),
            Layout::Json => self.out.record(record),
        }
    }

    /// Writes a module whether or not an answer names it. The index means this one
    /// from here on.
    pub(crate) fn module(&mut self, index: ModuleIdx, module: &Module) -> io::Result<()> {
        let Layout::Json = self.layout else {
            return Ok(());
        };
        self.introduced.insert(index);
        self.out.module(index, module)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.write_marks()?;
        self.out.flush()
    }
}

/// Returns the number that was asked for.
fn asked(answer: &AddressLine<'_>, by_file_offset: bool) -> Option<u64> {
    let offset = if by_file_offset {
        answer.file_offset.map(|offset| offset.0)
    } else {
        answer.virtual_offset.map(|offset| offset.0)
    };
    answer.address.map(|address| address.0).or(offset)
}

/// Returns how wide the addresses of a module are, as far as its machine tells: those
/// that are 64 bits wide or either count as wide.
fn width(module: Option<&Module>) -> Width {
    const I386: Arch = Arch(3);
    const PPC: Arch = Arch(20);
    const ARM: Arch = Arch(40);
    match module.and_then(|module| module.arch) {
        Some(I386 | PPC | ARM) => Width::Narrow,
        _ => Width::Wide,
    }
}
