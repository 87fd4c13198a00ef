//! The rows of one symbol table.

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, pod};

use super::ElfFile;
use super::section::Section;

/// What a symbol says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    /// `STT_FUNC` and `STT_GNU_IFUNC`.
    Function,
    /// `STT_OBJECT`.
    Object,
    /// `STT_NOTYPE`: labels of assembly.
    Untyped,
}

/// One defined symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'d> {
    pub(crate) kind: SymbolKind,
    /// A virtual offset.
    pub(crate) start: u64,
    /// In bytes; 0 when the table does not say.
    pub(crate) size: u64,
    pub(super) binding: elf::SymbolBind,
    pub(super) section: Option<&'d Section>,
    strings: &'d [u8],
    /// Where the strings start in the image, and the name in them.
    strings_at: usize,
    name_at: usize,
}

impl Row<'_> {
    /// Returns where in the image the name starts and its length; `None` when it is
    /// empty, has more than `limit` bytes or runs out of the table.
    pub(crate) fn name(&self, limit: usize) -> Option<(usize, usize)> {
        let rest = self.strings.get(self.name_at..)?;
        let rest = rest.get(..limit.saturating_add(1)).unwrap_or(rest);
        let length = rest.iter().position(|byte| *byte == 0)?;
        let start = self.strings_at.saturating_add(self.name_at);
        (length > 0).then_some((start, length))
    }

    /// Returns whether code can stand there.
    pub(crate) fn is_in_code(&self, file: &ElfFile) -> bool {
        let section = self.section;
        section.map_or_else(|| file.is_code(self.start), Section::is_code)
    }
}

/// Calls `found` for each function, object and label that the table defines, in its
/// order. A table that is malformed has no symbols.
pub(crate) fn for_each<'d>(file: &'d ElfFile, table: &Section, found: impl FnMut(Row<'d>)) {
    // A symbol that cannot be read ends the table; those before it stand.
    let _: Option<()> = if file.is_64() {
        read::<FileHeader64<Endianness>>(file, table, found)
    } else {
        read::<FileHeader32<Endianness>>(file, table, found)
    };
}

fn read<'d, Elf: FileHeader<Endian = Endianness>>(
    file: &'d ElfFile,
    table: &Section,
    mut found: impl FnMut(Row<'d>),
) -> Option<()> {
    let (image, endian) = (file.image(), file.endian());
    let bytes = table.raw(image)?;
    // A table cut off in mid-symbol keeps those before.
    let count = bytes.len().checked_div(size_of::<Elf::Sym>())?;
    let (symbols, _) = pod::slice_from_bytes::<Elf::Sym>(bytes, count).ok()?;
    let strings = usize::try_from(table.link).ok();
    let strings = file.sections().get(strings?)?.raw(image)?;
    let strings_at = (strings.as_ptr().addr()).checked_sub(image.as_ptr().addr())?;
    let thumb = file.machine() == elf::EM_ARM.0;
    for symbol in symbols {
        let kind = match symbol.st_type() {
            elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
            elf::STT_OBJECT => SymbolKind::Object,
            elf::STT_NOTYPE => SymbolKind::Untyped,
            _ => continue,
        };
        if symbol.is_undefined(endian) {
            continue;
        }
        let mut start: u64 = symbol.st_value(endian).into();
        if thumb && kind == SymbolKind::Function {
            // The lowest bit says which instruction set, not where.
            start &= !1;
        }
        let section = symbol.st_shndx(endian).index().map(usize::from);
        let section = section.and_then(|at| file.sections().get(at));
        if file.is_relocatable() {
            // There a value counts from the section's begin, wherever that is.
            let base = section.map(|section| section.addr);
            let Some(virt) = base.and_then(|base| base.checked_add(start)) else {
                continue;
            };
            start = virt;
        }
        found(Row {
            kind,
            start,
            size: symbol.st_size(endian).into(),
            binding: symbol.st_bind(),
            section,
            strings,
            strings_at,
            name_at: usize::try_from(symbol.st_name(endian)).ok()?,
        });
    }
    Some(())
}
