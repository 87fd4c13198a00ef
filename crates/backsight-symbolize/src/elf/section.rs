//! Section headers.

use object::Endianness;
use object::elf;
use object::read::elf::SectionHeader;

/// A section header, the same for both classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ElfSection {
    /// Where the name starts in the file, and where the names end.
    name: (u64, u64),
    pub(crate) kind: u32,
    pub(super) flags: u64,
    pub(crate) addr: u64,
    pub(super) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    info: u32,
    /// What the header says of the size of one entry; `None` without a header.
    pub(super) entry_size: Option<u64>,
    pub(super) align: u64,
    /// Its place among the section headers.
    pub(super) index: usize,
}

impl ElfSection {
    pub(super) fn new<S: SectionHeader<Endian = Endianness>>(
        section: &S,
        index: usize,
        endian: Endianness,
        names: Option<(u64, u64)>,
    ) -> Self {
        let (start, size) = names.unwrap_or_default();
        Self {
            name: (
                start.saturating_add(section.sh_name(endian).into()),
                start.saturating_add(size),
            ),
            kind: section.sh_type(endian).0,
            flags: section.sh_flags(endian).0,
            addr: section.sh_addr(endian).into(),
            offset: section.sh_offset(endian).into(),
            size: section.sh_size(endian).into(),
            link: section.sh_link(endian),
            info: section.sh_info(endian),
            entry_size: Some(section.sh_entsize(endian).into()),
            align: section.sh_addralign(endian).into(),
            index,
        }
    }

    /// A section for which no header stands, but which is there.
    pub(super) fn without_header(
        kind: elf::SectionType,
        index: usize,
        (addr, offset, size): (u64, u64, u64),
        link: u32,
    ) -> Self {
        Self {
            name: (0, 0),
            kind: kind.0,
            flags: elf::SHF_ALLOC.0,
            addr,
            offset,
            size,
            link,
            info: 0,
            entry_size: None,
            align: 1,
            index,
        }
    }

    pub(super) fn name<'d>(&self, image: &'d [u8]) -> &'d [u8] {
        let bytes = slice(image, self.name.0, self.name.1.saturating_sub(self.name.0));
        let bytes = bytes.unwrap_or_default();
        // A name longer than any we ask for is as good as none.
        let head = bytes.get(..64).unwrap_or(bytes);
        head.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    pub(crate) fn is_code(&self) -> bool {
        let needed = elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0;
        self.flags & needed == needed && self.size > 0
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind == elf::SHT_PROGBITS.0 && !self.is_code()
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }

    /// Whether it is one of several that a linker would take one of.
    pub(super) fn is_in_group(&self) -> bool {
        self.flags & elf::SHF_GROUP.0 != 0
    }

    /// Whether it holds relocations for the section at `index`.
    pub(super) fn relocates(&self, index: usize) -> bool {
        let kinds = [elf::SHT_REL.0, elf::SHT_RELA.0, elf::SHT_CREL.0];
        kinds.contains(&self.kind) && usize::try_from(self.info) == Ok(index)
    }

    pub(crate) fn is_nobits(&self) -> bool {
        self.kind == elf::SHT_NOBITS.0
    }

    /// Returns the bytes as they stand in the file.
    pub(crate) fn raw<'d>(&self, image: &'d [u8]) -> Option<&'d [u8]> {
        if self.is_nobits() {
            return None;
        }
        slice(image, self.offset, self.size)
    }
}

/// Returns `size` bytes from `offset` on, or `None` past the end.
pub(super) fn slice(image: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    let size = usize::try_from(size).ok()?;
    image.get(offset..)?.get(..size)
}
