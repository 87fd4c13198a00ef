//! Our rows against gimli's, of programs that chance made.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "these numbers are the test's own"
)]

use gimli::{ColumnType, DebugLine, DebugLineOffset, EndianSlice, Format, RunTimeEndian};
use proptest::prelude::*;

use super::{LineProgram, ProgramRow, ProgramStop};

/// Rows, and how the run ended.
type Ran = (Vec<ProgramRow>, End);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Malformed,
    /// An address that does not fit, or that goes back: gimli does not tell.
    Overflow,
}

/// Stands for the row that ends a sequence at this address.
fn end_at(addr: u64) -> ProgramRow {
    ProgramRow {
        addr,
        file: u64::MAX,
        line: u64::MAX,
        column: u64::MAX,
    }
}

fn by_gimli(section: &[u8], endian: RunTimeEndian) -> Option<Ran> {
    let lines = DebugLine::new(section, endian);
    let program = lines.program(DebugLineOffset(0), 8, None, None).ok()?;
    let mut ran = Vec::new();
    let mut rows = program.rows();
    loop {
        let row = match rows.next_row() {
            Ok(Some((_, row))) => row,
            Ok(None) => return Some((ran, End::Whole)),
            Err(gimli::Error::AddressOverflow) => return Some((ran, End::Overflow)),
            Err(_) => return Some((ran, End::Malformed)),
        };
        ran.push(match row.end_sequence() {
            true => end_at(row.address()),
            false => ProgramRow {
                addr: row.address(),
                file: row.file_index(),
                line: row.line().map_or(0, std::num::NonZero::get),
                column: match row.column() {
                    ColumnType::LeftEdge => 0,
                    ColumnType::Column(column) => column.get(),
                },
            },
        });
    }
}

fn by_us(section: &[u8], endian: RunTimeEndian) -> Option<Ran> {
    let lines = DebugLine::new(section, endian);
    let program = lines.program(DebugLineOffset(0), 8, None, None).ok()?;
    let mut program: LineProgram<'_> = LineProgram::new(program.header());
    let mut ran = Vec::new();
    loop {
        match program.sequence(|row| ran.push(row)) {
            Ok(ProgramStop::Sequence(end)) => ran.push(end_at(end)),
            Ok(ProgramStop::Dropped) => {}
            Ok(ProgramStop::Program) => return Some((ran, End::Whole)),
            Err(_) => return Some((ran, End::Malformed)),
        }
    }
}

/// Numbers of a header, in their order.
#[derive(Clone, Debug)]
struct Header {
    version: u16,
    format: Format,
    endian: RunTimeEndian,
    address_size: u8,
    min_length: u8,
    max_operations: u8,
    line_base: i8,
    line_range: u8,
    opcode_base: u8,
}

impl Header {
    fn number(&self, value: usize, size: usize) -> Vec<u8> {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if self.endian == RunTimeEndian::Big {
            bytes.reverse();
        }
        bytes
    }

    fn section(&self, program: &[u8]) -> Vec<u8> {
        let offset_size = usize::from(self.format.word_size());
        let mut rest = vec![self.min_length];
        if self.version >= 4 {
            rest.push(self.max_operations);
        }
        rest.extend([
            1,
            self.line_base.to_ne_bytes()[0],
            self.line_range,
            self.opcode_base,
        ]);
        let lengths = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1].into_iter();
        let lengths = lengths.chain([0, 1, 2, 3].into_iter().cycle());
        rest.extend(lengths.take(usize::from(self.opcode_base).saturating_sub(1)));
        if self.version >= 5 {
            // One directory and one file, each a text.
            rest.extend([1, 1, 8, 1, b'd', 0, 1, 1, 8, 1, b'f', 0]);
        } else {
            rest.extend([b'd', 0, 0, b'f', 0, 1, 0, 0, 0]);
        }
        let mut body = self.number(self.version.into(), 2);
        if self.version >= 5 {
            body.extend([self.address_size, 0]);
        }
        body.extend(self.number(rest.len(), offset_size));
        body.extend(rest);
        body.extend(program);
        let mut section = Vec::new();
        if self.format == Format::Dwarf64 {
            section.extend([0xff; 4]);
        }
        section.extend(self.number(body.len(), offset_size));
        section.extend(body);
        section
    }
}

fn header() -> impl Strategy<Value = Header> {
    let kind = (2..=5_u16, any::<bool>(), any::<bool>(), any::<bool>());
    let numbers = (
        prop_oneof![3 => Just(1), 1 => any::<u8>()],
        prop_oneof![3 => Just(1), 1 => any::<u8>()],
        prop_oneof![3 => Just(-5), 1 => any::<i8>()],
        prop_oneof![3 => Just(14), 1 => any::<u8>()],
        prop_oneof![3 => Just(13), 1 => any::<u8>()],
    );
    (kind, numbers).prop_map(|((version, wide, big, small), numbers)| Header {
        version,
        format: if wide {
            Format::Dwarf64
        } else {
            Format::Dwarf32
        },
        endian: if big {
            RunTimeEndian::Big
        } else {
            RunTimeEndian::Little
        },
        address_size: if small { 4 } else { 8 },
        min_length: numbers.0,
        max_operations: numbers.1,
        line_base: numbers.2,
        line_range: numbers.3,
        opcode_base: numbers.4,
    })
}

/// An instruction, of 8-byte addresses in little-endian order.
fn instruction() -> impl Strategy<Value = Vec<u8>> {
    let addr = prop_oneof![
        4 => 0..0x1_0000_u64,
        1 => Just(u64::MAX),
        1 => Just(u64::MAX - 1),
        1 => any::<u64>(),
    ];
    prop_oneof![
        12 => any::<u8>().prop_map(|opcode| vec![opcode]),
        2 => Just(vec![0, 1, 1]),
        2 => addr.prop_map(|addr| [vec![0, 9, 2], addr.to_le_bytes().to_vec()].concat()),
        1 => (0..8_u8, 0..9_u8, prop::collection::vec(any::<u8>(), 8))
            .prop_map(|(opcode, length, rest)| [vec![0, length, opcode], rest].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn rows_are_those_that_gimli_has(
        header in header(),
        program in prop::collection::vec(instruction(), 0..60),
    ) {
        let section = header.section(&program.concat());
        let (ours, theirs) = (by_us(&section, header.endian), by_gimli(&section, header.endian));
        let (Some((rows, _)), Some((same, End::Overflow))) = (&ours, &theirs) else {
            prop_assert_eq!(ours, theirs);
            return Ok(());
        };
        prop_assert!(rows.starts_with(same), "{:?} {:?}", rows, same);
    }

    #[test]
    fn special_opcodes_divide_exactly(adjusted in any::<u8>(), range in 1..=u8::MAX) {
        let header = Header {
            version: 4,
            format: Format::Dwarf32,
            endian: RunTimeEndian::Little,
            address_size: 8,
            min_length: 1,
            max_operations: 1,
            line_base: 0,
            line_range: range,
            opcode_base: 13,
        };
        let section = header.section(&[]);
        let lines = DebugLine::from(EndianSlice::new(&section, header.endian));
        let program = lines.program(DebugLineOffset(0), 8, None, None);
        let program = LineProgram::new(program.expect("a header").header());
        prop_assert_eq!(program.split(adjusted), (adjusted / range, adjusted % range));
    }
}
