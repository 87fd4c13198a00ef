//! The GNU build ID note.
//!
//! Notes of other owners use the same type number 3: `.note.stapsdt`, the probes
//! of libc, is one. So the owner decides, not the type alone. Program headers go
//! first, as a file stripped of its section headers still has them; sections
//! serve object files and those whose linker script left `PT_NOTE` out.

use backsight_types::BuildId;
use object::elf;
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

/// A note segment beyond this is not looked at: real ones have a few hundred
/// bytes, and a forged size must not make us read a whole file.
const MAX_NOTES_SIZE: u64 = 1 << 20;

/// An object file made with `-ffunction-sections` can pass 65,535; four times
/// that is 16 MiB of headers.
const MAX_SECTIONS: u32 = 1 << 18;

/// Returns the first GNU build ID of the file's notes.
pub(crate) fn find<'d, Elf, R>(
    header: &Elf,
    endian: Endianness,
    programs: &[Elf::ProgramHeader],
    data: R,
) -> Option<BuildId>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let segments = programs
        .iter()
        .filter(|program| program.p_filesz(endian).into() <= MAX_NOTES_SIZE);
    let in_segments = segments
        .filter_map(|program| program.notes(endian, data).ok().flatten())
        .find_map(|notes| gnu_build_id::<Elf>(notes, endian));
    in_segments.or_else(|| {
        if header.shnum(endian, data).ok()? > MAX_SECTIONS {
            return None;
        }
        let sections = header.section_headers(endian, data).ok()?.iter();
        sections
            .filter(|section| section.sh_size(endian).into() <= MAX_NOTES_SIZE)
            .filter_map(|section| section.notes(endian, data).ok().flatten())
            .find_map(|notes| gnu_build_id::<Elf>(notes, endian))
    })
}

fn gnu_build_id<Elf>(mut notes: NoteIterator<'_, Elf>, endian: Endianness) -> Option<BuildId>
where
    Elf: FileHeader<Endian = Endianness>,
{
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
            return BuildId::from_bytes(note.desc()).ok();
        }
    }
    None
}
