//! The mapped memory of a file, read with the `object` crate.

use std::path::Path;

use backsight_sources::go_build_info::go_release;
use backsight_sources::go_pclntab::{GoTable, find_tables};
use backsight_sources::{MappedPart, Memory, Relocation};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, Object as _, ObjectSection as _, elf};

/// A file's memory, and its relocations.
#[derive(Debug, Default)]
pub(crate) struct Mapped<'d> {
    pub(crate) memory: Memory<'d>,
    pub(crate) relocations: Vec<Relocation>,
    /// The ranges of code.
    pub(crate) code: Vec<(u64, u64)>,
    pub(crate) release: Option<String>,
    /// The address of the table according to its section.
    pub(crate) named: Option<u64>,
}

impl<'d> Mapped<'d> {
    pub(crate) fn new(bytes: &'d [u8]) -> Self {
        match bytes[4] {
            1 => Self::read::<elf::FileHeader32<Endianness>>(bytes),
            _ => Self::read::<elf::FileHeader64<Endianness>>(bytes),
        }
    }

    fn read<H: FileHeader<Endian = Endianness>>(bytes: &'d [u8]) -> Self {
        let header = H::parse(bytes).expect("an ELF file");
        let endian = header.endian().expect("a byte order");
        let mut mapped = Self::default();
        let headers = header.program_headers(endian, bytes).expect("segments");
        for segment in headers {
            let flags = segment.p_flags(endian);
            if segment.p_type(endian) != elf::PT_LOAD || flags & elf::PF_X != elf::ProgramFlags(0) {
                continue;
            }
            mapped.memory.parts.push(MappedPart {
                addr: segment.p_vaddr(endian).into(),
                bytes: segment.data(endian, bytes).expect("bytes"),
                is_writable: flags & elf::PF_W != elf::ProgramFlags(0),
            });
        }
        let sections = header.sections(endian, bytes).expect("sections");
        for section in sections.iter() {
            if let Ok(Some((relocations, _))) = section.rela(endian, bytes) {
                let relative = relocations.iter().filter(|rela| {
                    use object::read::elf::Rela as _;
                    rela.r_sym(endian, false) == 0
                });
                mapped.relocations.extend(relative.map(|rela| {
                    use object::read::elf::Rela as _;
                    Relocation {
                        addr: rela.r_offset(endian).into(),
                        target: rela.r_addend(endian).into().cast_unsigned(),
                    }
                }));
            }
        }
        let file = object::File::parse(bytes).expect("an ELF file");
        let text = file
            .sections()
            .filter(|section| section.kind() == object::SectionKind::Text);
        mapped.code = text
            .map(|code| (code.address(), code.address() + code.size()))
            .collect();
        let info = file.section_by_name(".go.buildinfo");
        let info = info.map(|section| section.data().expect("bytes"));
        let release = info.and_then(|info| go_release(info, &mapped.memory));
        mapped.release = release.map(str::to_owned);
        let names = [".gopclntab", ".data.rel.ro.gopclntab"];
        let named = names.iter().find_map(|name| file.section_by_name(name));
        mapped.named = named.map(|section| section.address());
        mapped
    }

    /// Opens the table of the section, or else one that is found by searching.
    pub(crate) fn open(&self) -> Option<GoTable> {
        let found = find_tables(&self.memory.parts);
        let mut places = self.named.into_iter().chain(found);
        places.find_map(|addr| self.open_at(addr))
    }

    pub(crate) fn open_at(&self, addr: u64) -> Option<GoTable> {
        GoTable::open(
            addr,
            &self.memory,
            &self.relocations,
            self.release.as_deref(),
        )
    }
}

pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("readable")
}
