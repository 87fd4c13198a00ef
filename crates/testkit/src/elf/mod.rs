//! Builds ELF files of any shape, including invalid ones.
//!
//! ```
//! use testkit::elf::{Elf, Note, Program, Shape};
//!
//! let bytes = Elf::new(Shape::ELF64_LITTLE)
//!     .program(Program::load(5, 0x1240..0x1740, 0x2240)) // r-x
//!     .note_segment(&[Note::gnu_build_id(&[0xab; 20])], 4)
//!     .build();
//! assert_eq!(&bytes[..4], b"\x7fELF");
//! ```
//!
//! The layout is that of linkers: the ELF header, the program headers, the notes of segments,
//! then bytes at given offsets, the contents of sections, and the section headers. Every number
//! is correct unless the test overrides it, with [`Elf::claim`] or the `claimed` fields of a
//! part.
//!
//! Source: the System V ABI, chapters 4 and 5, and `elf(5)`.

mod kinds;
mod note;
mod section;
mod shape;

use std::ops::Range;

pub use kinds::{
    PT_LOAD, PT_NOTE, SHT_DYNSYM, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB,
};
pub use note::Note;
pub use section::{Section, Symbol};
pub use shape::{Bits, Order, Shape};

use section::StringTable;
use shape::Writer;

/// A program header, written as is, without checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// `p_type`.
    pub kind: u32,
    /// `p_flags`: 4 is readable, 2 writable, 1 executable.
    pub flags: u32,
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`, and `p_paddr` too.
    pub virt: u64,
    /// `p_filesz`.
    pub file_size: u64,
    /// `p_memsz`.
    pub memory_size: u64,
    /// `p_align`.
    pub align: u64,
}

impl Program {
    /// Returns a `PT_LOAD` header that loads this range of the file to `virt`.
    #[must_use]
    pub fn load(flags: u32, bytes: Range<u64>, virt: u64) -> Self {
        let size = bytes.end - bytes.start;
        Self {
            kind: PT_LOAD,
            flags,
            offset: bytes.start,
            virt,
            file_size: size,
            memory_size: size,
            align: 0x1000,
        }
    }
}

/// A field of the ELF header that a test can override.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `e_version`.
    Version,
    /// `e_phoff`.
    ProgramsOffset,
    /// `e_phentsize`.
    ProgramSize,
    /// `e_phnum`.
    ProgramCount,
    /// `e_shoff`.
    SectionsOffset,
    /// `e_shentsize`.
    SectionSize,
    /// `e_shnum`.
    SectionCount,
    /// `e_shstrndx`.
    SectionNames,
}

/// An ELF file under construction.
#[derive(Clone, Debug)]
pub struct Elf {
    shape: Shape,
    machine: u16,
    kind: u16,
    programs: Vec<Program>,
    note_segments: Vec<(Vec<u8>, u64)>,
    pinned: Vec<(u64, Vec<u8>)>,
    sections: Vec<Section>,
    has_sections: bool,
    claims: Vec<(Field, u64)>,
}

impl Elf {
    /// Creates a shared object (`ET_DYN`) for 32-bit or 64-bit x86.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            machine: match shape.bits {
                Bits::Elf32 => 3,
                Bits::Elf64 => 62,
            },
            kind: 3,
            programs: Vec::new(),
            note_segments: Vec::new(),
            pinned: Vec::new(),
            sections: Vec::new(),
            has_sections: true,
            claims: Vec::new(),
        }
    }

    /// Sets `e_machine`.
    #[must_use]
    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
        self
    }

    /// Sets `e_type`: 1 is an object file, 2 an executable, 3 a shared object.
    #[must_use]
    pub fn kind(mut self, kind: u16) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a program header. [`bytes_at`](Self::bytes_at) adds its bytes.
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.programs.push(program);
        self
    }

    /// Adds notes with a `PT_NOTE` header, aligned to 4 or 8 bytes.
    #[must_use]
    pub fn note_segment(mut self, notes: &[Note], align: u64) -> Self {
        let bytes = self.notes(notes, align);
        self.note_segments.push((bytes, align));
        self
    }

    /// Adds notes with a section header of type `SHT_NOTE`.
    #[must_use]
    pub fn note_section(self, name: &str, notes: &[Note], align: u64) -> Self {
        let bytes = self.notes(notes, align);
        self.section(Section {
            name: name.into(),
            kind: SHT_NOTE,
            bytes,
            align,
            ..Section::default()
        })
    }

    /// Writes bytes at an offset of the file.
    #[must_use]
    pub fn bytes_at(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.pinned.push((offset, bytes.to_vec()));
        self
    }

    /// Adds a section. The first has index 1.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds `.symtab` and its `.strtab`.
    #[must_use]
    pub fn symbols(self, symbols: &[Symbol]) -> Self {
        self.symbol_table(".symtab", SHT_SYMTAB, ".strtab", symbols)
    }

    /// Adds `.dynsym` and its `.dynstr`.
    #[must_use]
    pub fn dynamic_symbols(self, symbols: &[Symbol]) -> Self {
        self.symbol_table(".dynsym", SHT_DYNSYM, ".dynstr", symbols)
    }

    /// Omits the section headers, as `sstrip` does.
    #[must_use]
    pub fn without_sections(mut self) -> Self {
        self.has_sections = false;
        self
    }

    /// Overrides a field of the ELF header.
    #[must_use]
    pub fn claim(mut self, field: Field, value: u64) -> Self {
        self.claims.push((field, value));
        self
    }

    /// Returns the file.
    ///
    /// # Panics
    /// When bytes shall lie where others already do, and when a number does not
    /// fit its field: an address above 4 GiB in a 32-bit file.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let (programs, notes) = self.lay_out_notes();
        let mut body = Writer::new(self.shape);
        body.zeros_to(self.shape.header_size() + self.programs_size());
        notes.iter().for_each(|(at, bytes)| body.put_at(*at, bytes));
        let mut pinned: Vec<_> = self.pinned.iter().collect();
        pinned.sort_by_key(|(at, _)| *at);
        pinned
            .iter()
            .for_each(|(at, bytes)| body.put_at(*at, bytes));
        let sections_at = self.write_sections(&mut body);

        let mut head = Writer::new(self.shape);
        self.write_header(&mut head, sections_at);
        for program in &programs {
            write_program(&mut head, program);
        }
        let mut file = body.bytes;
        file[..head.bytes.len()].copy_from_slice(&head.bytes);
        file
    }

    fn notes(&self, notes: &[Note], align: u64) -> Vec<u8> {
        let mut out = Writer::new(self.shape);
        notes.iter().for_each(|note| note.write(&mut out, align));
        out.bytes
    }

    fn symbol_table(self, name: &str, kind: u32, strings: &str, symbols: &[Symbol]) -> Self {
        let mut names = StringTable::default();
        let mut out = Writer::new(self.shape);
        Symbol::default().write(&mut out, &mut names);
        for symbol in symbols {
            symbol.write(&mut out, &mut names);
        }
        let table = Section {
            name: name.into(),
            kind,
            bytes: out.bytes,
            align: 8,
            entry_size: self.shape.symbol_size(),
            // The index of the next section; the first is 1.
            link: u32::try_from(self.sections.len() + 2).expect("few sections"),
            info: 1,
            ..Section::default()
        };
        self.section(table).section(names.section(strings))
    }

    fn programs_size(&self) -> u64 {
        let count = self.programs.len() + self.note_segments.len();
        u64::try_from(count).expect("64 bits") * self.shape.program_size()
    }

    /// Assigns offsets and program headers to the notes of segments.
    fn lay_out_notes(&self) -> (Vec<Program>, Vec<(u64, &[u8])>) {
        let mut programs = self.programs.clone();
        let mut placed = Vec::new();
        let mut at = self.shape.header_size() + self.programs_size();
        for (bytes, align) in &self.note_segments {
            at = at.next_multiple_of(*align);
            let size = u64::try_from(bytes.len()).expect("64 bits");
            let note = Program::load(4, at..at + size, at);
            programs.push(Program {
                kind: PT_NOTE,
                align: *align,
                ..note
            });
            placed.push((at, bytes.as_slice()));
            at += size;
        }
        (programs, placed)
    }

    /// Appends contents and headers, and returns the offset of the headers.
    fn write_sections(&self, body: &mut Writer) -> u64 {
        if !self.has_sections {
            return 0;
        }
        let mut names = StringTable::default();
        let mut headers = Writer::new(self.shape);
        Section::default().write_header(&mut headers, 0, 0);
        for section in &self.sections {
            let name = names.add(&section.name);
            section.write_header(&mut headers, name, section.write_contents(body));
        }
        let name = names.add(b".shstrtab");
        let names = names.section(".shstrtab");
        names.write_header(&mut headers, name, names.write_contents(body));
        body.align(8);
        let at = body.len();
        body.put_at(at, &headers.bytes);
        at
    }

    fn write_header(&self, out: &mut Writer, sections_at: u64) {
        let says = |field, truth| {
            let claim = self.claims.iter().rfind(|(claimed, _)| *claimed == field);
            claim.map_or(truth, |(_, value)| *value)
        };
        let count = |n: usize| u64::try_from(n).expect("64 bits");
        let shape = self.shape;
        // Includes the null section and the section of names.
        let (sections, names) = match self.has_sections {
            true => (self.sections.len() + 2, self.sections.len() + 1),
            false => (0, 0),
        };
        let programs = count(self.programs.len() + self.note_segments.len());
        out.raw(&shape.ident());
        out.half(self.kind.into());
        out.half(self.machine.into());
        out.word(says(Field::Version, 1));
        out.address(0); // e_entry
        out.address(says(Field::ProgramsOffset, shape.header_size()));
        out.address(says(Field::SectionsOffset, sections_at));
        out.word(0); // e_flags
        out.half(shape.header_size());
        out.half(says(Field::ProgramSize, shape.program_size()));
        out.half(says(Field::ProgramCount, programs));
        out.half(says(Field::SectionSize, shape.section_size()));
        out.half(says(Field::SectionCount, count(sections)));
        out.half(says(Field::SectionNames, count(names)));
    }
}

fn write_program(out: &mut Writer, program: &Program) {
    out.word(program.kind.into());
    if out.shape.bits == Bits::Elf64 {
        out.word(program.flags.into());
    }
    out.address(program.offset);
    out.address(program.virt);
    out.address(program.virt);
    out.address(program.file_size);
    out.address(program.memory_size);
    if out.shape.bits == Bits::Elf32 {
        out.word(program.flags.into());
    }
    out.address(program.align);
}
