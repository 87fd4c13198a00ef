//! Reads what a recording tells of BPF programs: the features `BPF_PROG_INFO` and `BPF_BTF`.
//!
//! A program is `struct bpf_prog_info` of the kernel that was recorded, and its arrays behind it.
//! The structure has, where it had their addresses, their offsets behind it.
//!
//! Source: `struct bpf_prog_info` in `include/uapi/linux/bpf.h`; `struct perf_bpil` in
//! `tools/perf/util/bpf-utils.h`; `write_bpf_prog_info` and `write_bpf_btf` in
//! `tools/perf/util/header.c`.

use std::slice::ChunksExact;

use backsight_types::AbsAddr;
use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

use crate::bytes::Bytes;
use crate::flaws::Flaws;

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

/// Reads the programs, as far as they are not damaged. What is damaged is counted.
pub(super) fn programs(bytes: &[u8], big: bool, flaws: &mut Flaws) -> Vec<BpfProgramInfo> {
    let mut at = Bytes::new(bytes, big);
    let mut is_whole = true;
    let all = list(&mut at, |at| program(at, big), &mut is_whole);
    if !is_whole {
        flaws.count("lists of BPF programs that are cut off");
    }
    let of_each = all.into_iter().map(|(program, is_whole)| {
        if !is_whole {
            flaws.count("BPF programs whose functions or lines are damaged");
        }
        program
    });
    of_each.collect()
}

/// Reads the type information of programs, as far as it is not damaged. What is damaged is
/// counted.
pub(super) fn btf(bytes: &[u8], big: bool, flaws: &mut Flaws) -> Vec<BtfBlob> {
    let mut at = Bytes::new(bytes, big);
    let one = |at: &mut Bytes<'_>| {
        let (id, size) = (at.u32()?, at.u32()?);
        let bytes = at.take_u64(u64::from(size))?.to_vec();
        Some(BtfBlob { id, bytes })
    };
    let mut is_whole = true;
    let all = list(&mut at, one, &mut is_whole);
    if !is_whole {
        flaws.count("lists of BPF type information that are cut off");
    }
    all
}

/// Reads a number and so many entries, as far as they are there.
fn list<'a, T>(
    at: &mut Bytes<'a>,
    one: impl Fn(&mut Bytes<'a>) -> Option<T>,
    is_whole: &mut bool,
) -> Vec<T> {
    let count = at.u32();
    *is_whole = count.is_some();
    let entries = (0..count.unwrap_or_default()).map_while(|_| {
        let entry = one(at);
        *is_whole &= entry.is_some();
        entry
    });
    entries.collect()
}

/// Takes a program, and whether it is not damaged; `None` if it is cut off. One whose arrays are
/// elsewhere has no functions.
fn program(at: &mut Bytes<'_>, big: bool) -> Option<(BpfProgramInfo, bool)> {
    let (info_len, data_len) = (at.u32()?, at.u32()?);
    let arrays = at.u64()?;
    let program = Program {
        arrays,
        info: at.take_u64(u64::from(info_len))?,
        data: at.take_u64(u64::from(data_len))?,
        big,
    };
    Some(match program.read() {
        Ok((program, is_whole)) => (program, is_whole),
        Err(Damaged) => (BpfProgramInfo::default(), false),
    })
}

/// A number leads out of the program's bytes, or contradicts another one.
struct Damaged;

/// The structure, and its arrays.
#[derive(Clone, Copy)]
struct Program<'a> {
    arrays: u64,
    info: &'a [u8],
    data: &'a [u8],
    big: bool,
}

impl<'a> Program<'a> {
    /// Returns the program, and whether its lines are not damaged.
    fn read(self) -> Result<(BpfProgramInfo, bool), Damaged> {
        let own = self.info.get(field::TAG..).and_then(|rest| rest.get(..8));
        let own = own.ok_or(Damaged)?;
        let starts = self.array(
            array::JITED_KSYMS,
            field::JITED_KSYMS,
            self.u32(field::NR_JITED_KSYMS),
            Some(8),
        )?;
        let sizes = self.array(
            array::JITED_FUNC_LENS,
            field::JITED_FUNC_LENS,
            self.u32(field::NR_JITED_FUNC_LENS),
            Some(4),
        )?;
        let (Some(starts), Some(sizes)) = (starts, sizes) else {
            // Interpreted, or its addresses were hidden.
            return Ok((BpfProgramInfo::default(), true));
        };
        let tags = self.array(
            array::PROG_TAGS,
            field::PROG_TAGS,
            self.u32(field::NR_PROG_TAGS),
            Some(8),
        )?;
        let (lines, is_whole) = match self.lines() {
            Ok(lines) => (lines, true),
            Err(Damaged) => (Vec::new(), false),
        };
        let of_all = tags.as_ref().is_none_or(|tags| tags.len() >= starts.len());
        let is_whole = is_whole && of_all && starts.len() == sizes.len();
        // Without a list of tags, that of the program is its own.
        let tags = tags.unwrap_or_else(|| own.chunks_exact(8));
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
        let program = BpfProgramInfo {
            tag: own.try_into().map_err(|_| Damaged)?,
            functions: functions.collect(),
            lines,
            btf_id: self.u32(field::BTF_ID).unwrap_or_default(),
        };
        Ok((program, is_whole))
    }

    /// The kernel has one address for each line.
    fn lines(self) -> Result<Vec<BpfLineInfo>, Damaged> {
        let size = self.u32(field::LINE_INFO_REC_SIZE);
        let lines = self.array(
            array::LINE_INFO,
            field::LINE_INFO,
            self.u32(field::NR_LINE_INFO),
            size,
        )?;
        let addrs = self.array(
            array::JITED_LINE_INFO,
            field::JITED_LINE_INFO,
            self.u32(field::NR_JITED_LINE_INFO),
            self.u32(field::JITED_LINE_INFO_REC_SIZE),
        )?;
        let (Some(lines), Some(addrs)) = (lines, addrs) else {
            return Ok(Vec::new());
        };
        if size.is_none_or(|size| size < LINE_INFO_BYTES) || lines.len() != addrs.len() {
            return Err(Damaged);
        }
        let line = |(line, addr): (&[u8], &[u8])| {
            let mut line = Bytes::new(line, self.big);
            let (_instruction, file_name, _text) = (line.u32()?, line.u32()?, line.u32()?);
            let addr = AbsAddr(Bytes::new(addr, self.big).u64()?);
            Some(BpfLineInfo::packed(addr, file_name, line.u32()?))
        };
        let all: Option<Vec<_>> = lines.zip(addrs).map(line).collect();
        all.ok_or(Damaged)
    }

    /// Returns a field; `None` if the kernel that was recorded did not have it yet.
    fn u32(self, offset: usize) -> Option<u32> {
        Bytes::new(self.info.get(offset..)?, self.big).u32()
    }

    /// Returns an array, if it is there: entries of `size` bytes.
    fn array(
        self,
        bit: u64,
        pointer: usize,
        count: Option<u32>,
        size: Option<u32>,
    ) -> Result<Option<ChunksExact<'a, u8>>, Damaged> {
        let (Some(count), Some(size)) = (count, size) else {
            return Ok(None);
        };
        if self.arrays & bit == 0 || count == 0 {
            return Ok(None);
        }
        let array = || {
            let offset = Bytes::new(self.info.get(pointer..)?, self.big).u64()?;
            let bytes = u64::from(count).checked_mul(u64::from(size))?;
            let mut at = Bytes::new(self.data, self.big);
            at.take_u64(offset)?;
            let bytes = at.take_u64(bytes)?;
            let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
            Some(bytes.chunks_exact(size))
        };
        array().map(Some).ok_or(Damaged)
    }
}

#[cfg(test)]
mod tests;
