//! A simple and slow lookup of an address, as an oracle.
//!
//! It reads the whole maps text, splits it with its own code, and searches it from the top for
//! each address. The rules, in this order:
//!
//! 1. the address is at or above [`KERNEL`]: kernel;
//! 2. no line contains it: unmapped;
//! 3. the line is named `[vdso]`: vDSO;
//! 4. the line has no `x`: not executable;
//! 5. it has an inode or a device: located, at `address - start + offset`;
//! 6. otherwise: anonymous.

use crate::maps::Line;

/// The start of the kernel's addresses for our purposes: above any user address of any
/// architecture (56 bits with tagged or 5-level addresses).
pub const KERNEL: u64 = 0xff00_0000_0000_0000;

/// The result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Code of a file.
    Located {
        /// The line that contains the address.
        line: Line,
        /// The offset in the file.
        file_offset: u64,
    },
    /// Executable memory without a file.
    Anonymous,
    /// The vDSO.
    Vdso {
        /// The first address of the vDSO.
        start: u64,
    },
    /// Memory that is not executable.
    NotExecutable,
    /// A kernel address.
    Kernel,
    /// Nothing is mapped.
    Unmapped,
}

/// Looks up `address` in a maps text.
#[must_use]
pub fn find(text: &[u8], address: u64) -> Found {
    if address >= KERNEL {
        return Found::Kernel;
    }
    let Some(line) = lines(text).find(|line| (line.start..line.end).contains(&address)) else {
        return Found::Unmapped;
    };
    if line.name == b"[vdso]" {
        return Found::Vdso { start: line.start };
    }
    if line.perms[2] != b'x' {
        return Found::NotExecutable;
    }
    if (line.inode, line.major, line.minor) == (0, 0, 0) {
        return Found::Anonymous;
    }
    let file_offset = address - line.start + line.offset;
    Found::Located { line, file_offset }
}

/// Returns the maps text of a process in one read. The process must be stopped, or the text may
/// be torn.
///
/// # Errors
/// Those of reading a file.
pub fn text_of(pid: u32) -> std::io::Result<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/maps"))
}

/// Splits a maps text of the kernel.
///
/// # Panics
/// When the text is not a maps text.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Line> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty()).map(|line| {
        // Five fields end in a space each; the rest is padding and the name.
        let fields: Vec<&[u8]> = line.splitn(6, |byte| *byte == b' ').collect();
        let (start, end) = pair(fields[0], '-');
        let (major, minor) = pair(fields[3], ':');
        let padding = fields[5].iter().take_while(|byte| **byte == b' ').count();
        Line {
            start: hex(start),
            end: hex(end),
            perms: fields[1].try_into().expect("four permissions"),
            offset: hex(str(fields[2])),
            major: u32::try_from(hex(major)).expect("32 bits"),
            minor: u32::try_from(hex(minor)).expect("32 bits"),
            inode: str(fields[4]).parse().expect("an inode number"),
            name: with_newlines(&fields[5][padding..]),
        }
    })
}

/// Undoes the escape of newlines. A name that contains the four characters `\012` cannot be
/// distinguished from one with a newline.
fn with_newlines(mut name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&byte, rest)) = name.split_first() {
        let newline = name.strip_prefix(br"\012");
        out.push(if newline.is_some() { b'\n' } else { byte });
        name = newline.unwrap_or(rest);
    }
    out
}

fn str(field: &[u8]) -> &str {
    std::str::from_utf8(field).expect("numbers are ASCII")
}

fn pair(field: &[u8], between: char) -> (&str, &str) {
    str(field).split_once(between).expect("a pair of numbers")
}

fn hex(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).expect("a hexadecimal number")
}

#[cfg(test)]
mod tests {
    use super::{Found, find};

    const TEXT: &[u8] = b"\
        00400000-00401000 r--p 00000000 fe:00 77                                 /bin/a b\n\
        00401000-00403000 r-xp 00001000 fe:00 77                                 /bin/a b\n\
        00500000-00501000 rwxp 00000000 00:00 0 \n\
        7fff00000000-7fff00002000 r-xp 00000000 00:00 0                          [vdso]\n\
        ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

    #[test]
    fn every_rule_applies_to_an_address() {
        let cases = [
            ("header", 0x40_0fff, Found::NotExecutable),
            ("gap", 0x40_3000, Found::Unmapped),
            ("just-in-time code", 0x50_0000, Found::Anonymous),
            (
                "vsyscall is the kernel's",
                0xffff_ffff_ff60_0000,
                Found::Kernel,
            ),
            (
                "vdso",
                0x7fff_0000_1000,
                Found::Vdso {
                    start: 0x7fff_0000_0000,
                },
            ),
        ];
        for (name, address, want) in cases {
            assert_eq!(find(TEXT, address), want, "{name}");
        }
        let Found::Located { line, file_offset } = find(TEXT, 0x40_2fff) else {
            panic!("code of a file");
        };
        assert_eq!((line.inode, file_offset), (77, 0x2fff));
        assert_eq!(line.name, b"/bin/a b");
    }
}
