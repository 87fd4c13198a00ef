//! `.eh_frame` or `.debug_frame` of one file: finds the FDE for an address.

use std::ops::Range;
use std::sync::OnceLock;

use gimli::{
    BaseAddresses, DebugFrame, EhFrame, EndianSlice, FrameDescriptionEntry, LittleEndian,
    UnwindOffset, UnwindSection, Vendor,
};

use crate::expression::Bytes;
use crate::fde_index::{FdeIndex, SearchTable};
use crate::machine::Machine;

/// A frame description entry: the CFI of one function.
pub(crate) type Fde<'a> = FrameDescriptionEntry<Bytes<'a>>;

/// The largest FDE or CIE that is used. It has room for 13,000 pushes and pops.
const MAX_ENTRY_BYTES: usize = 64 << 10;

/// A section, and an index of its FDEs.
#[derive(Debug)]
pub(crate) struct FrameSection {
    bytes: Box<[u8]>,
    bases: BaseAddresses,
    /// From `.eh_frame_hdr`, if present.
    table: Option<SearchTable>,
    /// Built on first use if there is no table.
    index: OnceLock<FdeIndex>,
    is_eh_frame: bool,
    machine: Machine,
}

impl FrameSection {
    /// Creates a section from `.eh_frame`; `bases` has its address.
    pub(crate) fn eh_frame(
        bytes: Box<[u8]>,
        bases: BaseAddresses,
        table: Option<SearchTable>,
        machine: Machine,
    ) -> Self {
        Self {
            bytes,
            bases,
            table,
            index: OnceLock::new(),
            is_eh_frame: true,
            machine,
        }
    }

    /// Creates a section from `.debug_frame`, which has no load address.
    pub(crate) fn debug_frame(bytes: Box<[u8]>, machine: Machine) -> Self {
        Self {
            bytes,
            bases: BaseAddresses::default(),
            table: None,
            index: OnceLock::new(),
            is_eh_frame: false,
            machine,
        }
    }

    pub(crate) fn bytes(&self) -> Bytes<'_> {
        EndianSlice::new(&self.bytes, LittleEndian)
    }

    pub(crate) fn bases(&self) -> &BaseAddresses {
        &self.bases
    }

    pub(crate) fn is_eh_frame(&self) -> bool {
        self.is_eh_frame
    }

    /// AArch64 has a vendor-specific operation that toggles the signing of return
    /// addresses.
    fn vendor(&self) -> Vendor {
        match self.machine {
            Machine::Aarch64 => Vendor::AArch64,
            Machine::X86_64 | Machine::X86 => Vendor::Default,
        }
    }

    pub(crate) fn as_eh_frame(&self) -> EhFrame<Bytes<'_>> {
        let mut section = EhFrame::new(&self.bytes, LittleEndian);
        section.set_address_size(self.machine.word_size());
        section.set_vendor(self.vendor());
        section
    }

    pub(crate) fn as_debug_frame(&self) -> DebugFrame<Bytes<'_>> {
        let mut section = DebugFrame::new(&self.bytes, LittleEndian);
        section.set_address_size(self.machine.word_size());
        section.set_vendor(self.vendor());
        section
    }

    /// Returns the FDE that covers an address of the file.
    pub(crate) fn fde(&self, address: u64) -> Option<Fde<'_>> {
        match self.is_eh_frame {
            true => self.find(&self.as_eh_frame(), address),
            false => self.find(&self.as_debug_frame(), address),
        }
    }

    /// Returns the code around an address that no FDE covers: from the end of the FDE before it to
    /// the start of the one behind it.
    pub(crate) fn uncovered(&self, address: u64) -> Option<Range<u64>> {
        let (before, behind) = match self.is_eh_frame {
            true => self.around(&self.as_eh_frame(), address)?,
            false => self.around(&self.as_debug_frame(), address)?,
        };
        let range = before.initial_address().checked_add(before.len())?..behind;
        range.contains(&address).then_some(range)
    }

    fn around<'a, S>(&'a self, section: &S, address: u64) -> Option<(Fde<'a>, u64)>
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let behind = match &self.table {
            Some(table) => table.start_behind(address)?,
            None => self.index(section).start_behind(address)?,
        };
        Some((self.last_before(section, address)?, behind))
    }

    fn find<'a, S>(&'a self, section: &S, address: u64) -> Option<Fde<'a>>
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let fde = self.last_before(section, address)?;
        fde.contains(address).then_some(fde)
    }

    /// Returns the last FDE that starts at or before an address.
    fn last_before<'a, S>(&'a self, section: &S, address: u64) -> Option<Fde<'a>>
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let offset = match &self.table {
            Some(table) => table.offset_of(address)?,
            None => self.index(section).offset_of(address)?,
        };
        let offset = S::Offset::from(offset);
        let fde = section.fde_from_offset(&self.bases, offset, S::cie_from_offset);
        let fde = fde.ok()?;
        let is_short = fde.entry_len().max(fde.cie().entry_len()) <= MAX_ENTRY_BYTES;
        is_short.then_some(fde)
    }

    fn index<'a, S>(&'a self, section: &S) -> &'a FdeIndex
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let index = || FdeIndex::new(section, &self.bases);
        self.index.get_or_init(index)
    }
}
