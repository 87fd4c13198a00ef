//! The ELF header, and the program headers that it leads to.

use object::read::elf::FileHeader;
use object::{Endianness, ReadRef};

use crate::error::Error;

/// The kernel itself loads no more than this (64 KiB of headers, in
/// `load_elf_phdrs`, would be fewer still).
const MAX_PROGRAM_HEADERS: u32 = 0xffff;

/// The ELF header of a file, and its program headers.
pub(crate) struct Programs<'d, Elf: FileHeader> {
    pub(crate) header: &'d Elf,
    pub(crate) endian: Endianness,
    pub(crate) programs: &'d [Elf::ProgramHeader],
}

impl<'d, Elf: FileHeader<Endian = Endianness>> Programs<'d, Elf> {
    pub(crate) fn parse(data: impl ReadRef<'d>) -> Result<Self, Error> {
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
        Ok(Self {
            header,
            endian,
            programs,
        })
    }
}
