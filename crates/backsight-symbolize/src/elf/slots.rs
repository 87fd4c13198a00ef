//! What the loader writes into the slots of a global offset table: the address of a
//! function, by its relocation.

use object::elf::{self, FileHeader32, FileHeader64, RelocationType};
use object::read::elf::{FileHeader, Rel, Rela, Sym};
use object::{Endianness, pod};

use super::headers::ElfHeaders;
use super::opd::Descriptors;
use super::symbol_table::{SymbolKind, TableKind, for_each, strings_of};

/// The slots of one file that get a function's address.
#[derive(Debug, Default)]
pub(super) struct GotSlots {
    /// In ascending order of their addresses.
    all: Vec<GotSlot>,
    /// Those of the table that is bound lazily, in its order: by their number there.
    lazy: Vec<u64>,
}

/// One slot.
#[derive(Clone, Copy, Debug)]
struct GotSlot {
    addr: u64,
    is_lazy: bool,
    target: SlotTarget,
}

#[derive(Clone, Copy, Debug)]
enum SlotTarget {
    /// A symbol of `.dynsym`, by its number, and what is added to it.
    Symbol(u32, u64),
    /// What the function at this address will return.
    Resolver(u64),
}

impl GotSlots {
    pub(super) fn read(file: &ElfHeaders) -> Self {
        if file.is_64() {
            read::<FileHeader64<Endianness>>(file)
        } else {
            read::<FileHeader32<Endianness>>(file)
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the number of the slot at this address. With `lazy`, it must be one
    /// that a procedure linkage table alone uses.
    pub(super) fn at(&self, addr: u64, lazy: bool) -> Option<usize> {
        let at = self
            .all
            .binary_search_by_key(&addr, |slot| slot.addr)
            .ok()?;
        let slot = self.all.get(at)?;
        (slot.is_lazy || !lazy).then_some(at)
    }

    /// Returns the number of the slot that the relocation of this number is for.
    pub(super) fn of_relocation(&self, number: u32) -> Option<usize> {
        let addr = self.lazy.get(usize::try_from(number).ok()?)?;
        self.at(*addr, true)
    }

    /// Adds to `names` what the slot's function is called, in at most `allowance` bytes.
    pub(super) fn write_name(
        &self,
        slot: usize,
        namer: &SlotNames<'_>,
        allowance: usize,
        names: &mut Vec<u8>,
    ) -> Option<()> {
        let (name, addend) = match self.all.get(slot)?.target {
            SlotTarget::Symbol(symbol, addend) => (namer.symbol(symbol, allowance)?, addend),
            SlotTarget::Resolver(addr) => match namer.resolver(addr) {
                Some(name) => (name.get(..name.len().min(allowance))?, 0),
                // That is how binutils has it: no symbol, and a number.
                None => (b"*ABS*".as_slice(), addr),
            },
        };
        names.extend_from_slice(name);
        if addend != 0 {
            names.extend_from_slice(format!("+{addend:#x}").as_bytes());
        }
        Some(())
    }
}

/// Finds the names of the functions that slots point to.
pub(super) struct SlotNames<'d> {
    file: &'d ElfHeaders,
    /// The names of `.dynsym`, and where each symbol's is.
    strings: &'d [u8],
    symbols: Vec<usize>,
    /// The resolvers, in ascending order, and their names: those of the functions that
    /// they find.
    resolvers: Vec<(u64, &'d [u8])>,
}

/// Longer names of IFUNC resolvers are ignored.
const MAX_RESOLVER_NAME: usize = 1024;

impl<'d> SlotNames<'d> {
    pub(super) fn new(
        file: &'d ElfHeaders,
        descriptors: Option<&'d Descriptors>,
        slots: &GotSlots,
    ) -> Self {
        let names = if file.is_64() {
            name_places::<FileHeader64<Endianness>>(file)
        } else {
            name_places::<FileHeader32<Endianness>>(file)
        };
        let (strings, symbols) = names.unwrap_or_default();
        Self {
            file,
            strings,
            symbols,
            resolvers: resolvers(file, descriptors, slots),
        }
    }

    /// Returns how many bytes all names together may have: each is in the file, and
    /// something beside it that is longer than what is added to it.
    pub(super) fn allowance(&self) -> usize {
        self.file.image().len()
    }

    fn symbol(&self, number: u32, allowance: usize) -> Option<&'d [u8]> {
        let at = *self.symbols.get(usize::try_from(number).ok()?)?;
        let name = self.strings.get(at..)?;
        let name = name.get(..allowance).unwrap_or(name);
        let length = name.iter().position(|byte| *byte == 0)?;
        name.get(..length).filter(|name| !name.is_empty())
    }

    fn resolver(&self, addr: u64) -> Option<&'d [u8]> {
        let at = self
            .resolvers
            .binary_search_by_key(&addr, |(addr, _)| *addr);
        let (_, name) = self.resolvers.get(at.ok()?)?;
        (!name.is_empty()).then_some(*name)
    }
}

/// Returns the resolvers and what the symbols there are called: of several the one with
/// fewer leading underscores, the shorter, the first of the alphabet.
fn resolvers<'d>(
    file: &'d ElfHeaders,
    descriptors: Option<&'d Descriptors>,
    slots: &GotSlots,
) -> Vec<(u64, &'d [u8])> {
    let all = slots.all.iter().filter_map(|slot| match slot.target {
        SlotTarget::Resolver(addr) => Some((addr, [].as_slice())),
        SlotTarget::Symbol(..) => None,
    });
    let mut all: Vec<(u64, &'d [u8])> = all.collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return all;
    }
    let rank = |name: &[u8]| {
        let underscores = name.iter().take_while(|byte| **byte == b'_').count();
        (name.is_empty(), underscores, name.len())
    };
    for table in [TableKind::Full, TableKind::Dynamic] {
        for_each(file, descriptors, table, |row| {
            let at = all.binary_search_by_key(&row.start, |(addr, _)| *addr);
            let known = at.ok().and_then(|at| all.get_mut(at));
            let wanted = known.filter(|_| row.kind == SymbolKind::Function);
            if let (Some((_, known)), Some(place)) = (wanted, row.name(MAX_RESOLVER_NAME)) {
                let name = file.bytes(place);
                if (rank(name), name) < (rank(known), *known) {
                    *known = name;
                }
            }
        });
    }
    all
}

fn name_places<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfHeaders,
) -> Option<(&[u8], Vec<usize>)> {
    let table = TableKind::Dynamic.section(file)?;
    let bytes = table.raw(file.image())?;
    let count = bytes.len().checked_div(size_of::<Elf::Sym>())?;
    let (symbols, _) = pod::slice_from_bytes::<Elf::Sym>(bytes, count).ok()?;
    let names = symbols.iter().map(|symbol| {
        let at = symbol.st_name(file.endian());
        usize::try_from(at).unwrap_or(usize::MAX)
    });
    Some((strings_of(file, table)?, names.collect()))
}

/// What a relocation writes into a slot, on one machine.
struct RelocationKinds {
    /// A function's address, once it is called.
    lazy: RelocationType,
    /// A function's address, at once.
    now: RelocationType,
    /// What a function returns.
    resolved: RelocationType,
}

impl RelocationKinds {
    fn of(file: &ElfHeaders) -> Option<Self> {
        let kinds = |lazy, now, resolved| RelocationKinds {
            lazy,
            now,
            resolved,
        };
        Some(match elf::Machine(file.machine()) {
            elf::EM_X86_64 => kinds(
                elf::R_X86_64_JUMP_SLOT,
                elf::R_X86_64_GLOB_DAT,
                elf::R_X86_64_IRELATIVE,
            ),
            elf::EM_386 => kinds(
                elf::R_386_JMP_SLOT,
                elf::R_386_GLOB_DAT,
                elf::R_386_IRELATIVE,
            ),
            elf::EM_AARCH64 => kinds(
                elf::R_AARCH64_JUMP_SLOT,
                elf::R_AARCH64_GLOB_DAT,
                elf::R_AARCH64_IRELATIVE,
            ),
            elf::EM_ARM => kinds(
                elf::R_ARM_JUMP_SLOT,
                elf::R_ARM_GLOB_DAT,
                elf::R_ARM_IRELATIVE,
            ),
            elf::EM_RISCV if file.is_64() => kinds(
                elf::R_RISCV_JUMP_SLOT,
                elf::R_RISCV_64,
                elf::R_RISCV_IRELATIVE,
            ),
            elf::EM_RISCV => kinds(
                elf::R_RISCV_JUMP_SLOT,
                elf::R_RISCV_32,
                elf::R_RISCV_IRELATIVE,
            ),
            elf::EM_S390 => kinds(
                elf::R_390_JMP_SLOT,
                elf::R_390_GLOB_DAT,
                elf::R_390_IRELATIVE,
            ),
            _ => return None,
        })
    }
}

/// One relocation, of either layout.
struct SlotRelocation {
    addr: u64,
    kind: RelocationType,
    symbol: u32,
    /// `None` when it stands in the slot.
    addend: Option<u64>,
}

fn read<Elf: FileHeader<Endian = Endianness>>(file: &ElfHeaders) -> GotSlots {
    let mut slots = GotSlots::default();
    let Some(kinds) = RelocationKinds::of(file).filter(|_| !file.is_relocatable()) else {
        return slots;
    };
    let endian = file.endian();
    // Forged headers may all claim the same bytes.
    let mut allowance = file.image().len();
    for section in file.sections().iter().filter(|section| section.is_loaded()) {
        let is_rela = section.kind == elf::SHT_RELA.0;
        if !is_rela && section.kind != elf::SHT_REL.0 {
            continue;
        }
        let bytes = section.raw(file.image()).unwrap_or_default();
        let Some(left) = allowance.checked_sub(bytes.len()) else {
            break;
        };
        allowance = left;
        if is_rela {
            let relocations = all::<Elf::Rela>(bytes).iter().map(|rela| SlotRelocation {
                addr: rela.r_offset(endian).into(),
                kind: rela.r_type(endian, false),
                symbol: rela.r_sym(endian, false),
                addend: Some(rela.r_addend(endian).into().cast_unsigned()),
            });
            slots.add(file, &kinds, relocations);
        } else {
            let relocations = all::<Elf::Rel>(bytes).iter().map(|rel| SlotRelocation {
                addr: rel.r_offset(endian).into(),
                kind: rel.r_type(endian),
                symbol: rel.r_sym(endian),
                addend: None,
            });
            slots.add(file, &kinds, relocations);
        }
    }
    slots.all.sort_by_key(|slot| slot.addr);
    slots.all.dedup_by_key(|slot| slot.addr);
    slots
}

fn all<T: pod::Pod>(bytes: &[u8]) -> &[T] {
    let count = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
    pod::slice_from_bytes(bytes, count).map_or(&[], |(all, _)| all)
}

impl GotSlots {
    fn add(
        &mut self,
        file: &ElfHeaders,
        kinds: &RelocationKinds,
        relocations: impl Iterator<Item = SlotRelocation> + Clone,
    ) {
        for relocation in relocations.clone() {
            let target = if relocation.kind == kinds.resolved {
                let addr = relocation.addend.or_else(|| file.word_at(relocation.addr));
                addr.map(SlotTarget::Resolver)
            } else if [kinds.lazy, kinds.now].contains(&relocation.kind) {
                // In the slot stands what the lazy way needs, and no addend.
                let addend = relocation.addend.unwrap_or(0);
                Some(SlotTarget::Symbol(relocation.symbol, addend))
            } else {
                None
            };
            self.all.extend(target.map(|target| GotSlot {
                addr: relocation.addr,
                is_lazy: relocation.kind != kinds.now,
                target,
            }));
        }
        let is_lazy = |relocation: SlotRelocation| relocation.kind == kinds.lazy;
        if self.lazy.is_empty() && relocations.clone().any(is_lazy) {
            self.lazy = relocations.map(|relocation| relocation.addr).collect();
        }
    }
}
