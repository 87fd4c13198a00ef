//! What the dynamic segment says where section headers are gone.
//!
//! The loader needs no section headers, and `sstrip`, `llvm-objcopy
//! --strip-sections` and packers of firmware leave them out. What it does need, `PT_DYNAMIC`
//! leads to, by virtual addresses: the dynamic symbols, their names, and relocations.
//! The symbols have no count there, so that the hash tables must give it. Source: the
//! System V ABI, chapter 5, "Dynamic Section".

use backsight_types::{FileOffset, Segments, VirtOffset};
use object::Endianness;
use object::elf::{self, DynamicTag};
use object::read::elf::{Dyn, FileHeader, GnuHashTable, HashTable, ProgramHeader};

use super::section::{ElfSection, slice};

/// Where the made sections stand among themselves: `.dynsym` and `.dynstr`, then the
/// relocations.
const STRINGS: u32 = 1;

/// Returns the sections that the dynamic segment implies. Those outside of all segments, as
/// in a truncated file, are left out.
pub(super) fn sections<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    data: &[u8],
    segments: &Segments,
) -> Vec<ElfSection> {
    Dynamic::read(header, endian, data, segments)
        .and_then(|dynamic| dynamic.sections::<Elf>())
        .unwrap_or_default()
}

struct Dynamic<'d> {
    endian: Endianness,
    machine: elf::Machine,
    data: &'d [u8],
    segments: &'d Segments,
    entries: Vec<(DynamicTag, u64)>,
}

impl<'d> Dynamic<'d> {
    fn read<Elf: FileHeader<Endian = Endianness>>(
        header: &Elf,
        endian: Endianness,
        data: &'d [u8],
        segments: &'d Segments,
    ) -> Option<Self> {
        let programs = header.program_headers(endian, data).ok()?.iter();
        let mut tables = programs.filter_map(|program| program.dynamic(endian, data).ok()?);
        let entries = tables.next()?.iter();
        let entries = entries.map(|entry| (entry.tag(endian), entry.val(endian)));
        let entries = entries.take_while(|(tag, _)| *tag != elf::DT_NULL);
        Some(Self {
            endian,
            machine: header.e_machine(endian),
            data,
            segments,
            entries: entries.collect(),
        })
    }

    fn get(&self, wanted: DynamicTag) -> Option<u64> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(tag, _)| *tag == wanted);
        found.map(|(_, value)| *value)
    }

    fn sections<Elf: FileHeader<Endian = Endianness>>(&self) -> Option<Vec<ElfSection>> {
        let symbols = self.get(elf::DT_SYMTAB)?;
        let size = self
            .count::<Elf>(symbols)?
            .checked_mul(u64::try_from(size_of::<Elf::Sym>()).ok()?)?;
        let strings = self.get(elf::DT_STRTAB)?;
        let mut sections = vec![
            self.section(elf::SHT_DYNSYM, 0, symbols, size)?,
            self.section(elf::SHT_STRTAB, 1, strings, self.get(elf::DT_STRSZ)?)?,
        ];
        // DT_PLTREL says which of the two kinds the first is.
        let is_rela = self.get(elf::DT_PLTREL) == u64::try_from(elf::DT_RELA.0).ok();
        let of_plt = if is_rela { elf::SHT_RELA } else { elf::SHT_REL };
        let relocations = [
            (of_plt, elf::DT_JMPREL, elf::DT_PLTRELSZ),
            (elf::SHT_RELA, elf::DT_RELA, elf::DT_RELASZ),
            (elf::SHT_REL, elf::DT_REL, elf::DT_RELSZ),
        ];
        for (kind, addr, size) in relocations {
            if let (Some(addr), Some(size)) = (self.get(addr), self.get(size)) {
                sections.extend(self.section(kind, sections.len(), addr, size));
            }
        }
        // Where slots count from in 32-bit code of x86.
        if self.machine == elf::EM_386
            && let Some(slots) = self.get(elf::DT_PLTGOT)
        {
            let word = 4;
            sections.extend(self.section(elf::SHT_PROGBITS, sections.len(), slots, word));
        }
        Some(sections)
    }

    /// Returns the number of symbols in the table at this address.
    fn count<Elf: FileHeader<Endian = Endianness>>(&self, symbols: u64) -> Option<u64> {
        let gnu = || {
            let bytes = self.rest(self.get(elf::DT_GNU_HASH)?)?;
            let table = GnuHashTable::<Elf>::parse(self.endian, bytes).ok()?;
            // Where nothing is exported it does not count what is imported.
            table.symbol_table_length(self.endian).map(u64::from)
        };
        let sysv = || {
            let bytes = self.rest(self.get(elf::DT_HASH)?)?;
            if self.has_wide_hash(Elf::is_type_64_sized()) {
                let count = *bytes.get(8..)?.first_chunk()?;
                return Some(match self.endian {
                    Endianness::Little => u64::from_le_bytes(count),
                    Endianness::Big => u64::from_be_bytes(count),
                });
            }
            let table = HashTable::<Elf>::parse(self.endian, bytes).ok()?;
            Some(u64::from(table.symbol_table_length()))
        };
        let mips = || {
            let count = self.get(elf::DT_MIPS_SYMTABNO);
            count.filter(|_| self.machine == elf::EM_MIPS)
        };
        // Linkers put the names behind the symbols.
        let between = || {
            let size = self.get(elf::DT_STRTAB)?.checked_sub(symbols)?;
            size.checked_div(u64::try_from(size_of::<Elf::Sym>()).ok()?)
        };
        let count = sysv().max(gnu()).or_else(mips).or_else(between)?;
        // What a forged count has too many is not there.
        let bytes = u64::try_from(self.rest(symbols)?.len()).ok()?;
        let room = bytes.checked_div(u64::try_from(size_of::<Elf::Sym>()).ok()?)?;
        Some(count.min(room))
    }

    /// Two machines have a word of 64 bits in `DT_HASH`.
    fn has_wide_hash(&self, is_64: bool) -> bool {
        is_64 && [elf::EM_S390, elf::EM_ALPHA].contains(&self.machine)
    }

    fn section(
        &self,
        kind: elf::SectionType,
        index: usize,
        addr: u64,
        size: u64,
    ) -> Option<ElfSection> {
        let offset = self.offset(addr)?;
        slice(self.data, offset, size)?;
        let link = if kind == elf::SHT_DYNSYM { STRINGS } else { 0 };
        Some(ElfSection::without_header(
            kind,
            index,
            (addr, offset, size),
            link,
        ))
    }

    fn offset(&self, addr: u64) -> Option<u64> {
        let found = self.segments.file_offset_of(VirtOffset(addr));
        found.map(|FileOffset(offset)| offset)
    }

    /// Returns the file from this address on.
    fn rest(&self, addr: u64) -> Option<&'d [u8]> {
        let offset = usize::try_from(self.offset(addr)?).ok()?;
        self.data.get(offset..)
    }
}
