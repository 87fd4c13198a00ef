//! The call frame information of a file, and the load bias of its code.

use std::io::{Read, Seek};
use std::ops::Range;
use std::sync::Arc;

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use gimli::BaseAddresses;
use object::elf::{FileHeader32, FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Architecture, LittleEndian, Object, ObjectSection, ReadCache, ReadRef};

use crate::fde_index::{SearchTable, eh_frame_of};
use crate::frame_section::FrameSection;
use crate::machine::Machine;
use crate::packed;
use crate::row_source::RowSource;

/// Larger sections are ignored. The largest browser's is a tenth of this.
const MAX_SECTION_BYTES: u64 = 256 << 20;

/// The call frame information of one file.
#[derive(Debug)]
pub struct CallFrames {
    machine: Machine,
    /// In search order.
    pub(crate) sections: Vec<FrameSection>,
    /// Asked where no section has a row.
    pub(crate) row_source: Option<Arc<dyn RowSource>>,
    /// The executable segments.
    code: Vec<CodeSegment>,
    /// The addresses of the sections with stubs that jump to other files.
    stubs: Vec<Range<u64>>,
}

/// Linkers write at most four (`.plt`, `.plt.got`, `.plt.sec`, `.iplt`).
const MAX_STUB_SECTIONS: usize = 16;

/// More code than that without CFI between code that has CFI is not taken for a stub.
const MAX_STUB_BYTES: u64 = 1 << 10;

#[derive(Clone, Copy, Debug)]
struct CodeSegment {
    in_file: u64,
    size: u64,
    virt: u64,
}

/// An ELF file, 32-bit or 64-bit.
type Elf<'d, H, R> = ElfFile<'d, H, R>;

impl CallFrames {
    /// Reads `.eh_frame` and `.debug_frame`, if present. Returns `None` if the data is not an
    /// ELF file of a supported machine.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::of(bytes)
    }

    /// Like [`CallFrames::parse`], for an open file: reads only the sections that it needs.
    pub fn read(file: impl Read + Seek) -> Option<Self> {
        Self::of(&ReadCache::new(file))
    }

    fn of<'d>(data: impl ReadRef<'d>) -> Option<Self> {
        let of_64_bits = Self::read_as::<FileHeader64<LittleEndian>>(data);
        of_64_bits.or_else(|| Self::read_as::<FileHeader32<LittleEndian>>(data))
    }

    fn read_as<'d, H: FileHeader<Endian = LittleEndian>>(data: impl ReadRef<'d>) -> Option<Self> {
        let elf = Elf::<H, _>::parse(data).ok()?;
        let machine = machine_of(&elf)?;
        let headers = program_headers::<H>(data)?;
        let code = headers.iter().filter(|header| {
            let flags = header.p_flags(LittleEndian);
            header.p_type(LittleEndian) == PT_LOAD && (flags & PF_X).0 != 0
        });
        let code = code.map(|header| CodeSegment {
            in_file: header.p_offset(LittleEndian).into(),
            size: header.p_filesz(LittleEndian).into(),
            virt: header.p_vaddr(LittleEndian).into(),
        });
        let eh_frame =
            by_sections(&elf, machine).or_else(|| by_segments::<H>(data, headers, machine));
        let debug_frame = debug_frame_of(&elf, machine);
        let stubs = elf.sections().filter(|section| {
            let name = section.name_bytes().unwrap_or_default();
            name.starts_with(b".plt") || name.starts_with(b".iplt")
        });
        let stubs = stubs.take(MAX_STUB_SECTIONS).filter_map(|section| {
            let start = section.address();
            Some(start..start.checked_add(section.size())?)
        });
        Some(Self {
            machine,
            sections: eh_frame.into_iter().chain(debug_frame).collect(),
            row_source: None,
            code: code.collect(),
            stubs: stubs.collect(),
        })
    }

    /// Whether the code at an address of the file without CFI is probably a stub, which sets up no
    /// frame: an entry of the procedure linkage table, or a little code between functions that have
    /// CFI. Of a file that has CFI only for what the compiler adds to each program, the rest is none.
    pub(crate) fn is_stub(&self, address: u64) -> bool {
        let is_little = |section: &FrameSection| {
            let gap = section.uncovered(address);
            gap.is_some_and(|gap| gap.end.saturating_sub(gap.start) <= MAX_STUB_BYTES)
        };
        self.stubs.iter().any(|range| range.contains(&address))
            || self.sections.iter().any(is_little)
    }

    /// Adds the `.debug_frame` of the file's debug file, which has it after `strip`. Returns
    /// whether there was one, for the same machine.
    pub fn add_debug_file(&mut self, file: impl Read + Seek) -> bool {
        let cache = ReadCache::new(file);
        let data = &cache;
        let of_64_bits = Elf::<FileHeader64<LittleEndian>, _>::parse(data).ok();
        let of_64_bits = of_64_bits.and_then(|elf| self.debug_frame_in(&elf));
        let found = of_64_bits.or_else(|| {
            let elf = Elf::<FileHeader32<LittleEndian>, _>::parse(data).ok()?;
            self.debug_frame_in(&elf)
        });
        let is_there = found.is_some();
        self.sections.extend(found);
        is_there
    }

    /// The same, with rows from elsewhere for code that neither section covers.
    #[must_use]
    pub fn with_row_source(self, source: Arc<dyn RowSource>) -> Self {
        Self {
            row_source: Some(source),
            ..self
        }
    }

    fn debug_frame_in<'d, H: FileHeader<Endian = LittleEndian>>(
        &self,
        elf: &Elf<'d, H, impl ReadRef<'d>>,
    ) -> Option<FrameSection> {
        let machine = machine_of(elf).filter(|machine| *machine == self.machine)?;
        debug_frame_of(elf, machine)
    }

    /// Returns the machine of the file.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Returns whether the file has no call frame information.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && self.row_source.is_none()
    }

    /// Returns whether it has `.debug_frame`.
    #[must_use]
    pub fn has_debug_frame(&self) -> bool {
        self.sections.iter().any(|section| !section.is_eh_frame())
    }

    /// Returns the load bias of the mapping at `code`, which maps the file from `offset` on. Add
    /// it to an address of the file with wrapping arithmetic, because the code may be mapped
    /// below its address in the file. Returns `None` if the file has no code there.
    #[must_use]
    pub fn bias(&self, code: AbsRange, offset: FileOffset) -> Option<u64> {
        self.code.iter().find_map(|segment| {
            // A mapping starts at the page that contains the start of the segment.
            let shared = offset.0.max(segment.in_file);
            let in_mapping = shared.checked_sub(offset.0)?;
            let in_segment = shared.checked_sub(segment.in_file)?;
            if in_mapping >= code.size() || in_segment >= segment.size {
                return None;
            }
            let AbsAddr(absolute) = code.start.checked_add(in_mapping)?;
            Some(absolute.wrapping_sub(segment.virt.checked_add(in_segment)?))
        })
    }
}

fn machine_of<'d, H: FileHeader<Endian = LittleEndian>>(
    elf: &Elf<'d, H, impl ReadRef<'d>>,
) -> Option<Machine> {
    match elf.architecture() {
        Architecture::X86_64 => Some(Machine::X86_64),
        Architecture::I386 => Some(Machine::X86),
        Architecture::Aarch64 => Some(Machine::Aarch64),
        _ => None,
    }
}

fn program_headers<'d, H: FileHeader<Endian = LittleEndian>>(
    data: impl ReadRef<'d>,
) -> Option<&'d [H::ProgramHeader]> {
    let header = H::parse(data).ok()?;
    header.program_headers(LittleEndian, data).ok()
}

/// Returns the address and the bytes of a section, decompressed.
fn bytes_of<'d, H: FileHeader<Endian = LittleEndian>>(
    elf: &Elf<'d, H, impl ReadRef<'d>>,
    name: &str,
) -> Option<(u64, Box<[u8]>)> {
    let section = elf.section_by_name(name)?;
    if section.size() > MAX_SECTION_BYTES {
        return None;
    }
    let bytes = packed::unpacked(section.compressed_data().ok()?, MAX_SECTION_BYTES)?;
    (!bytes.is_empty()).then_some((section.address(), bytes))
}

/// In a linked file, `.debug_frame` has no load address.
fn debug_frame_of<'d, H: FileHeader<Endian = LittleEndian>>(
    elf: &Elf<'d, H, impl ReadRef<'d>>,
    machine: Machine,
) -> Option<FrameSection> {
    let (_, bytes) = bytes_of(elf, ".debug_frame")?;
    Some(FrameSection::debug_frame(bytes, machine))
}

fn by_sections<'d, H: FileHeader<Endian = LittleEndian>>(
    elf: &Elf<'d, H, impl ReadRef<'d>>,
    machine: Machine,
) -> Option<FrameSection> {
    let (eh_frame, bytes) = bytes_of(elf, ".eh_frame")?;
    let address = |name| {
        elf.section_by_name(name)
            .map_or(0, |section| section.address())
    };
    let bases = BaseAddresses::default()
        .set_eh_frame(eh_frame)
        .set_eh_frame_hdr(address(".eh_frame_hdr"))
        .set_text(address(".text"))
        .set_got(address(".got"));
    let table = bytes_of(elf, ".eh_frame_hdr").filter(|(base, header)| {
        // The table may belong to another section.
        eh_frame_of(header, *base).is_some_and(|(address, _)| address == eh_frame)
    });
    let table = table.and_then(|(base, header)| SearchTable::parse(&header, base));
    Some(FrameSection::eh_frame(bytes, bases, table, machine))
}

/// Without section headers, the program headers still locate `.eh_frame_hdr`.
fn by_segments<'d, H: FileHeader<Endian = LittleEndian>>(
    data: impl ReadRef<'d>,
    headers: &[H::ProgramHeader],
    machine: Machine,
) -> Option<FrameSection> {
    let kind = |header: &&H::ProgramHeader| header.p_type(LittleEndian);
    let found = headers.iter().find(|it| kind(it) == PT_GNU_EH_FRAME)?;
    let header = found.data(LittleEndian, data).ok()?;
    let base = found.p_vaddr(LittleEndian).into();
    let (eh_frame, _) = eh_frame_of(header, base)?;
    // The section ends with a zero entry, somewhere in its segment.
    let bytes = headers
        .iter()
        .filter(|it| kind(it) == PT_LOAD)
        .find_map(|segment| {
            let into = eh_frame.checked_sub(segment.p_vaddr(LittleEndian).into())?;
            let [size, offset]: [u64; 2] = [
                segment.p_filesz(LittleEndian).into(),
                segment.p_offset(LittleEndian).into(),
            ];
            let left = size.checked_sub(into)?;
            let at = offset.checked_add(into)?;
            let size = left.min(MAX_SECTION_BYTES);
            data.read_bytes_at(at, size)
                .ok()
                .filter(|bytes| !bytes.is_empty())
        })?;
    let bases = BaseAddresses::default()
        .set_eh_frame(eh_frame)
        .set_eh_frame_hdr(base);
    let table = SearchTable::parse(header, base);
    Some(FrameSection::eh_frame(bytes.into(), bases, table, machine))
}
