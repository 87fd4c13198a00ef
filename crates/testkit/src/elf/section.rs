//! Sections, symbols, and the tables of their names.

use super::kinds::{SHT_NOBITS, SHT_STRTAB};
use super::shape::{Bits, Writer};

/// One section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The name.
    pub name: Vec<u8>,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`: 2 is allocated, 4 executable, 0x800 compressed.
    pub flags: u64,
    /// `sh_addr`.
    pub virt: u64,
    /// The contents.
    pub bytes: Vec<u8>,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`; the contents are aligned accordingly.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_size: u64,
    /// Overrides `sh_offset`.
    pub claimed_offset: Option<u64>,
    /// Overrides `sh_size`. Required for `SHT_NOBITS`.
    pub claimed_size: Option<u64>,
}

impl Section {
    /// Appends the contents and returns their offset.
    pub(super) fn write_contents(&self, out: &mut Writer) -> u64 {
        if self.kind != SHT_NOBITS {
            out.align(self.align.max(1));
        }
        let at = out.len();
        out.raw(&self.bytes);
        at
    }

    pub(super) fn write_header(&self, out: &mut Writer, name: u32, offset: u64) {
        debug_assert!(self.kind != SHT_NOBITS || self.bytes.is_empty());
        let size = u64::try_from(self.bytes.len()).expect("64 bits");
        out.word(name.into());
        out.word(self.kind.into());
        out.address(self.flags);
        out.address(self.virt);
        out.address(self.claimed_offset.unwrap_or(offset));
        out.address(self.claimed_size.unwrap_or(size));
        out.word(self.link.into());
        out.word(self.info.into());
        out.address(self.align);
        out.address(self.entry_size);
    }
}

/// One symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// The name.
    pub name: Vec<u8>,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
    /// `st_info`: the binding (0 local, 1 global, 2 weak) times 16, and the type
    /// (0 none, 1 data, 2 function, 10 indirect function).
    pub info: u8,
    /// `st_other`.
    pub other: u8,
    /// `st_shndx`: 0 is undefined.
    pub section: u16,
    /// Overrides `st_name`.
    pub claimed_name: Option<u32>,
}

impl Symbol {
    /// Returns a global function in section 1.
    #[must_use]
    pub fn function(name: &str, value: u64, size: u64) -> Self {
        Self {
            name: name.into(),
            value,
            size,
            info: 0x12,
            section: 1,
            ..Self::default()
        }
    }

    pub(super) fn write(&self, out: &mut Writer, names: &mut StringTable) {
        let name = names.add(&self.name);
        out.word(self.claimed_name.unwrap_or(name).into());
        let tail = |out: &mut Writer| {
            out.raw(&[self.info, self.other]);
            out.half(self.section.into());
        };
        if out.shape.bits == Bits::Elf64 {
            tail(out);
        }
        out.address(self.value);
        out.address(self.size);
        if out.shape.bits == Bits::Elf32 {
            tail(out);
        }
    }
}

/// A table of zero-terminated names; the first is empty.
#[derive(Debug)]
pub(super) struct StringTable(Vec<u8>);

impl Default for StringTable {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl StringTable {
    pub(super) fn add(&mut self, name: &[u8]) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.0.len()).expect("names of less than 4 GiB");
        self.0.extend_from_slice(name);
        self.0.push(0);
        at
    }

    pub(super) fn section(self, name: &str) -> Section {
        Section {
            name: name.into(),
            kind: SHT_STRTAB,
            bytes: self.0,
            align: 1,
            ..Section::default()
        }
    }
}
