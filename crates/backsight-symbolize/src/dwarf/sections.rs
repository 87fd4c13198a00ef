//! The sections of a file that DWARF lookups need, unpacked.

use gimli::{RunTimeEndian, SectionId};
use object::Endianness;

use super::{Fault, Slice};
use crate::elf::{ElfFile, SectionBytes, UnpackError};

/// What is read. Never `.debug_loc*`, `.debug_types`, `.debug_macro` or
/// `.debug_names`: no lookup needs them, and they are large.
const NEEDED: [SectionId; 10] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugAddr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugAranges,
];

/// The bytes behind one file's DWARF.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) elf: std::sync::Arc<ElfFile>,
    loaded: Vec<(SectionId, SectionBytes)>,
}

impl Sections {
    /// Returns whether the file has debug information at all.
    pub(super) fn present(elf: &ElfFile) -> bool {
        elf.section(SectionId::DebugInfo.name())
            .is_some_and(|section| !section.is_nobits() && section.size > 0)
    }

    /// Unpacks the needed sections, as long as `budget` bytes last.
    ///
    /// A malformed section counts as absent: what does not need it still works.
    pub(super) fn load(elf: std::sync::Arc<ElfFile>, mut budget: u64) -> Result<Self, Fault> {
        let mut loaded = Vec::new();
        for id in NEEDED {
            let Some(section) = elf.section(id.name()) else {
                continue;
            };
            match SectionBytes::load(&elf, section, &mut budget) {
                Ok(bytes) => loaded.push((id, bytes)),
                Err(UnpackError::Malformed) => {}
                Err(UnpackError::Limit) => return Err(Fault::Limit),
            }
        }
        Ok(Self { elf, loaded })
    }

    pub(super) fn bytes(&self, id: SectionId) -> &[u8] {
        let mut loaded = self.loaded.iter();
        let found = loaded.find(|(loaded, _)| *loaded == id);
        found.map_or(&[], |(_, bytes)| bytes.get(self.elf.image()))
    }

    pub(super) fn slice(&self, id: SectionId) -> Slice<'_> {
        let endian = match self.elf.endian() {
            Endianness::Little => RunTimeEndian::Little,
            Endianness::Big => RunTimeEndian::Big,
        };
        Slice::new(self.bytes(id), endian)
    }

    /// Returns gimli's view, in which the sections that are not read are empty.
    pub(super) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        let load = |id| Ok::<_, std::convert::Infallible>(self.slice(id));
        match gimli::Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }
}
