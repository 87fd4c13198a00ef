//! Answers as text: one line per frame, or the module, offset and reason.

use std::fmt::{self, Display};
use std::io::{self, Write};

use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_types::Module;

use crate::palette::Palette;

/// Enough for 64 bits.
const ADDRESS_WIDTH: usize = 18;

/// Writes an answer as text: one line per frame, or the module, offset and reason.
pub(super) fn write(
    out: &mut impl Write,
    palette: &Palette,
    asked: Option<u64>,
    answer: &AddressLine<'_>,
    module: Option<&Module>,
) -> io::Result<()> {
    let asked = asked.map_or_else(|| "?".to_owned(), |raw| format!("{raw:#x}"));
    write!(out, "{asked:<ADDRESS_WIDTH$} ")?;
    if answer.frames.is_empty() {
        write_place(out, palette, answer, module)?;
        return writeln!(out);
    }
    for (i, frame) in answer.frames.iter().enumerate() {
        if i > 0 {
            write!(out, "{:ADDRESS_WIDTH$} ", "")?;
        }
        write_frame(out, palette, frame, answer)?;
        let last = i + 1 == answer.frames.len();
        if let (true, Some(module)) = (last, module) {
            let dim = palette.module;
            write!(out, "  {dim}({}){dim:#}", Path(module))?;
            out.write_all(inferred(module))?;
        }
        if let (true, Some(reason)) = (last, answer.reason) {
            write!(out, "  [{reason}]")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes an answer as text: the module and offset, and the function if there is one, on one
/// line.
pub(super) fn write_named_place(
    out: &mut impl Write,
    palette: &Palette,
    asked: Option<u64>,
    answer: &AddressLine<'_>,
    module: Option<&Module>,
) -> io::Result<()> {
    let asked = asked.map_or_else(|| "?".to_owned(), |raw| format!("{raw:#x}"));
    write!(out, "{asked:<ADDRESS_WIDTH$} ")?;
    write_place(out, palette, answer, module)?;
    for frame in &answer.frames {
        write!(out, "  ")?;
        write_frame(out, palette, frame, answer)?;
    }
    writeln!(out)
}

/// Writes an entry that is not an address, and what is wrong with it.
pub(super) fn malformed(out: &mut impl Write, entry: &str, cause: &str) -> io::Result<()> {
    let entry = Terminal(entry.as_bytes()).to_string();
    let entry = if entry.is_empty() { "?" } else { &*entry };
    // The cause may quote the entry.
    let cause = Terminal(cause.as_bytes());
    writeln!(out, "{entry:<ADDRESS_WIDTH$} [malformed: {cause}]")
}

fn write_frame(
    out: &mut impl Write,
    palette: &Palette,
    frame: &JsonFrame<'_>,
    answer: &AddressLine<'_>,
) -> io::Result<()> {
    let bold = palette.function;
    match &frame.function {
        Some(name) => write!(out, "{bold}{}{bold:#}", Terminal(name.as_bytes()))?,
        None => write!(out, "??")?,
    }
    if frame.inlined {
        write!(out, " [inlined]")?;
    } else if let Some(into) = answer.offset_in(frame) {
        write!(out, "+{into:#x}")?;
    }
    if let Some(file) = &frame.file {
        write!(out, "  {}", Terminal(file.as_bytes()))?;
        // Line 0 means no line in DWARF, and is not shown.
        for place in [frame.line, frame.column]
            .into_iter()
            .map_while(|place| place)
        {
            write!(out, ":{place}")?;
        }
    }
    Ok(())
}

/// Writes the result of normalization if there is no frame.
fn write_place(
    out: &mut impl Write,
    palette: &Palette,
    answer: &AddressLine<'_>,
    module: Option<&Module>,
) -> io::Result<()> {
    if let Some(module) = module {
        let dim = palette.module;
        write!(out, "{dim}{}{dim:#}", Path(module))?;
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
        out.write_all(inferred(module))?;
        if let (Some(reason), None) = (module.unreadable, answer.reason) {
            write!(out, "  [{reason}]")?;
        }
    }
    if let Some(reason) = answer.reason {
        let gap = if module.is_some() { "  " } else { "" };
        write!(out, "{gap}[{reason}]")?;
    }
    Ok(())
}

/// Returns a mark, if no mapping says that the code is of this module.
fn inferred(module: &Module) -> &'static [u8] {
    match module.inferred {
        true => b"  [inferred]",
        false => b"",
    }
}

/// A module's path, escaped for a terminal.
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
    use backsight_formats::ndjson::{AddressLine, JsonFrame};
    use backsight_types::{AbsAddr, FileOffset, Module, Reason, VirtOffset};

    use super::write;
    use crate::palette::Palette;

    fn shown(answer: &AddressLine<'_>, module: Option<&Module>) -> String {
        let mut out = Vec::new();
        let plain = Palette::default();
        write(&mut out, &plain, Some(0x7f00_0000_1040), answer, module).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn libc() -> Module {
        Module::default()
            .with_path(b"/lib/libc.so.6")
            .with_build_id(Some("77c7".parse().unwrap()))
    }

    fn located() -> AddressLine<'static> {
        AddressLine {
            address: Some(AbsAddr(0x7f00_0000_1040)),
            file_offset: Some(FileOffset(0x1040)),
            virtual_offset: Some(VirtOffset(0x2040)),
            ..AddressLine::default()
        }
    }

    #[test]
    fn an_address_always_shows_something() {
        let frame = JsonFrame {
            function: Some("outer".into()),
            file: Some("/src/a.rs".into()),
            line: Some(40),
            start: Some(VirtOffset(0x2000)),
            ..JsonFrame::default()
        };
        let inner = JsonFrame {
            function: Some("in\x1bner".into()),
            file: Some("/src/b.rs".into()),
            line: Some(12),
            column: Some(5),
            inlined: true,
            ..JsonFrame::default()
        };
        let no_name = JsonFrame::default();
        let with = |frames: Vec<JsonFrame<'static>>, reason| AddressLine {
            frames,
            reason,
            ..located()
        };
        let gone = libc()
            .with_deleted(true)
            .with_unreadable(Some(Reason::Deleted))
            .with_build_id(None);
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
                    &AddressLine {
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
                    &AddressLine {
                        address: Some(AbsAddr(u64::MAX)),
                        reason: Some(Reason::Kernel),
                        ..AddressLine::default()
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
