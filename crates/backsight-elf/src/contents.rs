//! What an ELF file is good for, by its section headers: code, debug information, or both.

use std::io::{Read, Seek};

use backsight_types::BuildId;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind, ReadRef};

use crate::build_id::{self, MAX_SECTIONS};
use crate::error::{Error, ReadError};
use crate::error_keeper::parse_file;
use crate::programs::Programs;

/// What an ELF file has, and which build it is of.
///
/// Distributions split a file in two with the same build ID: the file that runs, and a debug
/// file, in which the loaded sections have no bytes (`objcopy --only-keep-debug` makes them
/// `SHT_NOBITS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElfContents {
    /// The GNU build ID, if there is one.
    pub build_id: Option<BuildId>,
    /// Whether it has bytes that are loaded into memory, other than notes.
    pub has_loaded_bytes: bool,
    /// Whether it has DWARF: a section `.debug_info`, or the compressed `.zdebug_info`.
    pub has_dwarf: bool,
    /// Whether it has a symbol table `.symtab`.
    pub has_symtab: bool,
}

impl ElfContents {
    /// Reads the headers and the names of the sections of an open file.
    ///
    /// # Errors
    /// [`ReadError::Io`] if any part that was asked for cannot be read. [`Error::NotElf`] for
    /// other files, [`Error::Malformed`] when the ELF header, the program headers or the section
    /// headers cannot be read.
    pub fn read(file: impl Read + Seek) -> Result<Self, ReadError> {
        parse_file(file, |data| parse_any(data))
    }
}

fn parse_any<'d>(data: impl ReadRef<'d>) -> Result<ElfContents, Error> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf32) => parse::<elf::FileHeader32<Endianness>>(data),
        Ok(FileKind::Elf64) => parse::<elf::FileHeader64<Endianness>>(data),
        _ => Err(Error::NotElf),
    }
}

fn parse<'d, Elf: FileHeader<Endian = Endianness>>(
    data: impl ReadRef<'d>,
) -> Result<ElfContents, Error> {
    let Programs {
        header,
        endian,
        programs,
    } = Programs::<Elf>::parse(data)?;
    let mut contents = ElfContents {
        build_id: build_id::find(header, endian, programs, data),
        has_loaded_bytes: false,
        has_dwarf: false,
        has_symtab: false,
    };
    let damaged = |_| Error::Malformed("the section headers");
    let count = header.shnum(endian, data).map_err(damaged)?;
    if count > MAX_SECTIONS {
        return Err(Error::Malformed("more sections than any linker writes"));
    }
    if count == 0 {
        // Without section headers it can only be a file that runs.
        let loads = |it: &Elf::ProgramHeader| {
            it.p_type(endian) == elf::PT_LOAD && it.p_filesz(endian).into() > 0
        };
        contents.has_loaded_bytes = programs.iter().any(loads);
        return Ok(contents);
    }
    let sections = header.sections(endian, data).map_err(damaged)?;
    for section in sections.iter() {
        let kind = section.sh_type(endian);
        if section.sh_size(endian).into() == 0 || kind == elf::SHT_NOBITS {
            continue;
        }
        let is_loaded = (section.sh_flags(endian) & elf::SHF_ALLOC).0 != 0;
        // A name that cannot be read is none of those that count.
        let name = sections.section_name(endian, section).unwrap_or_default();
        contents.has_loaded_bytes |= kind == elf::SHT_PROGBITS && is_loaded;
        contents.has_dwarf |= matches!(name, b".debug_info" | b".zdebug_info");
        contents.has_symtab |= kind == elf::SHT_SYMTAB;
    }
    Ok(contents)
}
