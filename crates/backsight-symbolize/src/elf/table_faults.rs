//! What is wrong with a file's symbol tables.
//!
//! Such a table yields fewer names, or none, and the rest of the file stands: whoever
//! wonders where the names are should be told.

use object::Endianness;
use object::elf::{Sym32, Sym64};

use super::headed::Headed;
use super::section::Section;
use super::symbol_table::{TableKind, linked};
use crate::error::Error;
use crate::tally::wide;

/// Returns the faults of a file's tables, as far as their headers show them.
pub(super) fn of(file: &Headed) -> Vec<Error> {
    let tables = [
        (TableKind::Full, ".symtab"),
        (TableKind::Dynamic, ".dynsym"),
    ];
    let tables = tables.into_iter().filter_map(|(kind, part)| {
        let table = kind.section(file)?;
        let faults = of_table(file, table).into_iter();
        Some(faults.map(move |wrong| Error::Damaged { part, wrong }))
    });
    tables.flatten().collect()
}

fn of_table(file: &Headed, table: &Section) -> Vec<&'static str> {
    let size = match file.is_64() {
        true => size_of::<Sym64<Endianness>>(),
        false => size_of::<Sym32<Endianness>>(),
    };
    let size = wide(size);
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
