//! A line program, run: opcodes in, rows out, a sequence at a time.
//!
//! gimli parses the header; its rows carry ten registers and a result each, of
//! which four registers are wanted here. What a row is, and which are tombstones,
//! is gimli's doing to the letter: the tests hold both side by side.
//!
//! Source: DWARF 5, 6.2.5.

use backsight_index::engine::SequenceRow;
use gimli::{LineProgramHeader, Reader};

use crate::dwarf::die::cursor::DwarfCursor;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::elf::ElfFile;

/// The largest line that counts in a sequence with rows of freed memory: the largest sources have
/// some hundred thousand lines.
const MAX_LINE_AMONG_DAMAGE: u32 = 1 << 24;

/// A program that has run up to the end of some sequence.
#[derive(Debug)]
pub(in crate::dwarf) struct LineProgram<'d> {
    cursor: DwarfCursor<'d>,
    opcode_lengths: &'d [u8],
    version: u16,
    address_size: u8,
    /// All ones, as many as an address has bits.
    address_mask: u64,
    min_length: u64,
    max_operations: u64,
    opcode_base: u8,
    line_base: i64,
    line_range: u8,
    /// 2^16 / `line_range`, rounded up: exact for quotients of 8 bits.
    inverse_range: u32,
    /// Whether the operands of an extended opcode did not fit the length it has, or an address
    /// went back between rows.
    has_misfits: bool,
    /// Whether an address went back between rows of the last sequence.
    went_back: bool,
    /// The address that the sequence was set to last.
    set_to: Option<u64>,
    /// The files that opcodes defined, behind those of the header.
    defined: Vec<DefinedFile<'d>>,
}

/// A file that the program itself defines, up to DWARF 4.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct DefinedFile<'d> {
    pub(in crate::dwarf) name: &'d [u8],
    /// 0 is the compilation directory.
    pub(in crate::dwarf) directory: u64,
}

/// No compiler defines files by opcodes; `perf inject --jit` does, one for each change of file.
const MAX_DEFINED_FILES: usize = 1 << 16;

/// A row of the line table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) struct ProgramRow {
    pub(in crate::dwarf) addr: u64,
    pub(in crate::dwarf) file: u64,
    pub(in crate::dwarf) line: u64,
    /// 0 is the left edge.
    pub(in crate::dwarf) column: u64,
}

/// Where a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum ProgramStop {
    /// At the end of a sequence; the address behind its last instruction.
    Sequence(u64),
    /// At the end of a sequence of code that the linker dropped: it does not say
    /// how far it reaches.
    Dropped,
    /// At the end of the program.
    Program,
}

/// The state machine's registers, as far as rows need them.
struct LineRegisters {
    row: ProgramRow,
    operation: u64,
    tombstone: bool,
    has_rows: bool,
}

impl<'d> LineProgram<'d> {
    pub(in crate::dwarf) fn new(header: &LineProgramHeader<Slice<'d>>) -> Self {
        let address_size = header.address_size();
        let unused = 64_u32.saturating_sub(u32::from(address_size).saturating_mul(8));
        let line_range = header.line_range();
        Self {
            cursor: DwarfCursor::new(header.raw_program_buf(), 0),
            opcode_lengths: header.standard_opcode_lengths().slice(),
            version: header.version(),
            address_size,
            address_mask: u64::MAX.wrapping_shr(unused),
            min_length: header.minimum_instruction_length().into(),
            max_operations: header.maximum_operations_per_instruction().into(),
            opcode_base: header.opcode_base(),
            line_base: header.line_base().into(),
            line_range,
            inverse_range: 0x1_0000_u32.div_ceil(u32::from(line_range.max(1))),
            has_misfits: false,
            went_back: false,
            set_to: None,
            defined: Vec::new(),
        }
    }

    /// Runs to the end of the next sequence, and calls `found` with each row but
    /// the one that ends it.
    pub(in crate::dwarf) fn sequence(
        &mut self,
        mut found: impl FnMut(ProgramRow),
    ) -> Result<ProgramStop, Fault> {
        let mut registers = LineRegisters {
            row: ProgramRow {
                addr: 0,
                file: 1,
                line: 1,
                column: 0,
            },
            operation: 0,
            tombstone: false,
            has_rows: false,
        };
        self.set_to = None;
        self.went_back = false;
        while !self.cursor.is_empty() {
            let opcode = self.cursor.byte()?;
            if let Some(adjusted) = opcode.checked_sub(self.opcode_base) {
                let (advance, line) = self.split(adjusted);
                registers.advance_line(self.line_base.wrapping_add(line.into()));
                self.advance(&mut registers, advance.into());
                if !registers.tombstone {
                    registers.has_rows = true;
                    found(registers.row);
                }
            } else if opcode == gimli::DW_LNS_copy.0 {
                if !registers.tombstone {
                    registers.has_rows = true;
                    found(registers.row);
                }
            } else if opcode != 0 {
                self.standard(opcode, &mut registers)?;
            } else if self.extended(&mut registers)? {
                return Ok(match registers.tombstone {
                    true => ProgramStop::Dropped,
                    false => ProgramStop::Sequence(registers.row.addr),
                });
            }
        }
        Ok(ProgramStop::Program)
    }

    /// Returns quotient and remainder of a special opcode by the line range.
    #[inline]
    fn split(&self, adjusted: u8) -> (u8, u8) {
        let quotient = u32::from(adjusted).wrapping_mul(self.inverse_range) >> 16;
        let quotient = u8::try_from(quotient).unwrap_or(0);
        let whole = quotient.wrapping_mul(self.line_range);
        (quotient, adjusted.wrapping_sub(whole))
    }

    #[inline]
    fn advance(&mut self, registers: &mut LineRegisters, operations: u64) {
        if registers.tombstone {
            return;
        }
        let instructions = if self.max_operations == 1 {
            operations
        } else {
            let all = registers.operation.wrapping_add(operations);
            registers.operation = all.checked_rem(self.max_operations).unwrap_or(0);
            all.checked_div(self.max_operations).unwrap_or(0)
        };
        self.add(registers, self.min_length.wrapping_mul(instructions));
    }

    #[inline]
    fn add(&mut self, registers: &mut LineRegisters, bytes: u64) {
        let addr = registers.row.addr.checked_add(bytes);
        let addr = addr.filter(|addr| addr & !self.address_mask == 0);
        registers.row.addr = match addr {
            Some(addr) => addr,
            None => self.back(registers, bytes),
        };
    }

    /// Returns the address that so many bytes lead to if they are a negative number.
    ///
    /// `perf inject --jit` writes the distance from a function's start to its first row so, if
    /// the row is of a header before the function. Between rows, addresses never go down, but it
    /// also writes what node has freed and calls lines: rows anywhere, among sound ones.
    #[cold]
    fn back(&mut self, registers: &LineRegisters, bytes: u64) -> u64 {
        let addr = registers.row.addr.wrapping_add(bytes) & self.address_mask;
        if registers.has_rows || addr >= registers.row.addr {
            self.went_back = true;
            self.has_misfits = true;
        }
        addr
    }

    #[inline]
    fn standard(&mut self, opcode: u8, registers: &mut LineRegisters) -> Result<(), Fault> {
        match gimli::DwLns(opcode) {
            gimli::DW_LNS_advance_pc => {
                let operations = self.cursor.uleb()?;
                self.advance(registers, operations);
            }
            gimli::DW_LNS_advance_line => registers.advance_line(self.cursor.sleb()?),
            gimli::DW_LNS_set_file => registers.row.file = self.cursor.uleb()?,
            gimli::DW_LNS_set_column => registers.row.column = self.cursor.uleb()?,
            gimli::DW_LNS_const_add_pc => {
                let (operations, _) = self.split(u8::MAX.wrapping_sub(self.opcode_base));
                self.advance(registers, operations.into());
            }
            gimli::DW_LNS_fixed_advance_pc => {
                let bytes = self.cursor.number(2)?;
                if !registers.tombstone {
                    self.add(registers, bytes);
                    registers.operation = 0;
                }
            }
            gimli::DW_LNS_negate_stmt
            | gimli::DW_LNS_set_basic_block
            | gimli::DW_LNS_set_prologue_end
            | gimli::DW_LNS_set_epilogue_begin => {}
            gimli::DW_LNS_set_isa => {
                self.cursor.uleb()?;
            }
            _ => {
                let at = usize::from(opcode).checked_sub(1);
                let count = at.and_then(|at| self.opcode_lengths.get(at));
                for _ in 0..*count.ok_or(Fault::Malformed)? {
                    self.cursor.uleb()?;
                }
            }
        }
        Ok(())
    }

    /// Returns whether the sequence ends.
    #[inline]
    fn extended(&mut self, registers: &mut LineRegisters) -> Result<bool, Fault> {
        let length = self.cursor.uleb()?;
        let mut operands = self.cursor.split(length)?;
        match gimli::DwLne(operands.byte()?) {
            gimli::DW_LNE_end_sequence => {
                self.has_misfits |= !operands.is_empty();
                return Ok(true);
            }
            gimli::DW_LNE_set_address => {
                let addr = operands.number(self.address_size)?;
                // Linkers leave −1, −2, 0 or a small number where they dropped
                // the code; within a sequence addresses never go down.
                let dropped = self.address_mask.saturating_sub(1);
                registers.tombstone = addr < registers.row.addr || addr >= dropped;
                if !registers.tombstone {
                    registers.row.addr = addr;
                    registers.operation = 0;
                    self.set_to = Some(addr);
                }
            }
            gimli::DW_LNE_define_file if self.version <= 4 => {
                let file = DefinedFile {
                    name: operands.text()?,
                    directory: operands.uleb()?,
                };
                // Time and size.
                operands.uleb()?;
                operands.uleb()?;
                match self.defined.len() < MAX_DEFINED_FILES {
                    true => self.defined.push(file),
                    false => self.has_misfits = true,
                }
            }
            gimli::DW_LNE_set_discriminator => {
                operands.uleb()?;
            }
            // What is unknown is passed over.
            _ => return Ok(false),
        }
        self.has_misfits |= !operands.is_empty();
        Ok(false)
    }

    /// Takes the files that were defined so far.
    pub(in crate::dwarf) fn take_defined(&mut self) -> Vec<DefinedFile<'d>> {
        std::mem::take(&mut self.defined)
    }

    /// Returns the address that the last sequence was set to: where its code begins, also if a
    /// row stands before it.
    pub(in crate::dwarf) fn set_to(&self) -> Option<u64> {
        self.set_to
    }

    /// Returns where the last sequence ends, whose last row is at `last`. If some rows led anywhere,
    /// so may `end`: it counts if it is in the same code; else that code's end does, if the
    /// sequence was set to its start.
    pub(in crate::dwarf) fn sound_end(&self, last: u64, end: u64, elf: &ElfFile) -> u64 {
        if !self.went_back {
            return end;
        }
        let mut ranges = elf.code_ranges();
        match ranges.find(|(begin, end)| *begin <= last && last < *end) {
            Some((_, code_end)) if last < end && end <= code_end => end,
            Some((code, code_end)) if self.set_to == Some(code) => code_end,
            _ => last,
        }
    }

    /// Takes the lines from rows of the last sequence that are of freed memory: no source has so
    /// many. They may stand at sound addresses, which then have no line rather than a wrong one.
    pub(in crate::dwarf) fn clear_unsound(&self, rows: &mut [SequenceRow]) {
        let is_unsound = |row: &&mut SequenceRow| row.line > MAX_LINE_AMONG_DAMAGE;
        for row in rows
            .iter_mut()
            .filter(|row| self.went_back && is_unsound(row))
        {
            row.line = 0;
        }
    }

    /// Returns whether the operands of an extended opcode did not fit the length that it
    /// has, or an address went back, so far. Rows count all the same.
    pub(in crate::dwarf) fn has_misfits(&self) -> bool {
        self.has_misfits
    }
}

impl LineRegisters {
    #[inline]
    fn advance_line(&mut self, by: i64) {
        let line = &mut self.row.line;
        *line = if by < 0 {
            line.saturating_sub(by.unsigned_abs())
        } else {
            line.wrapping_add(by.unsigned_abs())
        };
    }
}

/// gimli sets room aside for as many files as the header says there are, up to
/// one per byte of it: its size is checked first.
pub(in crate::dwarf) fn check_header(
    section: Slice<'_>,
    offset: usize,
    limit: u64,
) -> Result<(), Fault> {
    let mut rest = section;
    rest.skip(offset)?;
    let (_, format) = rest.read_initial_length()?;
    if rest.read_u16()? >= 5 {
        // The sizes of an address and of a segment selector.
        rest.skip(2)?;
    }
    let length = rest.read_length(format)?;
    if length > rest.len() {
        return Err(Fault::Malformed);
    }
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if length > limit {
        Err(Fault::Limit)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
