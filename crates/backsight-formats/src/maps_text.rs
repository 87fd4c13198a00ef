//! Writes `/proc/PID/maps`, byte for byte as a 64-bit kernel prints it.
//!
//! ```text
//! 7f1b4c600000-7f1b4c626000 r--p 00000000 fe:00 326279                     /usr/lib/libc.so.6
//! └ start      └ end        └ perms   └ offset  └ device └ inode           └ name, in column 73
//! ```
//!
//! The reader is in `vma-query`, whose performance depends on it.

use std::io::{self, Write};

use backsight_types::{AbsRange, Device, FileOffset, Perms};

/// The column of the name, counted from 0: `25 + sizeof(void *) * 6 - 1` columns and a space.
///
/// Source: `show_vma_header_prefix` and `seq_pad` in the kernel.
const NAME_COLUMN: usize = 73;

/// The fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapsLine<'a> {
    /// The address range.
    pub range: AbsRange,
    /// The permissions.
    pub perms: Perms,
    /// The offset in the file of the first byte, in bytes.
    pub file_offset: FileOffset,
    /// The device of the file.
    pub device: Device,
    /// The inode of the file; 0 without a file.
    pub inode: u64,
    /// The name, with ` (deleted)` if the kernel marked the file as deleted; empty for memory
    /// without a name.
    pub name: &'a [u8],
}

impl MapsLine<'_> {
    /// Writes the line with its line end. A newline in the name is written as `\012`, as the kernel
    /// does; nothing else is escaped.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        // The fields before the name take at most 103 bytes.
        let mut fields = io::Cursor::new([0_u8; 128]);
        write!(
            fields,
            "{:08x}-{:08x} {} {:08x} {} {} ",
            self.range.start, self.range.end, self.perms, self.file_offset, self.device, self.inode,
        )?;
        let width = usize::try_from(fields.position()).unwrap_or(usize::MAX);
        out.write_all(fields.get_ref().get(..width).unwrap_or_default())?;
        if !self.name.is_empty() {
            // At least one space, even if the fields are wider than their columns.
            let padding = NAME_COLUMN.saturating_sub(width).max(1);
            write!(out, "{:padding$}", "")?;
            for (i, part) in self.name.split(|byte| *byte == b'\n').enumerate() {
                if i > 0 {
                    out.write_all(b"\\012")?;
                }
                out.write_all(part)?;
            }
        }
        out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, AbsRange, Device, FileOffset, Perms};

    use super::MapsLine;

    fn written(line: MapsLine<'_>) -> String {
        let mut out = Vec::new();
        line.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn libc() -> MapsLine<'static> {
        MapsLine {
            range: AbsRange::new(AbsAddr(0x7f1b_4c60_0000), AbsAddr(0x7f1b_4c62_6000)).unwrap(),
            perms: Perms::READ,
            file_offset: FileOffset(0),
            device: Device {
                major: 0xfe,
                minor: 0,
            },
            inode: 326_279,
            name: b"/usr/lib/libc.so.6",
        }
    }

    #[test]
    fn lines_are_laid_out_as_the_kernel_does() {
        let low = AbsRange::new(AbsAddr(0x1000), AbsAddr(0x2000)).unwrap();
        let wide = Device {
            major: 0xfff,
            minor: 0xf_ffff,
        };
        let cases = [
            (
                "named",
                libc(),
                "7f1b4c600000-7f1b4c626000 r--p 00000000 fe:00 326279                     /usr/lib/libc.so.6\n",
            ),
            (
                "unnamed",
                MapsLine {
                    inode: 0,
                    device: Device::default(),
                    name: b"",
                    ..libc()
                },
                "7f1b4c600000-7f1b4c626000 r--p 00000000 00:00 0 \n",
            ),
            (
                "low addresses",
                MapsLine {
                    range: low,
                    name: b"x",
                    ..libc()
                },
                "00001000-00002000 r--p 00000000 fe:00 326279                             x\n",
            ),
            (
                "fields wider than their columns",
                MapsLine {
                    range: AbsRange {
                        start: AbsAddr(u64::MAX),
                        end: AbsAddr(u64::MAX),
                    },
                    file_offset: FileOffset(u64::MAX),
                    device: wide,
                    inode: u64::MAX,
                    name: b"x",
                    ..libc()
                },
                "ffffffffffffffff-ffffffffffffffff r--p ffffffffffffffff fff:fffff 18446744073709551615  x\n",
            ),
            (
                "newline and backslash",
                MapsLine {
                    range: low,
                    name: b"/a\n\\b (deleted)",
                    ..libc()
                },
                "00001000-00002000 r--p 00000000 fe:00 326279                             /a\\012\\b (deleted)\n",
            ),
        ];
        for (name, line, want) in cases {
            assert_eq!(written(line), want, "{name}");
        }
    }
}
