//! Parses a line: `START SIZE NAME`.

use backsight_types::AbsAddr;

/// A piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerfMapEntry<'m> {
    /// Its start address.
    pub start: AbsAddr,
    /// Its size in bytes.
    pub size: u64,
    /// Its name, as written in the file.
    pub name: &'m [u8],
}

/// No function is larger. A larger entry would hide all others.
const MAX_SIZE: u64 = 1 << 32;

/// Parses a line without its line end; `None` if it is not an entry.
pub(super) fn parse(line: &[u8]) -> Option<PerfMapEntry<'_>> {
    let (start, rest) = number(line)?;
    let (size, name) = number(rest)?;
    let is_one = !name.is_empty() && (1..=MAX_SIZE).contains(&size);
    is_one.then_some(())?;
    start.checked_add(size)?;
    Some(PerfMapEntry {
        start: AbsAddr(start),
        size,
        name,
    })
}

/// Parses hexadecimal digits, with or without `0x`, up to a space.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let (digits, rest) = text.split_at_checked(space)?;
    let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for digit in digits {
        let digit = char::from(*digit).to_digit(16)?;
        value = value.checked_mul(16)?.checked_add(u64::from(digit))?;
    }
    Some((value, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn malformed_lines_are_no_entries() {
        let whole: [(&str, (u64, u64, &str)); 4] = [
            (
                "3ef414c0 398 RegExp:[{(]",
                (0x3ef4_14c0, 0x398, "RegExp:[{(]"),
            ),
            (
                "0x7f 0x0b void f(int, int)",
                (0x7f, 0xb, "void f(int, int)"),
            ),
            ("0 1 x", (0, 1, "x")),
            ("fffffffffffffffe 1 last", (u64::MAX - 1, 1, "last")),
        ];
        for (text, (start, size, name)) in whole {
            let code = parse(text.as_bytes()).unwrap();
            let got = (code.start.0, code.size, str::from_utf8(code.name).unwrap());
            assert_eq!(got, (start, size, name), "{text}");
        }
        let none = [
            "",
            "1",
            "1 ",
            "1 2",
            "1 2 ",
            " 1 2 x",
            "1  2 x",
            "-1 2 x",
            "+1 2 x",
            "0x 2 x",
            "g 2 x",
            "1 0 nothing",
            "10000000000000000 2 x",
            "1 10000000000000000 x",
            "1 100000001 everything",
            "ffffffffffffffff 2 over the end",
        ];
        for text in none {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
