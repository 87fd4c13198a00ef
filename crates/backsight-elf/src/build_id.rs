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

/// The notes of a file beyond this are not looked at: real ones have a few
/// hundred bytes, and a forged size must not make us read a whole file. Nor may
/// many headers: 65,535 of them can claim the same mebibyte.
const MAX_NOTES_SIZE: u64 = 1 << 20;

/// An object file made with `-ffunction-sections` can pass 65,535; four times
/// that is 16 MiB of headers.
pub(crate) const MAX_SECTIONS: u32 = 1 << 18;

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
    let mut budget = MAX_NOTES_SIZE;
    let segments = programs
        .iter()
        .filter(|program| program.p_type(endian) == elf::PT_NOTE)
        .filter(|program| spend(&mut budget, program.p_filesz(endian).into()))
        .filter_map(|program| program.notes(endian, data).ok().flatten());
    let in_segments = find_in::<Elf>(segments, endian);
    in_segments.or_else(|| {
        if header.shnum(endian, data).ok()? > MAX_SECTIONS {
            return None;
        }
        let mut budget = MAX_NOTES_SIZE;
        let sections = header.section_headers(endian, data).ok()?.iter();
        let sections = sections
            .filter(|section| section.sh_type(endian) == elf::SHT_NOTE)
            .filter(|section| spend(&mut budget, section.sh_size(endian).into()))
            .filter_map(|section| section.notes(endian, data).ok().flatten());
        find_in::<Elf>(sections, endian)
    })
}

/// Returns the GNU build ID among notes that stand by themselves, in the byte order of
/// this machine: of the running kernel, such as `/sys/kernel/notes` has.
#[must_use]
pub fn build_id_in_notes(notes: &[u8]) -> Option<BuildId> {
    let endian = Endianness::default();
    let notes = NoteIterator::<elf::FileHeader64<Endianness>>::new(endian, 4, notes).ok()?;
    find_in(std::iter::once(notes), endian)
}

/// Takes `size` off the budget, or returns false when it is not enough.
fn spend(budget: &mut u64, size: u64) -> bool {
    let rest = budget.checked_sub(size);
    *budget = rest.unwrap_or(*budget);
    rest.is_some()
}

/// A note whose descriptor no build ID can have is passed over, as the kernel
/// does: another one may follow.
fn find_in<'d, Elf>(
    mut regions: impl Iterator<Item = NoteIterator<'d, Elf>>,
    endian: Endianness,
) -> Option<BuildId>
where
    Elf: FileHeader<Endian = Endianness>,
{
    regions.find_map(|region| {
        let notes = region.map_while(Result::ok);
        notes
            .filter(|note| note.name() == elf::ELF_NOTE_GNU)
            .filter(|note| note.n_type(endian) == elf::NT_GNU_BUILD_ID)
            .find_map(|note| BuildId::from_bytes(note.desc()).ok())
    })
}
