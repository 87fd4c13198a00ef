//! What a walk needs of a file: its call frame information, and where its code is loaded.

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use gimli::BaseAddresses;
use object::elf::{FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader64};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Architecture, LittleEndian, Object, ObjectSection, ReadRef};

use crate::fde_index::{SearchTable, eh_frame_of};
use crate::frame_section::FrameSection;
use crate::machine::Machine;

/// Sections larger than this are left out: the largest browser's has a tenth of it.
const MAX_SECTION: u64 = 256 << 20;

/// The call frame information of one file.
#[derive(Debug)]
pub struct CallFrames {
    machine: Machine,
    /// In the order in which they are asked.
    pub(crate) sections: Vec<FrameSection>,
    /// The code that is loaded.
    code: Vec<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    in_file: u64,
    size: u64,
    virt: u64,
}

type Elf<'d, R> = ElfFile64<'d, LittleEndian, R>;

impl CallFrames {
    /// Reads `.eh_frame` and `.debug_frame`, as far as they are there; `None` for what is
    /// no ELF file of a machine whose stacks can be walked.
    pub fn read<'d>(data: impl ReadRef<'d>) -> Option<Self> {
        let elf = Elf::parse(data).ok()?;
        let machine = match elf.architecture() {
            Architecture::X86_64 => Machine::X86_64,
            Architecture::Aarch64 => Machine::Aarch64,
            _ => return None,
        };
        let headers = program_headers(data)?;
        let code = headers.iter().filter(|header| {
            let flags = header.p_flags(LittleEndian);
            header.p_type(LittleEndian) == PT_LOAD && (flags & PF_X).0 != 0
        });
        let code = code.map(|header| Segment {
            in_file: header.p_offset(LittleEndian),
            size: header.p_filesz(LittleEndian),
            virt: header.p_vaddr(LittleEndian),
        });
        let eh_frame = by_sections(&elf, machine).or_else(|| by_segments(data, headers, machine));
        let debug_frame = bytes_of(&elf, ".debug_frame").map(|(_, bytes)| bytes);
        let debug_frame = debug_frame.map(|bytes| FrameSection::debug_frame(bytes, machine));
        Some(Self {
            machine,
            sections: eh_frame.into_iter().chain(debug_frame).collect(),
            code: code.collect(),
        })
    }

    /// Returns the machine that the file is for.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Returns whether there is anything to walk by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Returns how far code stands from where the file says, when the byte at `offset` of
    /// the file is mapped to the start of `code`. Add it to an address of the file, without
    /// a check: a file may say that it is higher than it stands. `None` when the file has
    /// no code there.
    #[must_use]
    pub fn bias(&self, code: AbsRange, offset: FileOffset) -> Option<u64> {
        self.code.iter().find_map(|segment| {
            // A mapping begins at the page in which the segment begins.
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

fn program_headers<'d>(data: impl ReadRef<'d>) -> Option<&'d [ProgramHeader64<LittleEndian>]> {
    let header = FileHeader64::<LittleEndian>::parse(data).ok()?;
    header.program_headers(LittleEndian, data).ok()
}

/// Returns the address and the bytes of a section that is not compressed.
fn bytes_of<'d>(elf: &Elf<'d, impl ReadRef<'d>>, name: &str) -> Option<(u64, Box<[u8]>)> {
    let section = elf.section_by_name(name)?;
    let is_plain = section.compressed_file_range().ok()?.format == object::CompressionFormat::None;
    if section.size() > MAX_SECTION || !is_plain {
        return None;
    }
    let bytes = section.data().ok()?;
    (!bytes.is_empty()).then(|| (section.address(), bytes.into()))
}

fn by_sections<'d>(elf: &Elf<'d, impl ReadRef<'d>>, machine: Machine) -> Option<FrameSection> {
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
        // It may speak of another section than this one.
        eh_frame_of(header, *base).is_some_and(|(address, _)| address == eh_frame)
    });
    let table = table.and_then(|(base, header)| SearchTable::parse(&header, base));
    Some(FrameSection::eh_frame(bytes, bases, table, machine))
}

/// A file whose section headers were cut away still says where it has its table.
fn by_segments<'d>(
    data: impl ReadRef<'d>,
    headers: &[ProgramHeader64<LittleEndian>],
    machine: Machine,
) -> Option<FrameSection> {
    let kind = |header: &&ProgramHeader64<LittleEndian>| header.p_type(LittleEndian);
    let found = headers.iter().find(|it| kind(it) == PT_GNU_EH_FRAME)?;
    let header = found.data(LittleEndian, data).ok()?;
    let base = found.p_vaddr(LittleEndian);
    let (eh_frame, _) = eh_frame_of(header, base)?;
    // It ends with a zero of its own, somewhere in its segment.
    let bytes = headers
        .iter()
        .filter(|it| kind(it) == PT_LOAD)
        .find_map(|segment| {
            let into = eh_frame.checked_sub(segment.p_vaddr(LittleEndian))?;
            let left = segment.p_filesz(LittleEndian).checked_sub(into)?;
            let at = segment.p_offset(LittleEndian).checked_add(into)?;
            let size = left.min(MAX_SECTION);
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
