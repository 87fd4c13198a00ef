//! Word size and byte order, and writing numbers accordingly.

/// The width of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// `ELFCLASS32`.
    Elf32,
    /// `ELFCLASS64`.
    Elf64,
}

/// The byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `ELFDATA2LSB`: least significant byte first.
    Little,
    /// `ELFDATA2MSB`: most significant byte first.
    Big,
}

/// Word size and byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The width of addresses.
    pub bits: Bits,
    /// The byte order.
    pub order: Order,
}

impl Shape {
    /// The shape of x86-64 and aarch64.
    pub const ELF64_LITTLE: Self = Self {
        bits: Bits::Elf64,
        order: Order::Little,
    };

    /// All combinations.
    pub const ALL: [Self; 4] = [
        Self::ELF64_LITTLE,
        Self {
            bits: Bits::Elf64,
            order: Order::Big,
        },
        Self {
            bits: Bits::Elf32,
            order: Order::Little,
        },
        Self {
            bits: Bits::Elf32,
            order: Order::Big,
        },
    ];

    /// Returns the size of the ELF header; the program headers follow it.
    #[must_use]
    pub fn header_size(self) -> u64 {
        self.either(52, 64)
    }

    /// Returns the size of one program header.
    #[must_use]
    pub fn program_size(self) -> u64 {
        self.either(32, 56)
    }

    /// Returns the size of one section header.
    #[must_use]
    pub fn section_size(self) -> u64 {
        self.either(40, 64)
    }

    /// Returns the size of one symbol.
    #[must_use]
    pub fn symbol_size(self) -> u64 {
        self.either(16, 24)
    }

    fn either(self, elf32: u64, elf64: u64) -> u64 {
        match self.bits {
            Bits::Elf32 => elf32,
            Bits::Elf64 => elf64,
        }
    }

    /// `e_ident`.
    pub(super) fn ident(self) -> [u8; 16] {
        let mut ident = *b"\x7fELF\0\0\x01\0\0\0\0\0\0\0\0\0";
        ident[4] = match self.bits {
            Bits::Elf32 => 1,
            Bits::Elf64 => 2,
        };
        ident[5] = match self.order {
            Order::Little => 1,
            Order::Big => 2,
        };
        ident
    }
}

/// Bytes under construction, with their word size and byte order.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shape: Shape,
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shape: Shape) -> Self {
        let bytes = Vec::new();
        Self { shape, bytes }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes two bytes.
    pub(super) fn half(&mut self, value: u64) {
        let value = u16::try_from(value).expect("a number of 16 bits");
        match self.shape.order {
            Order::Little => self.raw(&value.to_le_bytes()),
            Order::Big => self.raw(&value.to_be_bytes()),
        }
    }

    /// Writes four bytes.
    pub(super) fn word(&mut self, value: u64) {
        let value = u32::try_from(value).expect("a number of 32 bits");
        match self.shape.order {
            Order::Little => self.raw(&value.to_le_bytes()),
            Order::Big => self.raw(&value.to_be_bytes()),
        }
    }

    /// Writes four bytes in a 32-bit file, otherwise eight.
    pub(super) fn address(&mut self, value: u64) {
        match (self.shape.bits, self.shape.order) {
            (Bits::Elf32, _) => self.word(value),
            (_, Order::Little) => self.raw(&value.to_le_bytes()),
            (_, Order::Big) => self.raw(&value.to_be_bytes()),
        }
    }

    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).expect("64 bits")
    }

    pub(super) fn zeros_to(&mut self, offset: u64) {
        let len = usize::try_from(offset).expect("a file that fits memory");
        assert!(
            len >= self.bytes.len(),
            "{offset:#x} lies within what is written"
        );
        self.bytes.resize(len, 0);
    }

    pub(super) fn align(&mut self, align: u64) {
        self.zeros_to(self.len().next_multiple_of(align));
    }

    pub(super) fn put_at(&mut self, offset: u64, bytes: &[u8]) {
        self.zeros_to(offset);
        self.raw(bytes);
    }
}
