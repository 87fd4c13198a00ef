//! The numbers that a linker would have written into the debug sections of an object.
//!
//! In a relocatable object (`ET_REL`) an address in DWARF is a hole, and a relocation
//! says what belongs there: as a rule `S + A`, the address of a symbol plus a number.
//! [`layout`](super::layout) gives addresses to the sections. Which relocations mean
//! this on which machine, `object` knows.
//!
//! RISC-V and LoongArch linkers move code around, so their assemblers leave the
//! *distances* in DWARF to relocations too, as pairs: add one symbol, subtract
//! another, also in LEB128 numbers, whose length stays. These are here. Sources: the
//! RISC-V and LoongArch psABI documents, "Relocations".

use object::elf::{self, FileHeader32, FileHeader64, RelocationType};
use object::read::elf::{ElfFile as Reader, FileHeader};
use object::read::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget};
use object::{Endianness, Relocation, RelocationKind};

use super::headers::ElfHeaders;

/// Fills the holes of section number `index` of the file, whose bytes these are.
///
/// What does not fit is left as it stands: relocations outside of the bytes, to
/// symbols that are not in this file, and of kinds that DWARF has no use for.
pub(super) fn relocate(file: &ElfHeaders, index: usize, bytes: &mut [u8]) {
    if file.is_64() {
        apply::<FileHeader64<Endianness>>(file, index, bytes);
    } else {
        apply::<FileHeader32<Endianness>>(file, index, bytes);
    }
}

fn apply<Elf: FileHeader<Endian = Endianness>>(file: &ElfHeaders, index: usize, bytes: &mut [u8]) {
    let Ok(reader) = Reader::<Elf>::parse(file.image()) else {
        return;
    };
    let Ok(section) = reader.section_by_index(object::SectionIndex(index)) else {
        return;
    };
    for (offset, relocation) in section.relocations() {
        let Some(value) = target(file, &reader, &relocation) else {
            continue;
        };
        let Some(write) = FieldWrite::of(file.machine(), &relocation) else {
            continue;
        };
        let hole = usize::try_from(offset).ok();
        let hole = hole.and_then(|offset| bytes.get_mut(offset..));
        // A hole that is cut off at the end of the section stays.
        let _ = hole.and_then(|hole| {
            let implicit = relocation.has_implicit_addend();
            write.run(hole, value, offset, implicit, file.endian())
        });
    }
}

/// Returns `S + A`, with the `A` that the relocation itself has.
fn target<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfHeaders,
    reader: &Reader<'_, Elf>,
    relocation: &Relocation,
) -> Option<u64> {
    let addend = relocation.addend().cast_unsigned();
    let RelocationTarget::Symbol(symbol) = relocation.target() else {
        return Some(addend);
    };
    let symbol = reader.symbol_by_index(symbol).ok()?;
    let base = match symbol.section_index() {
        Some(section) => file.sections().get(section.0)?.addr,
        None if symbol.is_undefined() => return None,
        None => 0,
    };
    Some(base.wrapping_add(symbol.address()).wrapping_add(addend))
}

/// What is written into a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldWrite {
    /// The value, in so many bytes.
    Set(usize),
    /// Its distance from the hole.
    Relative(usize),
    Add(usize),
    Sub(usize),
    /// The six lowest bits of a byte: `DW_CFA_advance_loc`.
    Set6,
    Add6,
    Sub6,
    SetUleb,
    AddUleb,
    SubUleb,
}

impl FieldWrite {
    fn of(machine: u16, relocation: &Relocation) -> Option<Self> {
        let size = usize::from(relocation.size()).checked_div(8)?;
        match relocation.kind() {
            RelocationKind::Absolute if size > 0 => return Some(Self::Set(size)),
            RelocationKind::Relative if size > 0 => return Some(Self::Relative(size)),
            _ => {}
        }
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            return None;
        };
        if machine == elf::EM_RISCV.0 {
            Self::of_riscv(r_type)
        } else if machine == elf::EM_LOONGARCH.0 {
            Self::of_loongarch(r_type)
        } else {
            None
        }
    }

    fn of_riscv(kind: RelocationType) -> Option<Self> {
        Some(match kind {
            elf::R_RISCV_ADD8 => Self::Add(1),
            elf::R_RISCV_ADD16 => Self::Add(2),
            elf::R_RISCV_ADD32 => Self::Add(4),
            elf::R_RISCV_ADD64 => Self::Add(8),
            elf::R_RISCV_SUB8 => Self::Sub(1),
            elf::R_RISCV_SUB16 => Self::Sub(2),
            elf::R_RISCV_SUB32 => Self::Sub(4),
            elf::R_RISCV_SUB64 => Self::Sub(8),
            elf::R_RISCV_SET6 => Self::Set6,
            elf::R_RISCV_SUB6 => Self::Sub6,
            elf::R_RISCV_SET8 => Self::Set(1),
            elf::R_RISCV_SET16 => Self::Set(2),
            elf::R_RISCV_SET32 => Self::Set(4),
            elf::R_RISCV_SET_ULEB128 => Self::SetUleb,
            elf::R_RISCV_SUB_ULEB128 => Self::SubUleb,
            _ => return None,
        })
    }

    fn of_loongarch(kind: RelocationType) -> Option<Self> {
        Some(match kind {
            elf::R_LARCH_ADD6 => Self::Add6,
            elf::R_LARCH_ADD8 => Self::Add(1),
            elf::R_LARCH_ADD16 => Self::Add(2),
            elf::R_LARCH_ADD24 => Self::Add(3),
            elf::R_LARCH_ADD32 => Self::Add(4),
            elf::R_LARCH_ADD64 => Self::Add(8),
            elf::R_LARCH_SUB6 => Self::Sub6,
            elf::R_LARCH_SUB8 => Self::Sub(1),
            elf::R_LARCH_SUB16 => Self::Sub(2),
            elf::R_LARCH_SUB24 => Self::Sub(3),
            elf::R_LARCH_SUB32 => Self::Sub(4),
            elf::R_LARCH_SUB64 => Self::Sub(8),
            elf::R_LARCH_ADD_ULEB128 => Self::AddUleb,
            elf::R_LARCH_SUB_ULEB128 => Self::SubUleb,
            _ => return None,
        })
    }

    /// Writes to the begin of `hole`. Where the addend is `implicit`, it stands
    /// there. `None` when the hole is too short.
    fn run(
        self,
        hole: &mut [u8],
        value: u64,
        offset: u64,
        implicit: bool,
        endian: Endianness,
    ) -> Option<()> {
        const SIX: u64 = 0x3f;
        let six = |old: u64, new: u64| (old & !SIX) | (new & SIX);
        match self {
            Self::Set(size) | Self::Relative(size) => {
                let hole = hole.get_mut(..size)?;
                let addend = if implicit { load(hole, endian) } else { 0 };
                let place = if self == Self::Set(size) { 0 } else { offset };
                let value = value.wrapping_add(addend).wrapping_sub(place);
                store(hole, value, endian);
            }
            Self::Add(size) => {
                let hole = hole.get_mut(..size)?;
                store(hole, load(hole, endian).wrapping_add(value), endian);
            }
            Self::Sub(size) => {
                let hole = hole.get_mut(..size)?;
                store(hole, load(hole, endian).wrapping_sub(value), endian);
            }
            Self::Set6 | Self::Add6 | Self::Sub6 => {
                let hole = hole.get_mut(..1)?;
                let old = load(hole, endian);
                let new = match self {
                    Self::Set6 => value,
                    Self::Add6 => old.wrapping_add(value),
                    _ => old.wrapping_sub(value),
                };
                store(hole, six(old, new), endian);
            }
            Self::SetUleb => store_uleb(uleb(hole)?, value),
            Self::AddUleb => {
                let hole = uleb(hole)?;
                store_uleb(hole, load_uleb(hole).wrapping_add(value));
            }
            Self::SubUleb => {
                let hole = uleb(hole)?;
                store_uleb(hole, load_uleb(hole).wrapping_sub(value));
            }
        }
        Some(())
    }
}

/// Reads up to eight bytes.
fn load(bytes: &[u8], endian: Endianness) -> u64 {
    let append = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    match endian {
        Endianness::Little => bytes.iter().rev().fold(0, append),
        Endianness::Big => bytes.iter().fold(0, append),
    }
}

/// Writes the lowest bytes of `value`, as many as there is room for.
fn store(hole: &mut [u8], value: u64, endian: Endianness) {
    match endian {
        Endianness::Little => {
            let bytes = value.to_le_bytes();
            hole.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        }
        Endianness::Big => {
            let bytes = value.to_be_bytes();
            let (hole, bytes) = (hole.iter_mut().rev(), bytes.iter().rev());
            hole.zip(bytes).for_each(|(to, byte)| *to = *byte);
        }
    }
}

/// Returns the bytes of the LEB128 number that stands first, if it ends.
fn uleb(bytes: &mut [u8]) -> Option<&mut [u8]> {
    let last = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    bytes.get_mut(..=last)
}

fn load_uleb(bytes: &[u8]) -> u64 {
    let append = |value: u64, byte: &u8| value.wrapping_shl(7) | u64::from(byte & 0x7f);
    bytes.iter().rev().fold(0, append)
}

/// Keeps the length: the sections around it have no room to move.
fn store_uleb(hole: &mut [u8], value: u64) {
    let mut rest = value;
    for byte in hole {
        let [low, ..] = rest.to_le_bytes();
        *byte = (*byte & 0x80) | (low & 0x7f);
        rest >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use object::Endianness::{Big, Little};

    use super::FieldWrite;

    #[test]
    fn each_write_changes_its_bytes_alone() {
        let cases = [
            (
                "set",
                FieldWrite::Set(4),
                Little,
                vec![1, 0, 0, 0, 9],
                0x102,
                vec![2, 1, 0, 0, 9],
            ),
            (
                "big",
                FieldWrite::Set(4),
                Big,
                vec![1, 0, 0, 0, 9],
                0x102,
                vec![0, 0, 1, 2, 9],
            ),
            (
                "relative",
                FieldWrite::Relative(2),
                Little,
                vec![0; 3],
                0x120,
                vec![0x10, 1, 0],
            ),
            (
                "add",
                FieldWrite::Add(2),
                Little,
                vec![0xff, 0, 7],
                3,
                vec![2, 1, 7],
            ),
            (
                "sub",
                FieldWrite::Sub(2),
                Little,
                vec![2, 1, 7],
                3,
                vec![0xff, 0, 7],
            ),
            (
                "24 bits",
                FieldWrite::Sub(3),
                Little,
                vec![0, 0, 0, 7],
                1,
                vec![255, 255, 255, 7],
            ),
            (
                "set 6",
                FieldWrite::Set6,
                Little,
                vec![0x40, 7],
                0x7f,
                vec![0x7f, 7],
            ),
            (
                "sub 6",
                FieldWrite::Sub6,
                Little,
                vec![0x45, 7],
                1,
                vec![0x44, 7],
            ),
            (
                "uleb",
                FieldWrite::SetUleb,
                Little,
                vec![0x80, 0x80, 0, 7],
                0x81,
                vec![0x81, 0x81, 0, 7],
            ),
            (
                "add uleb",
                FieldWrite::AddUleb,
                Little,
                vec![0xff, 0, 7],
                1,
                vec![0x80, 1, 7],
            ),
            (
                "sub uleb",
                FieldWrite::SubUleb,
                Little,
                vec![0x80, 1, 7],
                1,
                vec![0xff, 0, 7],
            ),
            (
                "endless uleb",
                FieldWrite::SetUleb,
                Little,
                vec![0x80; 4],
                1,
                vec![0x80; 4],
            ),
            (
                "too short",
                FieldWrite::Set(8),
                Little,
                vec![0; 7],
                1,
                vec![0; 7],
            ),
        ];
        for (name, write, endian, mut bytes, value, want) in cases {
            let done = write.run(&mut bytes, value, 0x10, false, endian);
            assert_eq!(bytes, want, "{name}");
            assert_eq!(
                done.is_some(),
                bytes[0] != 0x80 && bytes.len() != 7 || name == "add uleb"
            );
        }
        let mut bytes = [5, 0];
        FieldWrite::Set(2)
            .run(&mut bytes, 3, 0, true, Little)
            .unwrap();
        assert_eq!(bytes, [8, 0], "the addend stands in the hole");
    }
}
