//! Where answers go: text for people, or NDJSON.
//!
//! Both show the same record, so neither knows more than the other. The text:
//!
//! ```text
//! 0x55d0c0de1234     survey::aim [inlined]  src/survey.rs:33:5
//!                    survey::read+0x21  src/survey.rs:40:9  (/usr/bin/survey)
//! 0x7f1b4c6d1a47     /usr/lib/libjit.so+0x1a47  [no-symbols]
//! 0x10               [unmapped]
//! ```

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::io::{self, Write};

use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{Address, Frame, Header, Record, Sample, Writer};
use backsight_types::{Module, ModuleIdx};

use crate::args::Format;
use crate::threads::Thread;

/// Wide enough for 64 bits, and most addresses of user space leave room.
const ADDRESS_WIDTH: usize = 18;

/// Writes answers as they come.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    out: Writer<W>,
    format: Format,
    /// Modules whose line is out.
    introduced: HashSet<ModuleIdx>,
    /// Lines of type `address` so far.
    count: u64,
    /// Answers that name nothing but a reason.
    pub(crate) unresolved: u64,
    /// Whether text shows places without an address by their file offset, since that
    /// is what was asked; else by their virtual offset.
    pub(crate) shows_file_offsets: bool,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W, format: Format) -> Self {
        Self {
            out: Writer::new(out),
            format,
            introduced: HashSet::new(),
            count: 0,
            unresolved: 0,
            shows_file_offsets: false,
        }
    }

    /// Writes what made the answers that follow; text has no such line.
    pub(crate) fn header(&mut self, header: &Header) -> io::Result<()> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => self.out.header(header),
        }
    }

    /// Writes one answer, and the module it names before it, if it is new.
    pub(crate) fn answer(
        &mut self,
        answer: &Address<'_>,
        module: Option<&Module>,
    ) -> io::Result<()> {
        self.count += 1;
        if answer.reason.is_some() && answer.frames.is_empty() {
            self.unresolved += 1;
        }
        if self.format == Format::Text {
            let offset = if self.shows_file_offsets {
                answer.file_offset.map(|offset| offset.0)
            } else {
                answer.virtual_offset.map(|offset| offset.0)
            };
            let asked = answer.address.map(|address| address.0).or(offset);
            return write_text(self.out.get_mut(), asked, answer, module);
        }
        if let (Some(index), Some(module)) = (answer.module, module)
            && self.introduced.insert(index)
        {
            self.out.module(index, module)?;
        }
        self.out.address(answer)
    }

    /// Begins what is said of a thread. Text names it first; NDJSON does so behind
    /// its address.
    pub(crate) fn begin_thread(&mut self, thread: &Thread) -> io::Result<()> {
        if self.format == Format::Json {
            return Ok(());
        }
        let Thread { tid, name, pc } = thread;
        let state = if pc.is_some() { "" } else { "  [running]" };
        writeln!(self.out.get_mut(), "thread {tid} {name}{state}")
    }

    /// Ends it. A thread that stands somewhere was answered for last.
    pub(crate) fn end_thread(&mut self, pid: u32, thread: &Thread) -> io::Result<()> {
        if self.format == Format::Text {
            return Ok(());
        }
        let last = self.count.checked_sub(1).filter(|_| thread.pc.is_some());
        self.out.sample(&Sample {
            pid,
            tid: Some(thread.tid),
            time_ns: None,
            values: vec![1],
            stack: last.into_iter().collect(),
        })
    }

    /// Writes a record that is no answer: in NDJSON as it is, in text not at all.
    pub(crate) fn pass_on(&mut self, record: &Record) -> io::Result<()> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => self.out.record(record),
        }
    }

    /// Has the module's line written again before its next answer: the index means
    /// another one from here on.
    pub(crate) fn forget_module(&mut self, index: ModuleIdx) {
        self.introduced.remove(&index);
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes an answer for people: a line a frame, or the place and the reason.
fn write_text(
    out: &mut impl Write,
    asked: Option<u64>,
    answer: &Address<'_>,
    module: Option<&Module>,
) -> io::Result<()> {
    let asked = asked.map_or_else(|| "?".to_owned(), |raw| format!("{raw:#x}"));
    write!(out, "{asked:<ADDRESS_WIDTH$} ")?;
    if answer.frames.is_empty() {
        return write_place(out, answer, module);
    }
    for (i, frame) in answer.frames.iter().enumerate() {
        if i > 0 {
            write!(out, "{:ADDRESS_WIDTH$} ", "")?;
        }
        write_frame(out, frame, answer)?;
        let last = i + 1 == answer.frames.len();
        if let (true, Some(module)) = (last, module) {
            write!(out, "  ({})", Path(module))?;
        }
        if let (true, Some(reason)) = (last, answer.reason) {
            write!(out, "  [{reason}]")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_frame(out: &mut impl Write, frame: &Frame<'_>, answer: &Address<'_>) -> io::Result<()> {
    match &frame.function {
        Some(name) => write!(out, "{}", Terminal(name.as_bytes()))?,
        None => write!(out, "??")?,
    }
    if frame.inlined {
        write!(out, " [inlined]")?;
    } else if let (Some(start), Some(at)) = (frame.start, answer.virtual_offset)
        && let Some(into) = at.distance_from(start)
    {
        write!(out, "+{into:#x}")?;
    }
    if let Some(file) = &frame.file {
        write!(out, "  {}", Terminal(file.as_bytes()))?;
        // A line of 0 is DWARF's word for none.
        for place in [frame.line, frame.column]
            .into_iter()
            .map_while(|place| place)
        {
            write!(out, ":{place}")?;
        }
    }
    Ok(())
}

/// Writes what normalization knows: no frame, but never nothing.
fn write_place(
    out: &mut impl Write,
    answer: &Address<'_>,
    module: Option<&Module>,
) -> io::Result<()> {
    if let Some(module) = module {
        write!(out, "{}", Path(module))?;
        match (answer.file_offset, answer.virtual_offset) {
            (Some(file), virt) => {
                write!(out, "+{file}")?;
                if let Some(virt) = virt {
                    write!(out, "  virtual {virt}")?;
                }
            }
            (None, Some(virt)) => write!(out, "+{virt}")?,
            (None, None) => {}
        }
        if let Some(id) = module.build_id {
            write!(out, "  [build id {id}]")?;
        }
        if let (Some(reason), None) = (module.unreadable, answer.reason) {
            write!(out, "  [{reason}]")?;
        }
    }
    if let Some(reason) = answer.reason {
        let gap = if module.is_some() { "  " } else { "" };
        write!(out, "{gap}[{reason}]")?;
    }
    writeln!(out)
}

/// A module's path on a terminal.
struct Path<'m>(&'m Module);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Terminal(&self.0.path).fmt(f)?;
        if self.0.deleted {
            f.write_str(" (deleted)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use backsight_formats::ndjson::{Address, Frame};
    use backsight_types::{AbsAddr, FileOffset, Module, Reason, VirtOffset};

    use super::write_text;

    fn shown(answer: &Address<'_>, module: Option<&Module>) -> String {
        let mut out = Vec::new();
        write_text(&mut out, Some(0x7f00_0000_1040), answer, module).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn libc() -> Module {
        Module {
            path: b"/lib/libc.so.6".to_vec(),
            build_id: Some("77c7".parse().unwrap()),
            ..Module::default()
        }
    }

    fn located() -> Address<'static> {
        Address {
            address: Some(AbsAddr(0x7f00_0000_1040)),
            file_offset: Some(FileOffset(0x1040)),
            virtual_offset: Some(VirtOffset(0x2040)),
            ..Address::default()
        }
    }

    #[test]
    fn an_address_always_shows_something() {
        let frame = Frame {
            function: Some("outer".into()),
            file: Some("/src/a.rs".into()),
            line: Some(40),
            start: Some(VirtOffset(0x2000)),
            ..Frame::default()
        };
        let inner = Frame {
            function: Some("in\x1bner".into()),
            file: Some("/src/b.rs".into()),
            line: Some(12),
            column: Some(5),
            inlined: true,
            ..Frame::default()
        };
        let no_name = Frame::default();
        let with = |frames: Vec<Frame<'static>>, reason| Address {
            frames,
            reason,
            ..located()
        };
        let gone = Module {
            deleted: true,
            unreadable: Some(Reason::Deleted),
            build_id: None,
            ..libc()
        };
        let cases = [
            (
                "frames",
                shown(&with(vec![inner, frame], None), Some(&libc())),
                "0x7f0000001040     in\\x1bner [inlined]  /src/b.rs:12:5\n                   outer+0x40  /src/a.rs:40  (/lib/libc.so.6)\n",
            ),
            (
                "a frame without a name, cut short",
                shown(&with(vec![no_name], Some(Reason::Limit)), Some(&libc())),
                "0x7f0000001040     ??  (/lib/libc.so.6)  [limit]\n",
            ),
            (
                "a place",
                shown(&located(), Some(&libc())),
                "0x7f0000001040     /lib/libc.so.6+0x1040  virtual 0x2040  [build id 77c7]\n",
            ),
            (
                "a place and a reason",
                shown(&with(vec![], Some(Reason::NoSymbols)), Some(&libc())),
                "0x7f0000001040     /lib/libc.so.6+0x1040  virtual 0x2040  [build id 77c7]  [no-symbols]\n",
            ),
            (
                "a module that cannot be read",
                shown(
                    &Address {
                        virtual_offset: None,
                        ..located()
                    },
                    Some(&gone),
                ),
                "0x7f0000001040     /lib/libc.so.6 (deleted)+0x1040  [deleted]\n",
            ),
            (
                "a reason alone",
                shown(
                    &Address {
                        address: Some(AbsAddr(u64::MAX)),
                        reason: Some(Reason::Kernel),
                        ..Address::default()
                    },
                    None,
                ),
                "0x7f0000001040     [kernel]\n",
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }
}
