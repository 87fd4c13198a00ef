//! Function descriptors of 64-bit PowerPC, first ABI.
//!
//! There a function's symbol is the address of its descriptor in `.opd`, which is data:
//! three words, the first of them the address of the code.
//!
//! ```text
//!   symbol ──▶ .opd │ entry │ TOC │ environment │ … ──▶ .text
//! ```
//!
//! In a linked file the linker has written the entries, also where the loader will
//! relocate them; in an object they are relocations. A debug file has the symbols and
//! not the descriptors: [`ElfFile::take_descriptors`](super::file::ElfFile::take_descriptors) brings them from the module.
//! Source: the 64-bit PowerPC ELF ABI Supplement 1.9, "Function Descriptors".

use backsight_types::VirtOffset;
use object::{Endianness, elf};

use super::headers::ElfHeaders;
use super::section_bytes::SectionBytes;

/// What `.opd` holds.
#[derive(Clone, Debug)]
pub(super) struct Descriptors {
    addr: u64,
    /// Whether code may be at 0, as in an object.
    from_zero: bool,
    bytes: Vec<u8>,
}

impl Descriptors {
    /// Reads those of the file, if its functions have any.
    pub(super) fn read(file: &ElfHeaders) -> Option<Self> {
        if !has_descriptors(file) {
            return None;
        }
        let Some(section) = file.section(".opd") else {
            return Self::without_headers(file);
        };
        // Packed or endless ones would cost more than any linker's.
        let plan = SectionBytes::plan(file, section).ok()?;
        let most = u64::try_from(file.image().len()).ok()?;
        let bytes = (plan.cost() <= most).then(|| plan.finish())?.ok()?;
        Some(Self {
            addr: section.addr,
            from_zero: file.is_relocatable(),
            bytes: bytes.get(file.image()).to_vec(),
        })
    }

    /// Without section headers every loaded byte of data may be one.
    fn without_headers(file: &ElfHeaders) -> Option<Self> {
        if file.has_section_headers() {
            return None;
        }
        let segments = file.segments()?.as_slice().iter();
        let data = segments.filter(|segment| !segment.flags.is_executable());
        let data = data.max_by_key(|segment| segment.virt_offset)?;
        let VirtOffset(addr) = data.virt_offset;
        let bytes = file.bytes_at(addr, data.file_size)?.to_vec();
        let from_zero = false;
        Some(Self {
            addr,
            from_zero,
            bytes,
        })
    }

    /// Returns where the code is that the descriptor at `addr` is of.
    pub(super) fn entry(&self, addr: u64, endian: Endianness) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(self.addr)?).ok()?;
        let entry = *self.bytes.get(at..)?.first_chunk()?;
        let entry = match endian {
            Endianness::Little => u64::from_le_bytes(entry),
            Endianness::Big => u64::from_be_bytes(entry),
        };
        // What nothing was written to is no function.
        (entry != 0 || self.from_zero).then_some(entry)
    }

    /// Returns the bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The second ABI, of all little-endian files, has none; zero is any that goes.
pub(super) fn has_descriptors(file: &ElfHeaders) -> bool {
    file.machine() == elf::EM_PPC64.0 && file.flags() & elf::EF_PPC64_ABI != 2
}
