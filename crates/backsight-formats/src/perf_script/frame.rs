//! Parses the line of a frame: address, function, file.

/// A frame as perf prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameLine<'a> {
    pub(super) addr: u64,
    /// `None` if perf printed no name.
    pub(super) function: Option<&'a str>,
    /// `None` if perf printed no file, and for inlined functions.
    pub(super) dso: Option<&'a str>,
    pub(super) inlined: bool,
}

/// What perf prints for an unknown name.
const UNKNOWN: &str = "[unknown]";

/// Parses a frame; `None` for any other line.
pub(super) fn parse(line: &str) -> Option<FrameLine<'_>> {
    let line = line.trim_ascii();
    let (addr, rest) = line
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((line, ""));
    let is_hex = addr.bytes().all(|byte| byte.is_ascii_hexdigit());
    let addr = u64::from_str_radix(addr, 16).ok().filter(|_| is_hex)?;
    let rest = rest.trim_ascii();
    let (function, file) = split_file(rest);
    let inlined = file == Some("inlined");
    let function = without_offset(function);
    let known = |name: &&str| !name.is_empty() && *name != UNKNOWN;
    Some(FrameLine {
        addr,
        function: Some(function).filter(known),
        dso: file.filter(|file| known(file) && !inlined),
        inlined,
    })
}

/// Splits off the file, which is in the last pair of parentheses.
fn split_file(text: &str) -> (&str, Option<&str>) {
    let Some(inside) = text.strip_suffix(')') else {
        return (text, None);
    };
    let mut open = 1_usize;
    for (at, byte) in inside.bytes().enumerate().rev() {
        match byte {
            b')' => open = open.saturating_add(1),
            b'(' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            let before = inside.get(..at).unwrap_or_default();
            let file = inside.get(at.saturating_add(1)..);
            return (before.trim_ascii_end(), file);
        }
    }
    (text, None)
}

/// Removes an offset such as `+0x1f` from a name.
fn without_offset(name: &str) -> &str {
    match name.rsplit_once("+0x") {
        Some((name, offset)) if u64::from_str_radix(offset, 16).is_ok() => name,
        _ => name,
    }
}

/// Parses `  file.c:33`; `None` if perf printed no line number.
pub(super) fn source_line(line: &str) -> Option<(&str, u32)> {
    let (file, line) = line.trim_ascii().rsplit_once(':')?;
    // A discriminator may follow.
    let line = line.split(' ').next()?.parse().ok()?;
    (!file.is_empty() && line > 0).then_some((file, line))
}

#[cfg(test)]
mod tests {
    use super::{FrameLine, parse, source_line};

    #[test]
    fn names_and_files_may_have_brackets() {
        let frame = |addr, function, dso, inlined| {
            Some(FrameLine {
                addr,
                function,
                dso,
                inlined,
            })
        };
        let cases = [
            (
                "\t            1146 leaf+0xd (/tmp/w)",
                frame(0x1146, Some("leaf"), Some("/tmp/w"), false),
            ),
            (
                "1146 a::operator()(int) const (inlined)",
                frame(0x1146, Some("a::operator()(int) const"), None, true),
            ),
            (
                "1146 f(int)+0x1 (/tmp/a (b) (deleted))",
                frame(0x1146, Some("f(int)"), Some("/tmp/a (b) (deleted)"), false),
            ),
            (
                "7f6d [unknown] ([unknown])",
                frame(0x7f6d, None, None, false),
            ),
            (
                "ffffffff81000082 [unknown] ([kernel.kallsyms])",
                frame(
                    0xffff_ffff_8100_0082,
                    None,
                    Some("[kernel.kallsyms]"),
                    false,
                ),
            ),
            ("1146 bare", frame(0x1146, Some("bare"), None, false)),
            ("1146", frame(0x1146, None, None, false)),
            ("0 odd)", frame(0, Some("odd)"), None, false)),
            ("in.c:1", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(parse(line), want, "{line}");
        }
    }

    #[test]
    fn lines_of_source_have_a_number() {
        assert_eq!(source_line("  in.c:12"), Some(("in.c", 12)));
        assert_eq!(
            source_line("  a:b.c:12 (discriminator 2)"),
            Some(("a:b.c", 12))
        );
        for none in ["  :0", "  in.c:0", "  [kernel.kallsyms][ffff]", "  in.c"] {
            assert_eq!(source_line(none), None, "{none}");
        }
    }
}
