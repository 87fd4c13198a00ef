//! DWARF 4 written byte by byte, for shapes and lies no compiler makes.

use testkit::elf::{Bits, Elf, Order, SHT_PROGBITS, Section, Shape};

/// Where the code stands, and how much of it there is.
pub(crate) const CODE: std::ops::Range<u64> = 0x1000..0x2000;

/// Codes of [`ABBREV`].
pub(crate) const UNIT: u8 = 1;
/// A function with name and code, and children.
pub(crate) const FUNCTION: u8 = 2;
/// An inlined call with origin, code and line, and children.
pub(crate) const INLINED: u8 = 3;
/// A function without code: a name alone.
pub(crate) const ABSTRACT: u8 = 4;
/// A function with code whose name is elsewhere.
pub(crate) const COPY: u8 = 5;
/// A function whose name and code are elsewhere.
pub(crate) const LINK: u8 = 6;
/// A function without code and name: the line that declares it alone.
pub(crate) const NAMELESS: u8 = 7;

#[rustfmt::skip]
pub(crate) const ABBREV: &[u8] = &[
    // code, tag, children, then attribute and form: name string(8), low_pc(0x11)
    // addr(1), high_pc(0x12) data4(6), origin(0x31) ref4(0x13), call_line(0x59)
    // data1(0xb)
    UNIT, 0x11, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0,
    FUNCTION, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0,
    INLINED, 0x1d, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0x59, 0x0b, 0, 0,
    ABSTRACT, 0x2e, 0, 0x03, 0x08, 0, 0,
    COPY, 0x2e, 0, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0, 0,
    LINK, 0x2e, 0, 0x31, 0x13, 0, 0,
    // decl_line(0x3b) data1
    NAMELESS, 0x2e, 0, 0x3b, 0x0b, 0, 0,
    0,
];

/// A unit to be.
pub(crate) struct Unit {
    shape: Shape,
    bytes: Vec<u8>,
}

impl Unit {
    /// Begins a unit whose root covers [`CODE`].
    pub(crate) fn new(shape: Shape) -> Self {
        let mut unit = Self {
            shape,
            bytes: Vec::new(),
        };
        unit.word(0); // The length comes when it is known.
        unit.half(4);
        unit.word(0);
        unit.byte(match shape.bits {
            Bits::Elf32 => 4,
            Bits::Elf64 => 8,
        });
        unit.byte(UNIT);
        unit.text("unit.c");
        unit.code(CODE);
        unit
    }

    /// Returns where the next DIE stands in the unit.
    pub(crate) fn here(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("a small unit")
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn half(&mut self, value: u16) {
        match self.shape.order {
            Order::Little => self.bytes.extend(value.to_le_bytes()),
            Order::Big => self.bytes.extend(value.to_be_bytes()),
        }
    }

    pub(crate) fn word(&mut self, value: u32) {
        match self.shape.order {
            Order::Little => self.bytes.extend(value.to_le_bytes()),
            Order::Big => self.bytes.extend(value.to_be_bytes()),
        }
    }

    pub(crate) fn address(&mut self, value: u64) {
        match (self.shape.bits, self.shape.order) {
            (Bits::Elf32, _) => self.word(u32::try_from(value).expect("32 bits")),
            (_, Order::Little) => self.bytes.extend(value.to_le_bytes()),
            (_, Order::Big) => self.bytes.extend(value.to_be_bytes()),
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes.extend(text.as_bytes());
        self.byte(0);
    }

    /// `DW_AT_low_pc` and `DW_AT_high_pc`.
    pub(crate) fn code(&mut self, code: std::ops::Range<u64>) {
        self.address(code.start);
        self.word(u32::try_from(code.end - code.start).expect("32 bits"));
    }

    pub(crate) fn function(&mut self, name: &str, code: std::ops::Range<u64>) {
        self.byte(FUNCTION);
        self.text(name);
        self.code(code);
    }

    pub(crate) fn inlined(&mut self, origin: u32, code: std::ops::Range<u64>, line: u8) {
        self.byte(INLINED);
        self.word(origin);
        self.code(code);
        self.byte(line);
    }

    /// Ends the children of the innermost open DIE.
    pub(crate) fn end(&mut self) {
        self.byte(0);
    }

    /// Ends the root and returns the bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.end();
        self.cut()
    }

    /// Returns the bytes, without what would end the DIEs that are open.
    pub(crate) fn cut(mut self) -> Vec<u8> {
        let length = self.here() - 4;
        let rest = self.bytes.split_off(4);
        self.bytes.clear();
        self.word(length);
        self.bytes.extend(rest);
        self.bytes
    }
}

/// Returns a file with [`CODE`] in its section 1 and these debug sections.
pub(crate) fn elf(shape: Shape, sections: &[(&str, &[u8])]) -> Elf {
    let code = Section {
        name: ".text".into(),
        kind: SHT_PROGBITS,
        flags: 6,
        virt: CODE.start,
        bytes: vec![0x90; usize::try_from(CODE.end - CODE.start).expect("small")],
        ..Section::default()
    };
    let mut elf = Elf::new(shape).section(code);
    for (name, bytes) in sections {
        elf = elf.section(debug_section(name, bytes, 0));
    }
    elf
}

pub(crate) fn debug_section(name: &str, bytes: &[u8], flags: u64) -> Section {
    Section {
        name: name.into(),
        kind: SHT_PROGBITS,
        flags,
        bytes: bytes.to_vec(),
        align: 1,
        ..Section::default()
    }
}
