//! Writes answers as text, as NDJSON, or in the format of `addr2line`.
//!
//! All formats show the same record. The text:
//!
//! ```text
//! 0x55d0c0de1234     survey::aim [inlined]  src/survey.rs:33:5
//!                    survey::read+0x21  src/survey.rs:40:9  (/usr/bin/survey)
//! 0x7f1b4c6d1a47     /usr/lib/libjit.so+0x1a47  [no-symbols]
//! 0x10               [unmapped]
//! ```

mod text;

use std::collections::HashSet;
use std::fmt;
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

/// The format of answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// Text for reading, in these colours.
    Text(Palette),
    /// NDJSON.
    Json,
    /// The format of `addr2line`.
    Addr2line(Style),
}

/// Writes answers one by one.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    out: Writer<W>,
    layout: Layout,
    /// Modules whose line has been written.
    introduced: HashSet<ModuleIdx>,
    /// Number of `address` lines so far.
    count: u64,
    /// Marks of this batch, last first, each with the total number of answers that come before
    /// it.
    marks: Vec<(u64, Mark)>,
    /// The text line that ends the answers to a line of input.
    end_mark: String,
    /// Answers with a reason and no frames.
    pub(crate) unresolved: u64,
    /// Whether text output identifies locations without an address by file offset, because that
    /// was the input; otherwise by virtual offset.
    pub(crate) shows_file_offsets: bool,
    /// Whether text output has the module and the offset of an address that has a name, too, if it
    /// is in a module.
    pub(crate) shows_places: bool,
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
            shows_places: false,
        }
    }

    /// Writes the header of the answers that follow, in NDJSON only.
    pub(crate) fn header(&mut self, header: &HeaderLine) -> io::Result<()> {
        // Module indexes start anew with another process.
        self.introduced.clear();
        match self.layout {
            Layout::Text(_) | Layout::Addr2line(_) => Ok(()),
            Layout::Json => self.out.header(header),
        }
    }

    /// Writes the process of the threads that follow, if there are several processes.
    pub(crate) fn begin_process(&mut self, pid: u32) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) => writeln!(self.out.get_mut(), "process {pid}"),
            // NDJSON has a header for each process; the format of addr2line has no such line.
            Layout::Json | Layout::Addr2line(_) => Ok(()),
        }
    }

    /// Sets the line that ends the answers to a line of input.
    pub(crate) fn set_end_mark(&mut self, text: Option<&str>) {
        text.unwrap_or_default().clone_into(&mut self.end_mark);
    }

    /// Sets the marks to write between the following answers, up to the next
    /// [`flush`](Self::flush): each with the number of answers before it.
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

    /// Writes a line for an entry that is not an address, at the position of its answer.
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

    /// Writes an answer, preceded by its module if that is new.
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
                let out = self.out.get_mut();
                return match self.shows_places && module.is_some() {
                    true => text::write_named_place(out, palette, asked, answer, module),
                    false => text::write(out, palette, asked, answer, module),
                };
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

    /// Starts the output of a thread. Text has its name first, NDJSON after its address, and the
    /// format of `addr2line` nowhere.
    pub(crate) fn begin_thread(&mut self, thread: &LiveThread) -> io::Result<()> {
        let Layout::Text(_) = self.layout else {
            return Ok(());
        };
        let LiveThread { tid, name, pc, .. } = thread;
        let name = Terminal(name);
        let state = if pc.is_some() { "" } else { "  [running]" };
        writeln!(self.out.get_mut(), "thread {tid} {name}{state}")
    }

    /// Ends the output of a thread. If it has a program counter, its answer was the last one.
    pub(crate) fn end_thread(&mut self, pid: u32, thread: &LiveThread) -> io::Result<()> {
        let last = self.count.checked_sub(1).filter(|_| thread.pc.is_some());
        self.sample(&SampleLine {
            pid: Some(pid),
            tid: Some(thread.tid),
            values: vec![1],
            stack: last.into_iter().collect(),
            ..SampleLine::default()
        })
    }

    /// Writes a line between answers, in text only.
    pub(crate) fn note(&mut self, line: fmt::Arguments<'_>) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) => writeln!(self.out.get_mut(), "{line}"),
            Layout::Json | Layout::Addr2line(_) => Ok(()),
        }
    }

    /// Writes which answers are of one stack, in NDJSON only.
    pub(crate) fn sample(&mut self, sample: &SampleLine) -> io::Result<()> {
        match self.layout {
            Layout::Json => self.out.sample(sample),
            Layout::Text(_) | Layout::Addr2line(_) => Ok(()),
        }
    }

    /// Returns the number of answers so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes a record that is not an answer: unchanged in NDJSON, otherwise not at all.
    pub(crate) fn pass_on(&mut self, record: &JsonLine) -> io::Result<()> {
        match self.layout {
            Layout::Text(_) | Layout::Addr2line(_) => Ok(()),
            Layout::Json => self.out.record(record),
        }
    }

    /// Writes a module whether or not an answer refers to it. From now on, the index refers to
    /// this module.
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

/// Returns the address or offset that was looked up.
fn asked(answer: &AddressLine<'_>, by_file_offset: bool) -> Option<u64> {
    let offset = if by_file_offset {
        answer.file_offset.map(|offset| offset.0)
    } else {
        answer.virtual_offset.map(|offset| offset.0)
    };
    answer.address.map(|address| address.0).or(offset)
}

/// Returns the address width of a module's machine. Machines with both widths count as wide.
fn width(module: Option<&Module>) -> Width {
    const I386: Arch = Arch(3);
    const PPC: Arch = Arch(20);
    const ARM: Arch = Arch(40);
    match module.and_then(|module| module.arch) {
        Some(I386 | PPC | ARM) => Width::Narrow,
        _ => Width::Wide,
    }
}
