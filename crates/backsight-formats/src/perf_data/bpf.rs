//! Reads what a recording tells of BPF programs: the features `BPF_PROG_INFO` and `BPF_BTF`.
//!
//! A program is `struct bpf_prog_info` of the kernel that was recorded, and its arrays behind it.
//! The structure has, where it had their addresses, their offsets behind it.
//!
//! Source: `struct bpf_prog_info` in `include/uapi/linux/bpf.h`; `struct perf_bpil` in
//! `tools/perf/util/bpf-utils.h`; `write_bpf_prog_info` and `write_bpf_btf` in
//! `tools/perf/util/header.c`.

use backsight_types::AbsAddr;
use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

use crate::bytes::Bytes;

/// The bits of the arrays that are behind the structure, in the order of `enum
/// perf_bpil_array_types`.
mod array {
    pub(super) const JITED_KSYMS: u64 = 1 << 3;
    pub(super) const JITED_FUNC_LENS: u64 = 1 << 4;
    pub(super) const LINE_INFO: u64 = 1 << 6;
    pub(super) const JITED_LINE_INFO: u64 = 1 << 7;
    pub(super) const PROG_TAGS: u64 = 1 << 8;
}

/// The fields of `struct bpf_prog_info` by their offsets. The kernel only adds fields behind.
mod field {
    pub(super) const TAG: usize = 8;
    pub(super) const NR_JITED_KSYMS: usize = 104;
    pub(super) const NR_JITED_FUNC_LENS: usize = 108;
    pub(super) const JITED_KSYMS: usize = 112;
    pub(super) const JITED_FUNC_LENS: usize = 120;
    pub(super) const BTF_ID: usize = 128;
    pub(super) const NR_LINE_INFO: usize = 148;
    pub(super) const LINE_INFO: usize = 152;
    pub(super) const JITED_LINE_INFO: usize = 160;
    pub(super) const NR_JITED_LINE_INFO: usize = 168;
    pub(super) const LINE_INFO_REC_SIZE: usize = 172;
    pub(super) const JITED_LINE_INFO_REC_SIZE: usize = 176;
    pub(super) const NR_PROG_TAGS: usize = 180;
    pub(super) const PROG_TAGS: usize = 184;
}

/// The size of `struct bpf_line_info`, of which each field is read.
const LINE_INFO_BYTES: u32 = 16;

/// Reads the programs, as far as they are not damaged.
pub(super) fn programs(bytes: &[u8], big: bool) -> Vec<BpfProgramInfo> {
    let mut at = Bytes::new(bytes, big);
    let count = at.u32().unwrap_or_default();
    (0..count).map_while(|_| program(&mut at, big)).collect()
}

/// Reads the type information of programs, as far as it is not damaged.
pub(super) fn btf(bytes: &[u8], big: bool) -> Vec<BtfBlob> {
    let mut at = Bytes::new(bytes, big);
    let count = at.u32().unwrap_or_default();
    let one = |at: &mut Bytes<'_>| {
        let (id, size) = (at.u32()?, at.u32()?);
        let bytes = at.take_u64(u64::from(size))?.to_vec();
        Some(BtfBlob { id, bytes })
    };
    (0..count).map_while(|_| one(&mut at)).collect()
}

/// Takes a program; `None` if it is cut off. One whose arrays are elsewhere has no functions.
fn program(at: &mut Bytes<'_>, big: bool) -> Option<BpfProgramInfo> {
    let (info_len, data_len) = (at.u32()?, at.u32()?);
    let arrays = at.u64()?;
    let program = Program {
        arrays,
        info: at.take_u64(u64::from(info_len))?,
        data: at.take_u64(u64::from(data_len))?,
        big,
    };
    Some(program.read().unwrap_or_default())
}

/// The structure, and its arrays.
#[derive(Clone, Copy)]
struct Program<'a> {
    arrays: u64,
    info: &'a [u8],
    data: &'a [u8],
    big: bool,
}

impl<'a> Program<'a> {
    fn read(self) -> Option<BpfProgramInfo> {
        let starts = self.array(
            array::JITED_KSYMS,
            field::JITED_KSYMS,
            self.u32(field::NR_JITED_KSYMS)?,
            8,
        )?;
        let sizes = self.array(
            array::JITED_FUNC_LENS,
            field::JITED_FUNC_LENS,
            self.u32(field::NR_JITED_FUNC_LENS)?,
            4,
        )?;
        let tags = self
            .u32(field::NR_PROG_TAGS)
            .and_then(|count| self.array(array::PROG_TAGS, field::PROG_TAGS, count, 8));
        // Without a list of tags, that of the program is its own.
        let own = self.info.get(field::TAG..)?.get(..8)?;
        let tags = tags.unwrap_or_else(|| Array::of(own, 8));
        let functions = starts
            .zip(sizes)
            .zip(tags)
            .map_while(|((start, size), tag)| {
                Some(BpfFunctionInfo {
                    start: AbsAddr(Bytes::new(start, self.big).u64()?),
                    size: Bytes::new(size, self.big).u32()?,
                    tag: tag.try_into().ok()?,
                })
            });
        Some(BpfProgramInfo {
            tag: own.try_into().ok()?,
            functions: functions.collect(),
            lines: self.lines().unwrap_or_default(),
            btf_id: self.u32(field::BTF_ID).unwrap_or_default(),
        })
    }

    /// The kernel has one address for each line.
    fn lines(self) -> Option<Vec<BpfLineInfo>> {
        let size = self.u32(field::LINE_INFO_REC_SIZE)?;
        let lines = self.array(
            array::LINE_INFO,
            field::LINE_INFO,
            self.u32(field::NR_LINE_INFO)?,
            size,
        )?;
        let addrs = self.array(
            array::JITED_LINE_INFO,
            field::JITED_LINE_INFO,
            self.u32(field::NR_JITED_LINE_INFO)?,
            self.u32(field::JITED_LINE_INFO_REC_SIZE)?,
        )?;
        if size < LINE_INFO_BYTES {
            return None;
        }
        let line = |(line, addr): (&[u8], &[u8])| {
            let mut line = Bytes::new(line, self.big);
            let (_instruction, file_name, _text) = (line.u32()?, line.u32()?, line.u32()?);
            let addr = AbsAddr(Bytes::new(addr, self.big).u64()?);
            Some(BpfLineInfo::packed(addr, file_name, line.u32()?))
        };
        Some(lines.zip(addrs).map_while(line).collect())
    }

    fn u32(self, offset: usize) -> Option<u32> {
        Bytes::new(self.info.get(offset..)?, self.big).u32()
    }

    /// Returns an array, if it is there and within the data: entries of `size` bytes.
    fn array(self, bit: u64, pointer: usize, count: u32, size: u32) -> Option<Array<'a>> {
        if self.arrays & bit == 0 || size == 0 {
            return None;
        }
        let offset = Bytes::new(self.info.get(pointer..)?, self.big).u64()?;
        let bytes = u64::from(count).checked_mul(u64::from(size))?;
        let mut at = Bytes::new(self.data, self.big);
        at.take_u64(offset)?;
        let bytes = at.take_u64(bytes)?;
        Some(Array::of(bytes, usize::try_from(size).ok()?))
    }
}

/// The entries of an array.
struct Array<'a>(std::slice::ChunksExact<'a, u8>);

impl<'a> Array<'a> {
    fn of(bytes: &'a [u8], size: usize) -> Self {
        Self(bytes.chunks_exact(size.max(1)))
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;
    use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

    use super::{btf, field, programs};

    /// A number of four or eight bytes.
    enum Number {
        Word(u32),
        Long(u64),
    }
    use Number::{Long, Word};

    fn bytes(big: bool, numbers: &[Number]) -> Vec<u8> {
        let one = |number: &Number| match (number, big) {
            (Word(word), true) => word.to_be_bytes().to_vec(),
            (Word(word), false) => word.to_le_bytes().to_vec(),
            (Long(long), true) => long.to_be_bytes().to_vec(),
            (Long(long), false) => long.to_le_bytes().to_vec(),
        };
        numbers.iter().flat_map(one).collect()
    }

    /// Two functions, and three lines; with this size of the structure.
    fn info(big: bool, size: usize) -> Vec<u8> {
        let mut info = vec![0; size];
        info[field::TAG..field::TAG + 8].copy_from_slice(&[1; 8]);
        let fields = [
            (field::NR_JITED_KSYMS, Word(2)),
            (field::NR_JITED_FUNC_LENS, Word(2)),
            (field::JITED_KSYMS, Long(0)),
            (field::JITED_FUNC_LENS, Long(16)),
            (field::BTF_ID, Word(7)),
            (field::NR_LINE_INFO, Word(3)),
            (field::LINE_INFO, Long(40)),
            (field::JITED_LINE_INFO, Long(88)),
            (field::NR_JITED_LINE_INFO, Word(3)),
            (field::LINE_INFO_REC_SIZE, Word(16)),
            (field::JITED_LINE_INFO_REC_SIZE, Word(8)),
            (field::NR_PROG_TAGS, Word(2)),
            (field::PROG_TAGS, Long(24)),
        ];
        for (at, number) in fields {
            let number = bytes(big, &[number]);
            info[at..at + number.len()].copy_from_slice(&number);
        }
        info
    }

    fn data(big: bool) -> Vec<u8> {
        let mut data = bytes(big, &[Long(0x1000), Long(0x1040), Word(0x40), Word(0x20)]);
        data.extend([[1; 8], [2; 8]].concat());
        for (at, line) in [(0, 10), (1, 11), (2, 20)] {
            let line = [Word(at), Word(5), Word(6), Word(line << 10 | 3)];
            data.extend(bytes(big, &line));
        }
        data.extend(bytes(big, &[Long(0x1000), Long(0x1010), Long(0x1040)]));
        data
    }

    const ARRAYS: u64 = 0b1_1101_1000;

    fn section(big: bool, arrays: u64, infos: &[Vec<u8>]) -> Vec<u8> {
        let count = u32::try_from(infos.len()).expect("few");
        let mut all = bytes(big, &[Word(count)]);
        for info in infos {
            let sizes = [info.len(), data(big).len()].map(|len| u32::try_from(len).expect("small"));
            all.extend(bytes(big, &[Word(sizes[0]), Word(sizes[1]), Long(arrays)]));
            all.extend(info);
            all.extend(data(big));
        }
        all
    }

    fn want() -> BpfProgramInfo {
        let function = |start, size, tag| BpfFunctionInfo {
            start: AbsAddr(start),
            size,
            tag: [tag; 8],
        };
        let line = |addr, line| BpfLineInfo {
            addr: AbsAddr(addr),
            file_name_offset: 5,
            line,
            column: 3,
        };
        BpfProgramInfo {
            tag: [1; 8],
            functions: vec![function(0x1000, 0x40, 1), function(0x1040, 0x20, 2)],
            lines: vec![line(0x1000, 10), line(0x1010, 11), line(0x1040, 20)],
            btf_id: 7,
        }
    }

    #[test]
    fn programs_are_read_whatever_the_size_of_their_structure() {
        for big in [false, true] {
            // Of Linux 5.0, and of a kernel to come.
            let infos = [info(big, 192), info(big, 512)];
            let section = section(big, ARRAYS, &infos);
            assert_eq!(programs(&section, big), [want(), want()], "{big}");
            // Cut off anywhere, what is whole counts.
            for len in 0..section.len() {
                let found = programs(&section[..len], big);
                let first = 4 + 16 + 192 + data(big).len();
                assert_eq!(found.len(), usize::from(len >= first), "{len}");
            }
        }
    }

    #[test]
    fn arrays_that_are_not_there_are_not_read() {
        let cases = [
            (ARRAYS & !(1 << 3), 0, 0),
            (ARRAYS & !(1 << 4), 0, 0),
            (ARRAYS & !(1 << 6), 2, 0),
            (ARRAYS & !(1 << 7), 2, 0),
            // Without tags there is that of the program.
            (ARRAYS & !(1 << 8), 1, 3),
        ];
        for (arrays, functions, lines) in cases {
            let found = programs(&section(false, arrays, &[info(false, 232)]), false);
            let counts = (found[0].functions.len(), found[0].lines.len());
            assert_eq!(counts, (functions, lines), "{arrays:b}");
        }
    }

    #[test]
    fn hostile_numbers_lead_nowhere() {
        for at in (field::TAG..192).step_by(4) {
            let mut hostile = info(false, 192);
            hostile[at..at + 4].fill(0xff);
            let found = programs(&section(false, ARRAYS, &[hostile]), false);
            let functions: usize = found.iter().map(|program| program.functions.len()).sum();
            assert!(functions <= 2, "{at}");
        }
        assert_eq!(programs(&[0xff; 64], false), []);
    }

    #[test]
    fn type_information_is_read_as_far_as_it_is_there() {
        for big in [false, true] {
            let mut section = bytes(big, &[Word(2), Word(7), Word(3)]);
            section.extend(b"abc");
            section.extend(bytes(big, &[Word(8), Word(1)]));
            section.extend(b"d");
            let blob = |id, bytes: &[u8]| BtfBlob {
                id,
                bytes: bytes.to_vec(),
            };
            assert_eq!(btf(&section, big), [blob(7, b"abc"), blob(8, b"d")]);
            assert_eq!(btf(&section[..section.len() - 1], big), [blob(7, b"abc")]);
            assert_eq!(btf(&[], big), []);
        }
    }
}
