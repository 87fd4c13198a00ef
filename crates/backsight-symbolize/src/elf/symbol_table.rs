//! The rows of one symbol table: which symbols it yields, where each lies, and how far
//! it may reach.
//!
//! A table also has symbols that name neither code nor data. They are dropped here, for
//! all callers:
//!
//! - Undefined symbols, and those that lie in no section of this file. An absolute one
//!   (`SHN_ABS`) is a number: the size of an embedded blob, a version's name, a
//!   value given to the linker by `--defsym`. It may look like an address.
//! - Mapping symbols, by which ARM, AArch64 and RISC-V say where code and data begin:
//!   local, untyped, of size 0, `$a` or `$d.7`. Any other name may begin with `$`:
//!   Swift's do. Sources: "Mapping symbols" in AAELF32, AAELF64 and the RISC-V psABI.
//! - Marks of the end of a section, such as `_etext`, name nothing behind them, and end the
//!   symbol before them: [`linker_marks`](backsight_sources::linker_marks).
//! - Labels that the assembler made or kept (`.L5`): local, untyped, of size 0. On
//!   RISC-V they stay in the table, as the linker still moves code about.

use backsight_sources::linker_marks::is_end_mark;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, U32, pod};

use super::headers::ElfHeaders;
use super::opd::Descriptors;
use super::section::ElfSection;

/// More bytes than the name of a mark has.
const LONGEST_MARK: usize = 64;

/// Which of a file's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// `.symtab`.
    Full,
    /// `.dynsym`.
    Dynamic,
    /// The stubs of procedure linkage tables, which no table names:
    /// [`plt`](super::plt).
    Stubs,
}

impl TableKind {
    pub(super) fn section(self, file: &ElfHeaders) -> Option<&ElfSection> {
        let wanted = match self {
            Self::Full => elf::SHT_SYMTAB,
            Self::Dynamic => elf::SHT_DYNSYM,
            Self::Stubs => return None,
        };
        let mut sections = file.sections().iter();
        sections.find(|section| section.kind == wanted.0)
    }
}

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
pub(crate) struct SymbolRow<'d> {
    pub(crate) kind: SymbolKind,
    /// A virtual offset.
    pub(crate) start: u64,
    /// In bytes; 0 when the table does not say.
    pub(crate) size: u64,
    pub(super) binding: elf::SymbolBind,
    /// Where the code ends that it lies in: no name reaches further, whatever its size.
    /// `None` when it does not lie in code.
    pub(super) limit: Option<u64>,
    pub(super) strings: &'d [u8],
    /// Where the strings start, as [`ElfFile::text`](super::file::ElfFile::text) counts, and the name in them.
    pub(super) strings_at: usize,
    pub(super) name_at: usize,
}

impl SymbolRow<'_> {
    /// Returns where in [`ElfFile::text`](super::file::ElfFile::text) the name starts and its length; `None` when it is
    /// empty, has more than `limit` bytes or runs out of the table.
    pub(crate) fn name(&self, limit: usize) -> Option<(usize, usize)> {
        let rest = self.strings.get(self.name_at..)?;
        let rest = rest.get(..limit.saturating_add(1)).unwrap_or(rest);
        let length = rest.iter().position(|byte| *byte == 0)?;
        let start = self.strings_at.saturating_add(self.name_at);
        (length > 0).then_some((start, length))
    }

    /// Returns whether code can stand there.
    pub(crate) fn is_in_code(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns whether it is a symbol such as `_etext`, behind which there is nothing of its
    /// name. One with a size or a type is a function.
    fn is_end_mark(&self) -> bool {
        let name = || {
            let rest = self.strings.get(self.name_at..).unwrap_or_default();
            let rest = rest.get(..LONGEST_MARK).unwrap_or(rest);
            rest.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        self.kind == SymbolKind::Untyped && self.size == 0 && is_end_mark(name())
    }

    /// Returns whether it is one of those marks that name nothing.
    fn is_mark(&self, machine: u16) -> bool {
        let plain =
            self.kind == SymbolKind::Untyped && self.binding == elf::STB_LOCAL && self.size == 0;
        let name = || self.strings.get(self.name_at..).unwrap_or_default();
        // `.L5` is the compiler's, `..@7.loop` one of a macro of NASM or YASM.
        let is_assemblers = || name().starts_with(b".L") || name().starts_with(b"..@");
        plain && (is_assemblers() || is_mapping(name(), machine))
    }
}

/// Whether a name, and what is behind it in the table, is that of a mapping symbol.
fn is_mapping(name: &[u8], machine: u16) -> bool {
    let Some((&kind, rest)) = name.strip_prefix(b"$").and_then(<[u8]>::split_first) else {
        return false;
    };
    let ends = matches!(rest.first(), None | Some(0 | b'.'));
    match elf::Machine(machine) {
        elf::EM_ARM => matches!(kind, b'a' | b't' | b'd') && ends,
        elf::EM_AARCH64 => matches!(kind, b'x' | b'd') && ends,
        // `$xrv64gc` also says which instructions.
        elf::EM_RISCV => match kind {
            b'x' => ends || rest.starts_with(b"rv"),
            b'd' => ends,
            _ => false,
        },
        _ => false,
    }
}

/// Calls `found` for each function, object and label that the table defines, in its
/// order. A table that is missing or malformed has no symbols.
pub(super) fn for_each<'d>(
    file: &'d ElfHeaders,
    descriptors: Option<&'d Descriptors>,
    table: TableKind,
    found: impl FnMut(SymbolRow<'d>),
) {
    // A symbol that cannot be read ends the table; those before it stand.
    let _: Option<()> = if file.is_64() {
        read::<FileHeader64<Endianness>>(file, descriptors, table, found)
    } else {
        read::<FileHeader32<Endianness>>(file, descriptors, table, found)
    };
}

fn read<'d, Elf: FileHeader<Endian = Endianness>>(
    file: &'d ElfHeaders,
    descriptors: Option<&'d Descriptors>,
    table: TableKind,
    mut found: impl FnMut(SymbolRow<'d>),
) -> Option<()> {
    let (image, endian) = (file.image(), file.endian());
    let table = table.section(file)?;
    let bytes = table.raw(image)?;
    // A table cut off in mid-symbol keeps those before.
    let count = bytes.len().checked_div(size_of::<Elf::Sym>())?;
    let (symbols, _) = pod::slice_from_bytes::<Elf::Sym>(bytes, count).ok()?;
    let strings = strings_of(file, table)?;
    let strings_at = (strings.as_ptr().addr()).checked_sub(image.as_ptr().addr())?;
    let numbers = section_numbers(file, table);
    let machine = file.machine();
    let functions = FunctionValue::of(file, descriptors);
    for (at, symbol) in symbols.iter().enumerate() {
        let Some(kind) = kind(symbol.st_type(), machine) else {
            continue;
        };
        let number = numbers.get(at).map(|number| number.get(endian));
        let Some(home) = SymbolSection::of(file, symbol.st_shndx(endian), number) else {
            continue;
        };
        let (mut start, size): (u64, u64) = (
            symbol.st_value(endian).into(),
            symbol.st_size(endian).into(),
        );
        if file.is_relocatable() {
            // There a value counts from the section's begin, wherever that is.
            let Some(virt) = home.base().and_then(|base| base.checked_add(start)) else {
                continue;
            };
            start = virt;
        }
        let mut limit = home.limit(file, start, size);
        if kind == SymbolKind::Function {
            (start, limit) = functions.place(file, start, limit);
        }
        let mut row = SymbolRow {
            kind,
            start,
            size,
            binding: symbol.st_bind(),
            limit,
            strings,
            strings_at,
            name_at: usize::try_from(symbol.st_name(endian)).ok()?,
        };
        if row.limit.is_some() && row.is_end_mark() {
            // It ends the symbol before it.
            row.limit = Some(row.start);
        }
        if !row.is_mark(machine) {
            found(row);
        }
    }
    Some(())
}

fn kind(kind: elf::SymbolType, machine: u16) -> Option<SymbolKind> {
    match kind {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => Some(SymbolKind::Function),
        // Thumb code of old compilers.
        elf::STT_ARM_TFUNC if machine == elf::EM_ARM.0 => Some(SymbolKind::Function),
        elf::STT_OBJECT => Some(SymbolKind::Object),
        elf::STT_NOTYPE => Some(SymbolKind::Untyped),
        _ => None,
    }
}

/// Returns the names of this table's symbols.
pub(super) fn strings_of<'d>(file: &'d ElfHeaders, table: &ElfSection) -> Option<&'d [u8]> {
    linked(file, table)?.raw(file.image())
}

/// Returns the section of names that a table's header leads to. Another section has no
/// names, whatever its bytes look like.
pub(super) fn linked<'d>(file: &'d ElfHeaders, table: &ElfSection) -> Option<&'d ElfSection> {
    let at = usize::try_from(table.link).ok()?;
    let section = file.sections().get(at)?;
    (section.kind == elf::SHT_STRTAB.0).then_some(section)
}

/// Returns the section numbers that do not fit the symbols of `table`, one for each:
/// `SHT_SYMTAB_SHNDX`, whose link is the table.
fn section_numbers<'d>(file: &'d ElfHeaders, table: &ElfSection) -> &'d [U32<Endianness>] {
    let mut sections = file.sections().iter();
    let wanted = |section: &&ElfSection| {
        section.kind == elf::SHT_SYMTAB_SHNDX.0 && usize::try_from(section.link) == Ok(table.index)
    };
    let bytes = sections.find(wanted).and_then(|all| all.raw(file.image()));
    let bytes = bytes.unwrap_or_default();
    let count = bytes.len().checked_div(size_of::<u32>()).unwrap_or(0);
    pod::slice_from_bytes(bytes, count).map_or(&[], |(numbers, _)| numbers)
}

/// The section that a symbol names.
#[derive(Clone, Copy)]
enum SymbolSection<'d> {
    Section(&'d ElfSection),
    /// The section has no header that could be read, as after `sstrip`: the address
    /// decides.
    Unknown,
}

impl<'d> SymbolSection<'d> {
    /// Returns `None` for what lies nowhere in this file.
    fn of(file: &'d ElfHeaders, index: elf::SymbolSection, number: Option<u32>) -> Option<Self> {
        let at = match index {
            elf::SHN_UNDEF => return None,
            elf::SHN_XINDEX => usize::try_from(number?).ok()?,
            // Code of IRIX, which has no sections for it.
            elf::SHN_MIPS_TEXT if file.machine() == elf::EM_MIPS.0 => {
                return Some(Self::Unknown);
            }
            _ => usize::from(index.index()?),
        };
        if !file.has_section_headers() {
            return Some(Self::Unknown);
        }
        Some(file.sections().get(at).map_or(Self::Unknown, Self::Section))
    }

    fn base(self) -> Option<u64> {
        match self {
            Self::Section(section) => Some(section.addr),
            Self::Unknown => None,
        }
    }

    /// Returns where the code ends that a symbol at `start` lies in.
    ///
    /// Linker scripts may give a symbol the section before its address. With a size it
    /// covers the code at its address, without one nothing.
    fn limit(self, file: &ElfHeaders, start: u64, size: u64) -> Option<u64> {
        let section = match self {
            Self::Section(section) if section.is_code() => section,
            Self::Section(_) => return None,
            Self::Unknown => return file.code_end(start),
        };
        let end = section.addr.saturating_add(section.size);
        if (section.addr..end).contains(&start) {
            Some(end)
        } else {
            let nothing = Some(start);
            let sized = (size > 0).then(|| file.code_end(start));
            sized.flatten().or(nothing)
        }
    }
}

/// What the value of a function symbol means on a machine.
enum FunctionValue<'d> {
    Address,
    /// The lowest bit says which instruction set, not where.
    WithMode,
    /// Of a descriptor, or of code: old compilers have a symbol for each, `f` and `.f`.
    Described(&'d Descriptors),
}

impl<'d> FunctionValue<'d> {
    fn of(file: &ElfHeaders, descriptors: Option<&'d Descriptors>) -> Self {
        if [elf::EM_ARM.0, elf::EM_MIPS.0].contains(&file.machine()) {
            return Self::WithMode;
        }
        descriptors.map_or(Self::Address, Self::Described)
    }

    /// Returns where the first instruction is, and where the code around it ends.
    fn place(&self, file: &ElfHeaders, start: u64, limit: Option<u64>) -> (u64, Option<u64>) {
        match self {
            Self::Address => (start, limit),
            Self::WithMode => (start & !1, limit),
            Self::Described(descriptors) => {
                let entry = || descriptors.entry(start, file.endian());
                let entry = limit.is_none().then(entry).flatten();
                entry.map_or((start, limit), |entry| (entry, file.code_end(entry)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object::elf;

    use super::is_mapping;

    #[test]
    fn mapping_symbols_are_those_of_the_machine() {
        let (arm, aarch64) = (elf::EM_ARM.0, elf::EM_AARCH64.0);
        let (riscv, x86) = (elf::EM_RISCV.0, elf::EM_X86_64.0);
        let cases: [(&[u8], &[u16]); 14] = [
            (b"$a\0", &[arm]),
            (b"$t\0next", &[arm]),
            (b"$d\0", &[arm, aarch64, riscv]),
            (b"$x\0", &[aarch64, riscv]),
            (b"$d.12\0", &[arm, aarch64, riscv]),
            (b"$x.realpath\0", &[aarch64, riscv]),
            (b"$xrv64i2p1_m2p0\0", &[riscv]),
            (b"$x", &[aarch64, riscv]),
            (b"$s4main3fooyyF\0", &[]),
            (b"$dart\0", &[]),
            (b"$ab\0", &[]),
            (b"$", &[]),
            (b"$\0", &[]),
            (b"a$a\0", &[]),
        ];
        for (name, machines) in cases {
            for machine in [arm, aarch64, riscv, x86] {
                let want = machines.contains(&machine);
                let shown = String::from_utf8_lossy(name);
                assert_eq!(is_mapping(name, machine), want, "{shown} on {machine}");
            }
        }
    }
}
