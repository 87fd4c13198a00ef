//! Addresses for the sections of a relocatable object, which has none.
//!
//! In an object file or a kernel module (`ET_REL`) every section begins at 0, and
//! each tool has its own way with that: binutils asks for a section's name (`-j`),
//! llvm-symbolizer answers for whichever section it finds first. Here sections get
//! addresses, and virtual offsets mean those:
//!
//! ```text
//!   0 ──▶ .text │ .text.unlikely │ .exit.text │ .init.text │ data …
//! ```
//!
//! Code goes first, in the order of the section headers, each section aligned as it
//! asks to be; sections of a kernel module's initialization, `.init…`, follow, and
//! what is no code comes last. That is how the kernel lays the code of a module out
//! (`layout_sections` in kernel/module/main.c), so that the distance of an address
//! from a module's base is its virtual offset; and in an object with one section of
//! code it is the offset in this section, which is what the other tools mean.

use backsight_types::{FileOffset, Perms, Segment, Segments, VirtOffset};

use super::section::ElfSection;

/// Gives each section that would be loaded its address.
///
/// Sections that would pass the end of the address space keep 0 and their size: they
/// hold no code that anyone could ask for.
pub(super) fn lay_out(sections: &mut [ElfSection], image: &[u8]) {
    let mut next = Some(0_u64);
    for turn in [SectionGroup::Code, SectionGroup::Init, SectionGroup::Rest] {
        for section in sections.iter_mut() {
            if SectionGroup::of(section, image) != Some(turn) {
                continue;
            }
            let align = section.align.max(1);
            let start = next.and_then(|next| next.checked_next_multiple_of(align));
            section.addr = start.unwrap_or(0);
            next = start.and_then(|start| start.checked_add(section.size));
        }
    }
}

/// Returns where in the file the code of each section is.
pub(super) fn segments(sections: &[ElfSection]) -> Segments {
    let code = sections.iter().filter(|section| section.is_code());
    let segment = |section: &ElfSection| Segment {
        flags: Perms::READ | Perms::EXECUTE,
        file_offset: FileOffset(section.offset),
        virt_offset: VirtOffset(section.addr),
        file_size: section.size,
        memory_size: section.size,
    };
    Segments::new(code.map(segment).collect())
}

/// Which sections come when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SectionGroup {
    Code,
    Init,
    Rest,
}

impl SectionGroup {
    fn of(section: &ElfSection, image: &[u8]) -> Option<Self> {
        if !section.is_loaded() {
            None
        } else if !section.is_code() {
            Some(Self::Rest)
        } else if section.name(image).starts_with(b".init") {
            Some(Self::Init)
        } else {
            Some(Self::Code)
        }
    }
}
