//! The output of binutils' `addr2line`, so that scripts that parse it can use backsight instead.
//!
//! ```text
//! flags      an address                  one in an inlined function
//! (none)     /src/a.c:12
//! -f         inner                       …
//!            /src/a.c:12
//! -f -i      inner                       outer
//!            /src/a.c:12                 /src/a.c:40
//! -p -f -i   inner at /src/a.c:12
//!             (inlined by) outer at /src/a.c:40
//! -a         0x0000000000001139          before the rest; with -p on the same line, then `: `
//! ```
//!
//! `??` means that the function is unknown. `??:?` means that the address is in known code without
//! a line, and `??:0` that nothing is known of it. Discriminators are not written. Names are
//! escaped, unlike in `addr2line`: a newline in a name would otherwise look like the next answer.

use std::io::{self, Write};

use crate::escape::Terminal;
use crate::ndjson::JsonFrame;

/// The options of `addr2line` that change its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// `-a`: print the address first.
    pub addresses: bool,
    /// `-f`: print the function before the file and line.
    pub functions: bool,
    /// `-i`: print the callers of inlined functions, too.
    pub inlines: bool,
    /// `-p`: print one line per function.
    pub pretty: bool,
    /// `-s`: print files without their directories.
    pub basenames: bool,
    /// `-C`: print demangled names.
    pub demangle: bool,
}

/// The number of hexadecimal digits of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Width {
    /// 16 digits, for a 64-bit file.
    #[default]
    Wide,
    /// 8 digits, for a 32-bit file.
    Narrow,
}

impl Style {
    /// Writes the answer for one address: its frames, innermost first, or none if nothing is known.
    /// `address` is the requested address, or 0 if it is not known.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(
        &self,
        out: &mut impl Write,
        address: u64,
        width: Width,
        frames: &[JsonFrame<'_>],
    ) -> io::Result<()> {
        if self.addresses {
            match width {
                Width::Wide => write!(out, "{address:#018x}")?,
                Width::Narrow => write!(out, "{address:#010x}")?,
            }
            out.write_all(if self.pretty { b": " } else { b"\n" })?;
        }
        let Some((first, outer)) = frames.split_first() else {
            if self.functions {
                // `addr2line` prints no "at" here.
                out.write_all(if self.pretty { b"?? " } else { b"??\n" })?;
            }
            return out.write_all(b"??:0\n");
        };
        self.frame(out, first)?;
        let outer = if self.inlines { outer } else { &[] };
        for frame in outer {
            if self.pretty {
                out.write_all(b" (inlined by) ")?;
            }
            self.frame(out, frame)?;
        }
        Ok(())
    }

    fn frame(&self, out: &mut impl Write, frame: &JsonFrame<'_>) -> io::Result<()> {
        if self.functions {
            let name = self.name(frame).unwrap_or("??");
            write!(out, "{}", Terminal(name.as_bytes()))?;
            out.write_all(if self.pretty { b" at " } else { b"\n" })?;
        }
        let file = frame.file.as_deref().unwrap_or("??");
        write!(out, "{}", Terminal(self.shown(file).as_bytes()))?;
        match frame.line {
            Some(line) if frame.file.is_some() => writeln!(out, ":{line}"),
            _ => writeln!(out, ":?"),
        }
    }

    fn name<'f>(&self, frame: &'f JsonFrame<'_>) -> Option<&'f str> {
        let (plain, linkage) = (frame.function.as_deref(), frame.linkage_name.as_deref());
        if self.demangle {
            plain.or(linkage)
        } else {
            linkage.or(plain)
        }
    }

    fn shown<'f>(&self, file: &'f str) -> &'f str {
        match file.rsplit_once('/') {
            Some((_, base)) if self.basenames => base,
            _ => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Style, Width};
    use crate::ndjson::JsonFrame;

    fn inner() -> JsonFrame<'static> {
        JsonFrame {
            function: Some("a::inner".into()),
            linkage_name: Some("_ZN1a5innerE".into()),
            file: Some("/src/a.c".into()),
            line: Some(12),
            inlined: true,
            ..JsonFrame::default()
        }
    }

    fn outer() -> JsonFrame<'static> {
        JsonFrame {
            function: Some("outer".into()),
            file: Some("/src/b.c".into()),
            line: Some(40),
            ..JsonFrame::default()
        }
    }

    /// Parses flags as written on a command line.
    fn style(flags: &str) -> Style {
        let has = |flag| flags.contains(flag);
        Style {
            addresses: has('a'),
            functions: has('f'),
            inlines: has('i'),
            pretty: has('p'),
            basenames: has('s'),
            demangle: has('C'),
        }
    }

    fn written(flags: &str, width: Width, frames: &[JsonFrame<'_>]) -> String {
        let mut out = Vec::new();
        style(flags)
            .write(&mut out, 0x1139, width, frames)
            .expect("writing to a vector cannot fail");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn each_flag_has_its_part() {
        let cases = [
            ("", "/src/a.c:12\n"),
            ("s", "a.c:12\n"),
            ("f", "_ZN1a5innerE\n/src/a.c:12\n"),
            ("fC", "a::inner\n/src/a.c:12\n"),
            ("i", "/src/a.c:12\n/src/b.c:40\n"),
            ("fi", "_ZN1a5innerE\n/src/a.c:12\nouter\n/src/b.c:40\n"),
            ("a", "0x0000000000001139\n/src/a.c:12\n"),
            ("ap", "0x0000000000001139: /src/a.c:12\n"),
            ("p", "/src/a.c:12\n"),
            (
                "apfisC",
                "0x0000000000001139: a::inner at a.c:12\n (inlined by) outer at b.c:40\n",
            ),
            ("pi", "/src/a.c:12\n (inlined by) /src/b.c:40\n"),
        ];
        for (flags, want) in cases {
            let got = written(flags, Width::Wide, &[inner(), outer()]);
            assert_eq!(got, want, "-{flags}");
        }
    }

    #[test]
    fn unknown_parts_are_marked() {
        let no_line = JsonFrame {
            line: None,
            ..outer()
        };
        let name_alone = JsonFrame {
            function: Some("outer".into()),
            ..JsonFrame::default()
        };
        let cases = [
            ("nothing", "", vec![], "??:0\n"),
            ("nothing", "f", vec![], "??\n??:0\n"),
            ("nothing", "pf", vec![], "?? ??:0\n"),
            ("nothing", "apf", vec![], "0x0000000000001139: ?? ??:0\n"),
            ("no line", "f", vec![no_line], "outer\n/src/b.c:?\n"),
            ("a name", "f", vec![name_alone], "outer\n??:?\n"),
            ("no name", "f", vec![JsonFrame::default()], "??\n??:?\n"),
        ];
        for (name, flags, frames, want) in cases {
            assert_eq!(
                written(flags, Width::Wide, &frames),
                want,
                "{name}, -{flags}"
            );
        }
    }

    #[test]
    fn a_32_bit_file_has_short_addresses() {
        assert_eq!(written("a", Width::Narrow, &[]), "0x00001139\n??:0\n");
    }

    #[test]
    fn a_name_stays_on_its_line() {
        let hostile = JsonFrame {
            function: Some("a\nb".into()),
            file: Some("/x\n/y".into()),
            line: Some(1),
            ..JsonFrame::default()
        };
        assert_eq!(written("f", Width::Wide, &[hostile]), "a\\nb\n/x\\n/y:1\n");
    }
}
