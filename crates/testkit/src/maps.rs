//! Writes maps texts in the kernel's format.
//!
//! Source: `show_map_vma` and `show_vma_header_prefix` in `fs/proc/task_mmu.c`.

/// A line with arbitrary numbers, valid or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The first address.
    pub start: u64,
    /// The end address (exclusive).
    pub end: u64,
    /// `r-xp` or the like: four bytes.
    pub perms: [u8; 4],
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// The inode number; 0 if there is no file.
    pub inode: u64,
    /// The raw name, in which newlines are not escaped. If it is empty, the line ends after the
    /// inode.
    pub name: Vec<u8>,
}

impl Line {
    /// Appends the line with its newline.
    ///
    /// As in the kernel, the fields end in a space, and the name starts at column 73 (counted
    /// from 0), or one space later if the fields are longer; a newline in the name is written as
    /// `\012`.
    pub fn write(&self, out: &mut Vec<u8>) {
        const NAME_COLUMN: usize = 72;
        let perms: String = self.perms.into_iter().map(char::from).collect();
        let prefix = format!(
            "{:08x}-{:08x} {perms} {:08x} {:02x}:{:02x} {} ",
            self.start, self.end, self.offset, self.major, self.minor, self.inode
        );
        if self.name.is_empty() {
            out.extend(prefix.bytes());
        } else {
            out.extend(format!("{prefix:NAME_COLUMN$} ").bytes());
            for &byte in &self.name {
                match byte {
                    b'\n' => out.extend(br"\012"),
                    _ => out.push(byte),
                }
            }
        }
        out.push(b'\n');
    }
}

/// Returns the text of these lines.
#[must_use]
pub fn text<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<u8> {
    let mut out = Vec::new();
    lines.into_iter().for_each(|line| line.write(&mut out));
    out
}

#[cfg(test)]
mod tests {
    use super::{Line, text};
    use crate::naive;

    #[test]
    fn lines_match_the_kernel_s_format() {
        let file = Line {
            start: 0x7f48_3c00_0000,
            end: 0x7f48_3c02_6000,
            perms: *b"r-xp",
            offset: 0x1000,
            major: 0xfe,
            minor: 0,
            inode: 325_843,
            name: b"/usr/lib/a\nb".to_vec(),
        };
        let unnamed = Line {
            name: Vec::new(),
            inode: 0,
            major: 0,
            ..file.clone()
        };
        let want = "7f483c000000-7f483c026000 r-xp 00001000 fe:00 325843                     \
                    /usr/lib/a\\012b\n\
                    7f483c000000-7f483c026000 r-xp 00001000 00:00 0 \n";
        let got = String::from_utf8(text([&file, &unnamed])).unwrap();
        assert_eq!(got, want);
    }

    #[test]
    fn this_process_reads_the_same_when_printed_again() {
        let live = std::fs::read("/proc/self/maps").unwrap();
        let lines: Vec<Line> = naive::lines(&live).collect();
        assert!(lines.len() > 5, "{}", lines.len());
        assert_eq!(
            String::from_utf8_lossy(&text(&lines)),
            String::from_utf8_lossy(&live)
        );
    }
}
