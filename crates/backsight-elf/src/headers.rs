//! The ELF header and the program headers.

use std::io::{Read, Seek};

use backsight_types::{Arch, BuildId, FileOffset, Perms, Segment, Segments, VirtOffset};
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadRef};

use crate::build_id;
use crate::error::{Error, ReadError};
use crate::error_keeper::parse_file;
use crate::programs::Programs;

/// What an ELF file's headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Headers {
    /// The machine the code is for.
    pub arch: Arch,
    /// The `PT_LOAD` headers; empty in an object file.
    pub segments: Segments,
    /// The GNU build ID, if there is one.
    pub build_id: Option<BuildId>,
    /// The `PT_DYNAMIC` header: the table that the loader reads.
    pub dynamic: Option<Segment>,
    /// The `PT_GNU_RELRO` header: what the loader writes, and makes read-only then.
    pub relro: Option<Segment>,
}

impl Headers {
    /// Reads the headers of a 32 or 64-bit ELF file of either byte order.
    ///
    /// The bytes are the whole file, or as much of its beginning as is at hand: what lies
    /// behind is as if it were not in the file.
    ///
    /// A build ID note that cannot be read counts as none: the rest of the
    /// headers is still worth having.
    ///
    /// # Errors
    /// [`Error::NotElf`] for other bytes, [`Error::Malformed`] when the ELF header
    /// or the program headers cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse_any(bytes)
    }

    /// Reads the headers of an open file, and no more of it than they take.
    ///
    /// # Errors
    /// [`ReadError::Io`] if any part that was asked for cannot be read, also of the notes, so
    /// that no build ID is lost silently; otherwise as [`Headers::parse`].
    pub fn read(file: impl Read + Seek) -> Result<Self, ReadError> {
        parse_file(file, |data| parse_any(data))
    }
}

fn parse_any<'d>(data: impl ReadRef<'d>) -> Result<Headers, Error> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf32) => parse::<elf::FileHeader32<Endianness>>(data),
        Ok(FileKind::Elf64) => parse::<elf::FileHeader64<Endianness>>(data),
        _ => Err(Error::NotElf),
    }
}

fn parse<'d, Elf: FileHeader<Endian = Endianness>>(
    data: impl ReadRef<'d>,
) -> Result<Headers, Error> {
    let Programs {
        header,
        endian,
        programs,
    } = Programs::<Elf>::parse(data)?;
    let of_type = |wanted| {
        let programs = programs.iter();
        programs.filter(move |program| program.p_type(endian) == wanted)
    };
    let loads = of_type(elf::PT_LOAD);
    let first_of = |wanted| of_type(wanted).next().map(|found| segment(found, endian));
    Ok(Headers {
        arch: Arch(header.e_machine(endian).0),
        segments: Segments::new(loads.map(|load| segment(load, endian)).collect()),
        build_id: build_id::find(header, endian, programs, data),
        dynamic: first_of(elf::PT_DYNAMIC),
        relro: first_of(elf::PT_GNU_RELRO),
    })
}

fn segment<P: ProgramHeader<Endian = Endianness>>(load: &P, endian: Endianness) -> Segment {
    let flags = load.p_flags(endian);
    let when = |flag, perm| {
        if (flags & flag).0 == 0 {
            Perms::NONE
        } else {
            perm
        }
    };
    Segment {
        flags: when(elf::PF_R, Perms::READ)
            | when(elf::PF_W, Perms::WRITE)
            | when(elf::PF_X, Perms::EXECUTE),
        file_offset: FileOffset(load.p_offset(endian).into()),
        virt_offset: VirtOffset(load.p_vaddr(endian).into()),
        file_size: load.p_filesz(endian).into(),
        memory_size: load.p_memsz(endian).into(),
    }
}
