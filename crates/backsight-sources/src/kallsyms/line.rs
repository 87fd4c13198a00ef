//! One line of the list.

use crate::linker_marks::is_end_mark;

/// The longest name that is kept: `KSYM_NAME_LEN` is 512, and `MODULE_NAME_LEN` 56 or 64.
const MAX_NAME_BYTES: usize = 1024;

/// The symbol of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    pub(super) addr: u64,
    /// The letter of `nm`: upper case for a global symbol.
    pub(super) kind: u8,
    pub(super) name: &'t str,
    /// The name in brackets; `None` for the image.
    pub(super) module: Option<&'t str>,
}

impl<'t> Line<'t> {
    /// Parses a line without its line feed. `None` if it is malformed.
    pub(super) fn parse(line: &'t [u8]) -> Option<Self> {
        let (addr, rest) = hexadecimal(line)?;
        let (kind, rest) = match rest {
            [b' ', kind, b' ', rest @ ..] if kind.is_ascii_alphabetic() => (*kind, rest),
            _ => return None,
        };
        let end = rest.iter().position(|byte| matches!(byte, b'\t' | b' '));
        let (name, rest) = match end {
            Some(end) => rest.split_at_checked(end)?,
            None => (rest, &[][..]),
        };
        let module = match rest.trim_ascii() {
            [] => None,
            [b'[', module @ .., b']'] => Some(plain(module)?),
            _ => return None,
        };
        let name = plain(name).or_else(|| numbered_label(name))?;
        Some(Self {
            addr,
            kind,
            name,
            module,
        })
    }

    /// Returns whether code is behind it: by its letter, and its name marks no end.
    pub(super) fn is_code(&self) -> bool {
        matches!(self.kind, b't' | b'T' | b'w' | b'W') && !is_end_mark(self.name.as_bytes())
    }

    /// Returns whether it is a weak symbol.
    pub(super) const fn is_weak(&self) -> bool {
        matches!(self.kind, b'w' | b'W')
    }
}

/// Parses digits up to the first other byte. An address has at most 16.
fn hexadecimal(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (count, byte) in line.iter().take(17).enumerate() {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            let rest = line.get(count..)?;
            return (count > 0).then_some((value, rest));
        };
        value = (value << 4) | u64::from(digit);
    }
    None
}

/// Returns the name if it is not empty, not too long, and has only printable ASCII
/// characters.
fn plain(name: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    let name = fits.then(|| str::from_utf8(name).ok()).flatten()?;
    (!name.bytes().any(|byte| byte.is_ascii_control())).then_some(name)
}

/// Returns the front of the assembler's name for a label that is a number (`14472:`), which it
/// calls `.L14472^B1`: the number, a control character, and how often it was used. Modules of
/// AArch64 keep them in their tables: each `WARN_ON` has one.
fn numbered_label(name: &[u8]) -> Option<&str> {
    /// `DOLLAR_LABEL_CHAR` and `LOCAL_LABEL_CHAR` of GNU as.
    const MARKS: [u8; 2] = [1, 2];
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let at = name.iter().position(|byte| MARKS.contains(byte))?;
    let (front, rest) = name.split_at_checked(at)?;
    let is_label = is_number(front.strip_prefix(b".L")?) && is_number(rest.get(1..)?);
    is_label.then(|| plain(front)).flatten()
}

#[cfg(test)]
mod tests {
    use super::Line;

    fn line<'t>(addr: u64, kind: u8, name: &'t str, module: Option<&'t str>) -> Line<'t> {
        Line {
            addr,
            kind,
            name,
            module,
        }
    }

    #[test]
    fn a_line_is_a_symbol_or_nothing() {
        let long = format!("ffffffff81000000 t {}", "x".repeat(1025));
        let text = line(0xffff_ffff_8100_0000, b'T', "_text", None);
        let local = line(0xc000_8000, b't', "a_b.isra.0", None);
        let of_module = line(0x10, b't', "veth_xmit", Some("veth"));
        let of_bpf = line(0x10, b't', "name", Some("bpf"));
        let cases = [
            ("ffffffff81000000 T _text", Some(text)),
            ("c0008000 t a_b.isra.0", Some(local)),
            ("10 t veth_xmit\t[veth]", Some(of_module)),
            ("10 t name [bpf]", Some(of_bpf)),
            ("10 t ", None),
            ("10 t", None),
            ("10", None),
            ("", None),
            ("ffffffff810000000 T _text", None),
            ("10 t veth_xmit\t[ve", None),
            ("10 t veth_xmit\t[]", None),
            ("10 tt name", None),
            ("0x10 t name", None),
            (&long, None),
        ];
        for (text, want) in cases {
            assert_eq!(Line::parse(text.as_bytes()), want, "{text:?}");
        }
        // As Linux 6.12 of Debian prints them for AArch64.
        let label = line(0xffff_ab74_041e_91aa, b'r', ".L14472", Some("veth"));
        let printed = b"ffffab74041e91aa r .L14472\x021\t[veth]";
        assert_eq!(Line::parse(printed), Some(label));
        for no_label in [
            &b"10 r .L14472\x02\t[veth]"[..],
            b"10 r .L\x021\t[veth]",
            b"10 r .L1\x021a\t[veth]",
            b"10 r .L1\x021\x022\t[veth]",
            b"10 r L1\x021\t[veth]",
            b"10 r .L1\x031\t[veth]",
            b"10 t f\x021\t[veth]",
        ] {
            assert_eq!(Line::parse(no_label), None, "{}", no_label.escape_ascii());
        }
        assert_eq!(Line::parse(b"10 t \xff\xfe"), None);
        assert_eq!(Line::parse(b"10 t a\x1b[2J"), None);
    }
}
