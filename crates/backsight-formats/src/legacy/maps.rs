//! The memory map after the samples: the text of `/proc/PID/maps`, or a shorter form.
//!
//! ```text
//! 55d0c1a2b000-55d0c1a2c000 r-xp 00001000 fe:00 1234   /usr/bin/survey
//! 0x40000-0x80000: /usr/bin/survey (@ff00) 0123abcd
//! build=/usr/bin            `$build` in later lines is replaced by the value
//! ```

use std::io::{self, BufRead};

use backsight_types::Device;

use super::build::{LegacyBuilder, Mapped};
use super::text::LineError;
use super::text::TextLines;

/// Maximum number of variables.
const MOST_NAMES: usize = 64;

/// Maximum length of a path or a value.
const MOST_BYTES: usize = 4096;

/// Reads the executable mappings, up to the end of the text.
pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    let mut names: Vec<(String, String)> = Vec::new();
    while text.next()? {
        let named = names.iter().fold(text.line.clone(), |line, (name, value)| {
            // A value can be longer than the variable.
            if line.len() < MOST_BYTES {
                line.replace(name, value)
            } else {
                line
            }
        });
        match row(&named) {
            Some(Some(row)) => builder.mapped(row),
            Some(None) => {}
            None => match text.line.split_once('=') {
                Some((name, value))
                    if names.len() < MOST_NAMES
                        && value.len() < MOST_BYTES
                        && !name.is_empty()
                        && !name.contains(' ') =>
                {
                    names.push((format!("${name}"), value.trim_ascii().to_owned()));
                }
                _ if super::text::begins_maps(&text.line) || text.line.starts_with('#') => {}
                _ => text.wrong("not a line of a memory map"),
            },
        }
    }
    Ok(())
}

/// Parses a line. The inner `None` is memory that is not executable.
fn row(line: &str) -> Option<Option<Mapped>> {
    let (range, rest) = word(line);
    let (start, end) = range.trim_end_matches(':').split_once('-')?;
    let (start, end) = (hex(start)?, hex(end)?);
    if start >= end {
        return None;
    }
    let row = Mapped {
        start,
        end,
        ..Mapped::default()
    };
    let (perms, behind) = word(rest);
    let is_perms = perms.len() == 4 && perms.bytes().all(|byte| b"-rwxps".contains(&byte));
    let rest = if is_perms { behind } else { rest };
    if is_perms && !perms.contains('x') {
        return Some(None);
    }
    let full = || {
        let (offset, rest) = word(rest);
        let (device, rest) = word(rest);
        let (inode, path) = word(rest);
        let (major, minor) = device.split_once(':')?;
        Some(Mapped {
            offset: hex(offset)?,
            device: Device {
                major: u32::from_str_radix(major, 16).ok()?,
                minor: u32::from_str_radix(minor, 16).ok()?,
            },
            inode: inode.parse().ok()?,
            path: path.to_owned(),
            ..row.clone()
        })
    };
    if let Some(full) = full() {
        return Some(Some(full));
    }
    let (path, rest) = word(rest);
    let (offset, behind) = word(rest);
    let told = offset
        .strip_prefix("(@")
        .and_then(|it| it.strip_suffix(')'));
    let (offset, id) = match told {
        Some(offset) => (hex(offset)?, word(behind).0),
        None => (0, offset),
    };
    Some(Some(Mapped {
        path: path.to_owned(),
        offset,
        build_id: id.parse().ok(),
        ..row
    }))
}

/// Returns the first word, and the rest of the text.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_ascii_start();
    let (word, rest) = text
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((text, ""));
    (word, rest.trim_ascii_start())
}

fn hex(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn either_form_is_read() {
        let of = |line| row(line).map(|row| row.map(|it| (it.start, it.offset, it.inode, it.path)));
        let cases = [
            (
                "55d0c1a2b000-55d0c1a2c000 r-xp 00001000 fe:00 1234       /usr/bin/a b (deleted)",
                Some(Some((
                    0x55d0_c1a2_b000,
                    0x1000,
                    1234,
                    "/usr/bin/a b (deleted)".to_owned(),
                ))),
            ),
            ("1000-2000 rw-p 00001000 fe:00 1234 /x", Some(None)),
            (
                "1000-2000 r-xp 00000000 00:00 0 ",
                Some(Some((0x1000, 0, 0, String::new()))),
            ),
            (
                "0x40000-0x80000: /x (@FF00) 0123abcd",
                Some(Some((0x40000, 0xff00, 0, "/x".to_owned()))),
            ),
            (
                "40000-80000 /x",
                Some(Some((0x40000, 0, 0, "/x".to_owned()))),
            ),
            ("2000-1000 r-xp 0 fe:00 1 /x", None),
            ("build=/x", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(of(line), want, "{line}");
        }
    }
}
