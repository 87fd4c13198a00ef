//! Notes other than the build ID.

use std::io::{Read, Seek};

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};

/// Notes beyond this are not read. Those of `/proc/kcore` have a few kilobytes.
const MAX_NOTES_SIZE: u64 = 1 << 20;

/// Returns the descriptor of the first note with this name in the `PT_NOTE` segments of an ELF
/// file, such as `VMCOREINFO` in `/proc/kcore`. Only headers and notes are read. `None` if there
/// is no such note, or if it cannot be read.
pub fn note_named(file: impl Read + Seek, name: &[u8]) -> Option<Vec<u8>> {
    let data = &ReadCache::new(file);
    match FileKind::parse(data) {
        Ok(FileKind::Elf32) => find::<elf::FileHeader32<Endianness>>(data, name),
        Ok(FileKind::Elf64) => find::<elf::FileHeader64<Endianness>>(data, name),
        _ => None,
    }
}

fn find<'d, Elf: FileHeader<Endian = Endianness>>(
    data: impl ReadRef<'d>,
    name: &[u8],
) -> Option<Vec<u8>> {
    let header = Elf::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let programs = header.program_headers(endian, data).ok()?.iter();
    let mut left = MAX_NOTES_SIZE;
    for program in programs {
        let size = program.p_filesz(endian).into();
        if program.p_type(endian) != elf::PT_NOTE || size > left {
            continue;
        }
        left = left.saturating_sub(size);
        let Ok(Some(mut notes)) = program.notes(endian, data) else {
            continue;
        };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == name {
                return Some(note.desc().to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::note_named;

    /// A core file with one segment of notes, as `/proc/kcore` begins.
    fn core(notes: &[u8]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        let half = |number: u16| number.to_le_bytes();
        file.extend([half(4), half(62)].concat());
        file.extend(1_u32.to_le_bytes());
        file.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
        file.extend(0_u32.to_le_bytes());
        file.extend([64, 56, 1, 0, 0, 0].map(half).concat());
        // PT_NOTE, at 120.
        file.extend([4_u32, 0].map(u32::to_le_bytes).concat());
        let size = u64::try_from(notes.len()).expect("small");
        file.extend([120, 0, 0, size, 0, 4].map(u64::to_le_bytes).concat());
        file.extend(notes);
        file
    }

    fn note(name: &str, desc: &[u8]) -> Vec<u8> {
        let len = |bytes: usize| u32::try_from(bytes).expect("small").to_le_bytes();
        let mut note = [len(name.len().saturating_add(1)), len(desc.len()), len(0)].concat();
        for part in [name.as_bytes(), desc] {
            note.extend(part);
            note.push(0);
            // The NUL belongs to a name, and is padding behind a descriptor.
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn a_note_is_found_by_its_name() {
        let notes = [note("CORE", b"abc"), note("VMCOREINFO", b"K=1\n")].concat();
        let found = |name: &[u8]| note_named(Cursor::new(core(&notes)), name);
        assert_eq!(found(b"VMCOREINFO").as_deref(), Some(&b"K=1\n"[..]));
        assert_eq!(found(b"CORE").as_deref(), Some(&b"abc"[..]));
        assert_eq!(found(b"GNU"), None);
    }

    #[test]
    fn damage_is_no_note() {
        let whole = core(&note("VMCOREINFO", b"K=1\n"));
        for len in 0..whole.len().saturating_sub(4) {
            let cut = whole.get(..len).expect("shorter");
            assert_eq!(note_named(Cursor::new(cut), b"VMCOREINFO"), None, "{len}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let found = note_named(Cursor::new(damaged), b"VMCOREINFO");
            assert!(found.is_none_or(|desc| desc.len() <= 8), "{at}");
        }
    }
}
