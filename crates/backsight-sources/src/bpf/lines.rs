//! The lines of BPF programs, by function and address.

use std::collections::HashMap;
use std::ops::Range;

use backsight_types::AbsAddr;
use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

use super::btf::BtfStrings;

/// What the kernel's list of symbols calls a BPF program, before its tag.
const PREFIX: &str = "bpf_prog_";

/// The lines of BPF programs.
///
/// Programs come and go, and another may be at the address of one that is gone. So a function is
/// known by where it begins and by its tag, the hash of its instructions, which is part of its
/// name.
///
/// ```
/// use backsight_sources::bpf::BpfLines;
/// use backsight_types::AbsAddr;
/// use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo};
///
/// let (start, size) = (AbsAddr(0xffff_ffff_c000_1000), 0x40);
/// let tag = [0x6d, 0xee, 0xf7, 0x35, 0x7e, 0x7b, 0x45, 0x30];
/// let program = BpfProgramInfo {
///     tag,
///     functions: vec![BpfFunctionInfo { start, size, tag }],
///     lines: vec![BpfLineInfo { addr: start, line: 7, ..BpfLineInfo::default() }],
///     btf_id: 0,
/// };
/// let lines = BpfLines::new(&[program], &[]);
/// let found = lines.at("bpf_prog_6deef7357e7b4530_count", start, AbsAddr(start.0 + 4)).unwrap();
/// assert_eq!((found.line, found.file), (Some(7), None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct BpfLines {
    functions: HashMap<(AbsAddr, [u8; 8]), FunctionLines>,
    /// Of all programs, those of each by address; and the index of the file, if there is one.
    lines: Vec<(BpfLineInfo, Option<usize>)>,
    files: Vec<Box<str>>,
    unreadable_files: u64,
}

/// A source file and a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BpfSource<'a> {
    /// The source file, as the compiler named it.
    pub file: Option<&'a str>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
}

/// The lines of a function: where they are among all.
#[derive(Clone, Debug)]
struct FunctionLines {
    size: u32,
    lines: Range<usize>,
}

impl BpfLines {
    /// Takes programs and their type information.
    #[must_use]
    pub fn new(programs: &[BpfProgramInfo], btf: &[BtfBlob]) -> Self {
        let mut all = Self::default();
        let mut indexes: HashMap<Box<str>, usize> = HashMap::new();
        let btf = btf.iter().filter(|blob| blob.id != 0);
        let btf: HashMap<u32, Option<BtfStrings<'_>>> = btf
            .map(|blob| (blob.id, BtfStrings::of(&blob.bytes)))
            .collect();
        for program in programs {
            let strings = btf.get(&program.btf_id);
            let before = all.lines.len();
            for line in &program.lines {
                let file = strings.map(|strings| strings.as_ref()?.get(line.file_name_offset));
                if file == Some(None) && line.file_name_offset != 0 {
                    all.unreadable_files = all.unreadable_files.saturating_add(1);
                }
                let file = file.flatten();
                let file = file.map(|file| all.index_of(file, &mut indexes));
                all.lines.push((*line, file));
            }
            let own = all.lines.get_mut(before..).unwrap_or_default();
            own.sort_by_key(|(line, _)| line.addr);
            let named_otherwise = program.functions.first().map(|first| BpfFunctionInfo {
                tag: program.tag,
                ..*first
            });
            for function in program.functions.iter().chain(&named_otherwise) {
                let end = AbsAddr(function.start.0.saturating_add(function.size.into()));
                let below = |addr: AbsAddr| {
                    let count = own.partition_point(|(line, _)| line.addr < addr);
                    before.saturating_add(count)
                };
                let lines = FunctionLines {
                    size: function.size,
                    lines: below(function.start)..below(end),
                };
                all.functions.insert((function.start, function.tag), lines);
            }
        }
        all
    }

    fn index_of(&mut self, file: &str, indexes: &mut HashMap<Box<str>, usize>) -> usize {
        if let Some(index) = indexes.get(file) {
            return *index;
        }
        let index = self.files.len();
        self.files.push(file.into());
        indexes.insert(file.into(), index);
        index
    }

    /// Returns whether the kernel's list calls a function of a BPF program so.
    #[must_use]
    pub fn is_name_of_program(name: &str) -> bool {
        tag_of(name).is_some()
    }

    /// Returns whether no function is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Returns the number of lines whose file name cannot be read, although there is type
    /// information for their program.
    #[must_use]
    pub fn unreadable_files(&self) -> u64 {
        self.unreadable_files
    }

    /// Returns the source of an address in the function of this name, in the kernel's list, that
    /// begins at `start`. Of a return address, that is the byte before.
    #[must_use]
    pub fn at(&self, name: &str, start: AbsAddr, addr: AbsAddr) -> Option<BpfSource<'_>> {
        let function = self.functions.get(&(start, tag_of(name)?))?;
        if addr.distance_from(start)? >= u64::from(function.size) {
            return None;
        }
        let lines = self.lines.get(function.lines.clone())?;
        let behind = lines.partition_point(|(line, _)| line.addr <= addr);
        let (line, file) = lines.get(behind.checked_sub(1)?)?;
        let file = file.and_then(|index| self.files.get(index));
        Some(BpfSource {
            file: file.map(|file| &**file),
            line: Some(line.line).filter(|line| *line != 0),
            column: Some(line.column).filter(|column| *column != 0),
        })
    }
}

/// Returns the tag in a name such as `bpf_prog_6deef7357e7b4530_count`.
fn tag_of(name: &str) -> Option<[u8; 8]> {
    let digits = name.strip_prefix(PREFIX)?.get(..16)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some(u64::from_str_radix(digits, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;
    use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

    use super::{BpfLines, tag_of};

    const NAME: &str = "bpf_prog_0102030405060708_f";

    fn function(start: u64, size: u32, last: u8) -> BpfFunctionInfo {
        BpfFunctionInfo {
            start: AbsAddr(start),
            size,
            tag: [1, 2, 3, 4, 5, 6, 7, last],
        }
    }

    fn line(addr: u64, file_name_offset: u32, line: u32) -> BpfLineInfo {
        BpfLineInfo::packed(AbsAddr(addr), file_name_offset, line << 10 | 5)
    }

    fn btf(strings: &[u8]) -> BtfBlob {
        let len = u32::try_from(strings.len()).expect("short");
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend([24, 0, 0, 0, len].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(strings);
        BtfBlob { id: 9, bytes }
    }

    #[test]
    fn an_address_has_the_line_that_begins_last_before_it_in_its_function() {
        let program = BpfProgramInfo {
            tag: [9; 8],
            functions: vec![function(0x1000, 0x40, 8), function(0x1040, 0x20, 9)],
            // Not in order.
            lines: vec![
                line(0x1044, 5, 20),
                line(0x1000, 1, 10),
                line(0x1010, 1, 11),
                line(0x1030, 99, 0),
            ],
            btf_id: 9,
        };
        let lines = BpfLines::new(&[program], &[btf(b"\0a.c\0b.c\0")]);
        let at = |name: &str, start, addr| {
            let found = lines.at(name, AbsAddr(start), AbsAddr(addr))?;
            Some((found.file, found.line, found.column))
        };
        let (a, b) = (Some("a.c"), Some("b.c"));
        let five = Some(5);
        let second = "bpf_prog_0102030405060709_g";
        let cases = [
            (NAME, 0x1000, 0x1000, Some((a, Some(10), five))),
            (NAME, 0x1000, 0x100f, Some((a, Some(10), five))),
            (NAME, 0x1000, 0x1010, Some((a, Some(11), five))),
            (NAME, 0x1000, 0x103f, Some((None, None, five))),
            (NAME, 0x1000, 0x1040, None),
            (NAME, 0x1000, 0x0fff, None),
            // The line before belongs to the other function.
            (second, 0x1040, 0x1043, None),
            (second, 0x1040, 0x105f, Some((b, Some(20), five))),
            // As the kernel names the first function, by the tag of the program.
            (
                "bpf_prog_0909090909090909_f",
                0x1000,
                0x1010,
                Some((a, Some(11), five)),
            ),
            ("bpf_prog_0909090909090909_g", 0x1040, 0x105f, None),
            // Another program was there.
            (second, 0x1000, 0x1010, None),
            ("bpf_trampoline_1", 0x1000, 0x1010, None),
        ];
        for (name, start, addr, want) in cases {
            assert_eq!(at(name, start, addr), want, "{name} {addr:x}");
        }
        // One line names a file that is not there.
        assert_eq!(lines.unreadable_files(), 1);
        // Of other type information there are no files.
        let lines = BpfLines::new(&[BpfProgramInfo::default()], &[]);
        assert!(lines.is_empty());
    }

    #[test]
    fn lines_without_a_readable_file_are_counted() {
        let program = |btf_id| BpfProgramInfo {
            tag: [9; 8],
            functions: vec![function(0x1000, 0x40, 8)],
            lines: vec![
                line(0x1000, 1, 10),
                line(0x1010, 5, 11),
                line(0x1020, 0, 12),
            ],
            btf_id,
        };
        let mut damaged = btf(b"\0a.c\0b.c\0");
        damaged.bytes[0] = 0;
        for (id, blob, want) in [
            (9, btf(b"\0a.c\0b.c\0"), 0),
            (9, btf(b"\0a.c\0"), 1),
            (9, damaged.clone(), 2),
            // There is none for this program, as a kernel without BTF has.
            (0, damaged, 0),
        ] {
            let lines = BpfLines::new(&[program(id)], &[blob]);
            assert_eq!(lines.unreadable_files(), want);
            let found = lines.at(NAME, AbsAddr(0x1000), AbsAddr(0x1010));
            assert_eq!(found.expect("a line").line, Some(11));
        }
    }

    #[test]
    fn the_tag_is_16_digits_behind_the_prefix() {
        let cases = [
            (NAME, Some([1, 2, 3, 4, 5, 6, 7, 8])),
            ("bpf_prog_0102030405060708", Some([1, 2, 3, 4, 5, 6, 7, 8])),
            ("bpf_prog_+102030405060708", None),
            ("bpf_prog_01020304", None),
            ("bpf_prog_010203040506070é", None),
            ("bpf_trampoline_6442536467", None),
            ("", None),
        ];
        for (name, want) in cases {
            assert_eq!(tag_of(name), want, "{name}");
        }
    }
}
