//! Files of each kind, whose build IDs are `id`, 2, 3, 4.

#![allow(dead_code, reason = "each test file uses its part")]

mod stage;

use backsight_types::{BuildId, DebugId};
pub(crate) use stage::Stage;
use testkit::elf::{Elf, Note, SHT_NOBITS, SHT_PROGBITS, SHT_SYMTAB, Section, Shape};

/// What an ELF file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code.
    Stripped,
    /// Code and DWARF.
    Whole,
    /// DWARF, and code without bytes.
    Debug,
    /// A symbol table, and code without bytes.
    Symbols,
    /// A build ID alone.
    Empty,
}

/// An ELF file of this build; without a build ID for 0.
pub(crate) fn elf(id: u8, kind: Kind) -> Vec<u8> {
    let id = [id, 2, 3, 4];
    elf_of(if id[0] == 0 { &[] } else { &id }, kind)
}

/// An ELF file with this build ID; without one for no bytes.
pub(crate) fn elf_of(id: &[u8], kind: Kind) -> Vec<u8> {
    let text = Section {
        name: b".text".to_vec(),
        flags: 6,
        ..Section::default()
    };
    let loaded = Section {
        kind: SHT_PROGBITS,
        bytes: vec![0xcc; 300],
        ..text.clone()
    };
    let without_bytes = Section {
        kind: SHT_NOBITS,
        claimed_size: Some(300),
        ..text
    };
    let info = Section {
        name: b".debug_info".to_vec(),
        kind: SHT_PROGBITS,
        bytes: vec![1; 50],
        ..Section::default()
    };
    let symtab = Section {
        name: b".symtab".to_vec(),
        kind: SHT_SYMTAB,
        bytes: vec![0; 24],
        ..Section::default()
    };
    let mut elf = Elf::new(Shape::ELF64_LITTLE);
    if !id.is_empty() {
        elf = elf.note_section(".note.gnu.build-id", &[Note::gnu_build_id(id)], 4);
    }
    let sections = match kind {
        Kind::Stripped => vec![loaded],
        Kind::Whole => vec![loaded, info],
        Kind::Debug => vec![without_bytes, info],
        Kind::Symbols => vec![without_bytes, symtab],
        Kind::Empty => vec![without_bytes],
    };
    let elf = sections.into_iter().fold(elf, Elf::section);
    elf.build()
}

/// The header of a GSYM file of this build, and no functions.
pub(crate) fn gsym(id: u8) -> Vec<u8> {
    gsym_of(&[id, 2, 3, 4])
}

pub(crate) fn gsym_of(id: &[u8]) -> Vec<u8> {
    let mut header = b"MYSG\x01\x00\x04".to_vec();
    header.push(u8::try_from(id.len()).unwrap());
    header.resize(28, 0);
    header.extend_from_slice(id);
    header.resize(48, 0);
    header
}

/// A Breakpad file of this build, whose module has this name.
pub(crate) fn breakpad(id: u8, module: &str) -> Vec<u8> {
    let id = BuildId::from_bytes(&[id, 2, 3, 4]).unwrap();
    let debug_id = DebugId::of_build_id(&id)[0];
    format!("MODULE Linux x86_64 {debug_id} {module}\nPUBLIC 10 0 a\n").into_bytes()
}
