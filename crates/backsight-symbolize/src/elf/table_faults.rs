//! What is wrong with a file's symbol tables.
//!
//! Such a table yields fewer names or none, and the rest of the file is used. It is
//! reported, so that missing names have an explanation.

use backsight_index::engine::wide;
use object::Endianness;
use object::elf::{self, Sym32, Sym64};

use super::headers::ElfHeaders;
use super::section::ElfSection;
use super::symbol_table::{TableKind, linked};
use crate::error::Cause;

/// Returns the faults of a file's tables, as far as their headers show them.
pub(super) fn of(file: &ElfHeaders) -> Vec<Cause> {
    let tables = [
        (TableKind::Full, ".symtab"),
        (TableKind::Dynamic, ".dynsym"),
    ];
    let numbers = of_numbers(file).map(|wrong| Cause::Damaged {
        part: ".symtab_shndx",
        wrong,
    });
    let tables = tables.into_iter().filter_map(|(kind, part)| {
        let table = kind.section(file)?;
        let faults = of_table(file, table).into_iter();
        Some(faults.map(move |wrong| Cause::Damaged { part, wrong }))
    });
    tables.flatten().chain(numbers).collect()
}

/// Returns what is wrong with the section numbers of symbols in more sections than their
/// table can count: `SHT_SYMTAB_SHNDX`.
fn of_numbers(file: &ElfHeaders) -> Option<&'static str> {
    let mut sections = file.sections().iter();
    let numbers = sections.find(|section| section.kind == elf::SHT_SYMTAB_SHNDX.0)?;
    let table = TableKind::Full.section(file);
    let table = table.filter(|table| usize::try_from(numbers.link) == Ok(table.index));
    let Some(table) = table else {
        return Some("leads to no symbol table (sh_link): symbols in far sections are not read");
    };
    let symbols = table.size.checked_div(size_of_symbol(file)).unwrap_or(0);
    let needed = symbols.saturating_mul(wide(size_of::<u32>()));
    let bytes = numbers.raw(file.image());
    let suffices = bytes.is_some_and(|bytes| wide(bytes.len()) >= needed);
    (!suffices).then_some("has too few numbers: symbols in far sections are not read")
}

fn size_of_symbol(file: &ElfHeaders) -> u64 {
    wide(match file.is_64() {
        true => size_of::<Sym64<Endianness>>(),
        false => size_of::<Sym32<Endianness>>(),
    })
}

fn of_table(file: &ElfHeaders, table: &ElfSection) -> Vec<&'static str> {
    let size = size_of_symbol(file);
    let mut faults = Vec::new();
    match table.raw(file.image()) {
        None => faults.push("lies outside of the file (sh_offset, sh_size): it is not read"),
        Some(bytes) if !wide(bytes.len()).is_multiple_of(size) => {
            faults.push("ends within a symbol (sh_size): those before it are read");
        }
        Some(_) => {}
    }
    if table.entry_size.is_some_and(|said| said != size) {
        faults.push("says another size of a symbol (sh_entsize): read by the one of its class");
    }
    match linked(file, table) {
        None => faults.push("leads to no section of names (sh_link): it is not read"),
        Some(names) if names.raw(file.image()).is_none() => {
            faults.push("its names lie outside of the file: it is not read");
        }
        Some(_) => {}
    }
    faults
}
