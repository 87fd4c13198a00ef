//! The ELF header and the program headers.

use std::cell::RefCell;
use std::io::{Read, Seek};

use backsight_types::{Arch, BuildId, FileOffset, Perms, Segment, Segments, VirtOffset};
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use crate::build_id;
use crate::error::{Error, ReadError};
use crate::error_keeper::ErrorKeeper;

/// The kernel itself loads no more than this (64 KiB of headers, in
/// `load_elf_phdrs`, would be fewer still).
const MAX_PROGRAM_HEADERS: u32 = 0xffff;

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
        let first_error = RefCell::new(None);
        let kept = ErrorKeeper {
            inner: file,
            first_error: &first_error,
        };
        let parsed = parse_any(&ReadCache::new(kept));
        match first_error.into_inner() {
            Some(error) => Err(error.into()),
            None => Ok(parsed?),
        }
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
    let header = Elf::parse(data).map_err(|_| Error::Malformed("the ELF header"))?;
    let endian = header
        .endian()
        .map_err(|_| Error::Malformed("the byte order"))?;
    let count = header
        .phnum(endian, data)
        .map_err(|_| Error::Malformed("the program headers"))?;
    if count > MAX_PROGRAM_HEADERS {
        return Err(Error::Malformed(
            "more program headers than any linker writes",
        ));
    }
    let programs = header
        .program_headers(endian, data)
        .map_err(|_| Error::Malformed("the program headers lie outside the file"))?;
    let loads = programs
        .iter()
        .filter(|program| program.p_type(endian) == elf::PT_LOAD);
    Ok(Headers {
        arch: Arch(header.e_machine(endian).0),
        segments: Segments::new(loads.map(|load| segment(load, endian)).collect()),
        build_id: build_id::find(header, endian, programs, data),
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
