//! One ELF file: its image, and what its headers say.

use backsight_elf::{Error as ElfError, Headers};
use backsight_types::{BuildId, Segments};
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::layout;
use super::section::Section;
use crate::Error;
use crate::cover::{Cover, Item};
use crate::image::Image;

/// An ELF file whose headers are read. Its sections are values of one shape for
/// both classes, so that only this file and the symbols know about classes.
#[derive(Debug)]
pub(crate) struct ElfFile {
    image: Image,
    headers: Headers,
    is_64: bool,
    relocatable: bool,
    endian: Endianness,
    sections: Vec<Section>,
    code: Cover,
}

impl ElfFile {
    /// Reads the headers.
    ///
    /// Section headers that cannot be read count as none: a file stripped of
    /// them, or cut off, still has segments and a build ID.
    pub(crate) fn parse(image: Image) -> Result<Self, Error> {
        let mut headers = Headers::parse(&*image)?;
        let (is_64, (endian, relocatable, mut sections)) = match FileKind::parse(&*image) {
            Ok(FileKind::Elf32) => (false, parse::<FileHeader32<Endianness>>(&image)?),
            Ok(FileKind::Elf64) => (true, parse::<FileHeader64<Endianness>>(&image)?),
            _ => return Err(ElfError::NotElf.into()),
        };
        if relocatable {
            layout::lay_out(&mut sections, &image);
            headers.segments = layout::segments(&sections);
        }
        let code = code_of(&sections, &headers.segments);
        Ok(Self {
            image,
            headers,
            is_64,
            relocatable,
            endian,
            sections,
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

    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Gives the pages back that were read of a mapped file.
    pub(crate) fn release(&self) {
        self.image.release();
    }

    /// Returns how many bytes of memory the image takes: none when it is mapped.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.image.read_bytes()
    }

    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Returns the section of this name, or of its `.zdebug_` spelling.
    ///
    /// An object has a `.debug_info` for each type unit besides its own
    /// (`-fdebug-types-section`), each in a group: these come last.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        let packed = name.strip_prefix(".debug_");
        let mut named = self.sections.iter().filter(|section| {
            let bytes = section.name(&self.image);
            let old = || bytes.strip_prefix(b".zdebug_".as_slice());
            bytes == name.as_bytes()
                || packed.is_some_and(|packed| old() == Some(packed.as_bytes()))
        });
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

    /// Returns where code can stand: ascending, disjoint virtual offsets.
    pub(crate) fn code_ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.code.covered().map(|(begin, end, _)| (begin, end))
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

type Parsed = (Endianness, bool, Vec<Section>);

fn parse<Elf: FileHeader<Endian = Endianness>>(data: &[u8]) -> Result<Parsed, Error> {
    let header = Elf::parse(data).map_err(|_| ElfError::Malformed("the ELF header"))?;
    let endian = header
        .endian()
        .map_err(|_| ElfError::Malformed("the byte order"))?;
    let sections = sections::<Elf>(header, endian, data).unwrap_or_default();
    Ok((endian, header.e_type(endian) == elf::ET_REL, sections))
}

fn sections<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    data: &[u8],
) -> object::Result<Vec<Section>> {
    let headers = header.section_headers(endian, data)?;
    let names = header.shstrndx(endian, data)?;
    let names = usize::try_from(names).ok().and_then(|at| headers.get(at));
    let names = names.and_then(|section| section.file_range(endian));
    let numbered = headers.iter().enumerate();
    Ok(numbered
        .map(|(index, section)| Section::new(section, index, endian, names))
        .collect())
}

/// Sections say it most exactly; a file without them has its segments; a file
/// with neither may have code anywhere.
fn code_of(sections: &[Section], segments: &Segments) -> Cover {
    let range = |begin: u64, size: u64| Item {
        begin,
        end: begin.saturating_add(size),
        rank: 0,
        value: 0,
    };
    let mut items: Vec<Item> = sections
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
    Cover::new(items, 1)
}
