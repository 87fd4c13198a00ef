//! One ELF file as its headers have it: image, sections, and where code is.

use backsight_elf::{Error as ElfError, Headers};
use backsight_files::Image;
use backsight_index::engine::{Overlaps, RankedRange, wide};
use backsight_types::{BuildId, FileOffset, Segment, Segments, VirtOffset};
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::section::{ElfSection, slice};
use super::{dynamic, layout};
use crate::error::Error;

/// A file whose headers are read. Its sections are values of one shape for both classes,
/// so that only this file and the symbols know about classes.
#[derive(Debug)]
pub(crate) struct ElfHeaders {
    image: Image,
    headers: Headers,
    is_64: bool,
    relocatable: bool,
    endian: Endianness,
    /// `e_flags`.
    flags: u32,
    sections: Vec<ElfSection>,
    /// Whether the sections have headers, or stand for those that are gone.
    has_section_headers: bool,
    /// Whether it has section headers that cannot be read.
    has_lost_headers: bool,
    code: Overlaps,
}

impl ElfHeaders {
    /// Reads the headers.
    ///
    /// Section headers that cannot be read are ignored: a file stripped of
    /// them, or cut off, still has segments and a build ID, and dynamic symbols.
    pub(crate) fn parse(image: Image) -> Result<Self, Error> {
        let mut headers = Headers::parse(&image)?;
        let segments = &headers.segments;
        let (is_64, parsed) = match FileKind::parse(&*image) {
            Ok(FileKind::Elf32) => (false, parse::<FileHeader32<Endianness>>(&image, segments)?),
            Ok(FileKind::Elf64) => (true, parse::<FileHeader64<Endianness>>(&image, segments)?),
            _ => return Err(ElfError::NotElf.into()),
        };
        let mut sections = parsed.sections;
        if parsed.relocatable {
            layout::lay_out(&mut sections, &image);
            headers.segments = layout::segments(&sections);
        }
        let code = code_of(&sections, &headers.segments);
        Ok(Self {
            image,
            headers,
            is_64,
            relocatable: parsed.relocatable,
            endian: parsed.endian,
            flags: parsed.flags,
            sections,
            has_section_headers: parsed.has_section_headers,
            has_lost_headers: parsed.has_lost_headers,
            code,
        })
    }

    pub(crate) fn build_id(&self) -> Option<BuildId> {
        self.headers.build_id
    }

    /// Returns the machine's `e_machine` number.
    pub(crate) fn machine(&self) -> u16 {
        self.headers.arch.0
    }

    /// Returns what it means by its machine: `e_flags`.
    pub(super) fn flags(&self) -> u32 {
        self.flags
    }

    pub(crate) fn is_64(&self) -> bool {
        self.is_64
    }

    /// Whether it is an object file or a kernel module (`ET_REL`), whose sections have
    /// the addresses that [`layout`] gave them.
    pub(crate) fn is_relocatable(&self) -> bool {
        self.relocatable
    }

    pub(crate) fn endian(&self) -> Endianness {
        self.endian
    }

    /// Returns these bytes of the image; none where it ends before.
    pub(super) fn bytes(&self, (start, length): (usize, usize)) -> &[u8] {
        let rest = self.image.get(start..).unwrap_or_default();
        rest.get(..length).unwrap_or_default()
    }

    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Gives the pages back that were read of a mapped file.
    pub(crate) fn release(&self) {
        self.image.release();
    }

    /// Returns how many bytes of memory the image takes, none when it is mapped.
    pub(super) fn read_bytes(&self) -> u64 {
        self.image.read_bytes()
    }

    pub(crate) fn sections(&self) -> &[ElfSection] {
        &self.sections
    }

    /// Returns whether the sections have headers. Those that are made from the dynamic
    /// segment are not the ones that symbols name by number.
    pub(crate) fn has_section_headers(&self) -> bool {
        self.has_section_headers
    }

    /// Returns whether it has section headers that cannot be read.
    pub(super) fn has_lost_headers(&self) -> bool {
        self.has_lost_headers
    }

    /// Returns whether it ends before what its headers say is in it.
    pub(crate) fn is_cut_off(&self) -> bool {
        let mut sections = self.sections.iter();
        let is_beyond =
            |section: &ElfSection| !section.is_nobits() && section.raw(&self.image).is_none();
        let size = wide(self.image.len());
        let mut loads = self.headers.segments.as_slice().iter();
        let ends_beyond = |load: &Segment| {
            let end = load.file_offset.0.checked_add(load.file_size);
            load.file_size > 0 && end.is_none_or(|end| end > size)
        };
        self.has_lost_headers
            || match self.has_section_headers {
                // Debug files keep the segments of the file that they were made of.
                true => sections.any(is_beyond),
                false => loads.any(ends_beyond),
            }
    }

    /// Returns where 32-bit code for x86 counts the slots of its global offset table
    /// from.
    pub(super) fn got_base(&self) -> Option<u64> {
        let named = self.section(".got.plt").or_else(|| self.section(".got"));
        // Without section headers, the only one that is made of this kind.
        let made = || {
            let mut sections = self.sections.iter();
            sections.find(|section| !self.has_section_headers && section.is_data())
        };
        Some(named.or_else(made)?.addr)
    }

    /// Returns what a linked file loads to these addresses.
    pub(super) fn bytes_at(&self, addr: u64, size: u64) -> Option<&[u8]> {
        let last = addr.checked_add(size.checked_sub(1)?)?;
        let offset = |addr| self.segments()?.file_offset_of(VirtOffset(addr));
        let (FileOffset(first), FileOffset(end)) = (offset(addr)?, offset(last)?);
        // Of one segment, as the two are as far apart in the file as they are loaded.
        let whole = end.checked_sub(first)? == last.checked_sub(addr)?;
        whole.then(|| slice(self.image(), first, size))?
    }

    /// Returns the address-sized number that is loaded to this address.
    pub(super) fn word_at(&self, addr: u64) -> Option<u64> {
        let size = if self.is_64 { 8 } else { 4 };
        let bytes = self.bytes_at(addr, size)?;
        let digit = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(match self.endian {
            Endianness::Little => bytes.iter().rev().fold(0, digit),
            Endianness::Big => bytes.iter().fold(0, digit),
        })
    }

    /// Returns the sections of this name, or of its `.zdebug_` spelling.
    pub(crate) fn sections_named(&self, name: &str) -> impl Iterator<Item = &ElfSection> {
        let packed = name.strip_prefix(".debug_");
        self.sections.iter().filter(move |section| {
            let bytes = section.name(&self.image);
            let old = || bytes.strip_prefix(b".zdebug_".as_slice());
            bytes == name.as_bytes()
                || packed.is_some_and(|packed| old() == Some(packed.as_bytes()))
        })
    }

    /// Returns the section of this name, or of its `.zdebug_` spelling.
    ///
    /// An object has a `.debug_info` for each type unit besides its own
    /// (`-fdebug-types-section`), each in a group: these come last.
    pub(crate) fn section(&self, name: &str) -> Option<&ElfSection> {
        let mut named = self.sections_named(name);
        let first = named.next()?;
        let mut all = [first].into_iter().chain(named);
        let alone = all.find(|section| !section.is_in_group());
        Some(alone.unwrap_or(first))
    }

    /// Returns whether code can stand at this virtual offset.
    ///
    /// Linkers leave the debug information of functions they dropped, at address
    /// 0 or 1 as a rule, over the ELF header: that is no code.
    pub(crate) fn is_code(&self, addr: u64) -> bool {
        !self.code.find(addr).is_empty()
    }

    /// Returns where the code ends that stands at this virtual offset.
    pub(super) fn code_end(&self, addr: u64) -> Option<u64> {
        self.code.end_of(addr)
    }

    /// Returns where code can stand: ascending, disjoint virtual offsets.
    pub(crate) fn code_ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.code.covered().map(|(begin, end, _)| (begin, end))
    }

    /// Whether nothing in it says where code could stand, not even for a program.
    pub(crate) fn is_without_code(&self) -> bool {
        let mut code = self.sections.iter().filter(|section| section.is_code());
        let mut loads = self.headers.segments.as_slice().iter();
        let is_code = |load: &Segment| load.flags.is_executable();
        code.next().is_none() && !loads.any(is_code)
    }

    /// Returns the `PT_LOAD` headers, or what stands for them in a relocatable
    /// object, unless this is a split debug file.
    ///
    /// `objcopy --only-keep-debug` turns code into `SHT_NOBITS` and rewrites
    /// `p_offset`: its headers no longer say where the executable's bytes are.
    pub(crate) fn segments(&self) -> Option<&Segments> {
        let mut code = self.sections.iter().filter(|section| section.is_code());
        let split = code.any(|section| section.is_nobits());
        let segments = &self.headers.segments;
        (!split && !segments.as_slice().is_empty()).then_some(segments)
    }
}

struct ParsedHeaders {
    endian: Endianness,
    relocatable: bool,
    flags: u32,
    sections: Vec<ElfSection>,
    has_section_headers: bool,
    has_lost_headers: bool,
}

fn parse<Elf: FileHeader<Endian = Endianness>>(
    data: &[u8],
    segments: &Segments,
) -> Result<ParsedHeaders, Error> {
    let header = Elf::parse(data).map_err(|_| ElfError::Malformed("the ELF header"))?;
    let endian = header
        .endian()
        .map_err(|_| ElfError::Malformed("the byte order"))?;
    let read = sections::<Elf>(header, endian, data);
    let has_lost_headers = read.is_err();
    let mut sections = read.unwrap_or_default();
    let has_section_headers = !sections.is_empty();
    if !has_section_headers {
        sections = dynamic::sections(header, endian, data, segments);
    }
    Ok(ParsedHeaders {
        endian,
        relocatable: header.e_type(endian) == elf::ET_REL,
        flags: header.e_flags(endian).0,
        sections,
        has_section_headers,
        has_lost_headers,
    })
}

fn sections<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    data: &[u8],
) -> object::Result<Vec<ElfSection>> {
    let headers = header.section_headers(endian, data)?;
    // A file stripped of all sections names no section of names, and lacks none.
    if headers.is_empty() {
        return Ok(Vec::new());
    }
    let names = header.shstrndx(endian, data)?;
    let names = usize::try_from(names).ok().and_then(|at| headers.get(at));
    let names = names.and_then(|section| section.file_range(endian));
    let numbered = headers.iter().enumerate();
    Ok(numbered
        .map(|(index, section)| ElfSection::new(section, index, endian, names))
        .collect())
}

/// Sections say it most exactly; a file without them has its segments; a file
/// with neither may have code anywhere.
fn code_of(sections: &[ElfSection], segments: &Segments) -> Overlaps {
    let range = |begin: u64, size: u64| RankedRange {
        begin,
        end: begin.saturating_add(size),
        rank: 0,
        value: 0,
    };
    let mut items: Vec<RankedRange> = sections
        .iter()
        .filter(|section| section.is_code())
        .map(|section| range(section.addr, section.size))
        .collect();
    if items.is_empty() {
        let loads = segments.as_slice().iter();
        let code = loads.filter(|segment| segment.flags.is_executable());
        items = code
            .map(|segment| range(segment.virt_offset.0, segment.memory_size))
            .collect();
    }
    if items.is_empty() {
        items.push(range(0, u64::MAX));
    }
    Overlaps::new(items, 1)
}
