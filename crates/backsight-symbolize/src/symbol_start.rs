//! Where one symbol of a file is, without reading the rest.

use std::fs::File;
use std::sync::Arc;

use backsight_types::{BuildId, VirtOffset};

use crate::damage_reporter::DamageReporter;
use crate::elf::{ElfFile, for_each};
use crate::error::Error;
use crate::locate::{FileSearch, SearchBase};
use crate::options::Options;
use crate::symbol_tables::SymbolTables;

/// Returns the virtual offset of the first symbol with this name in the symbol tables of a file:
/// of `_text` in `vmlinux`, for example. `None` if no symbol has the name.
///
/// # Errors
/// If the file cannot be read, or is not an ELF file.
pub fn symbol_start(
    file: &File,
    name: &str,
    options: &Options,
) -> Result<Option<VirtOffset>, Error> {
    let elf = ElfFile::read(file, None, options.limits.file_bytes, options)?;
    Ok(start_in(elf, name, options))
}

/// Returns the same of the debug file with this build ID, from the debug directories or a
/// fetcher. `None` also if there is no such file.
#[must_use]
pub fn symbol_start_in_debug_file(
    id: BuildId,
    name: &str,
    options: &Options,
) -> Option<VirtOffset> {
    let base = &SearchBase::default();
    let found = FileSearch { options, base }.debug_file(Some(id), None)?;
    start_in(found.elf, name, options)
}

fn start_in(elf: ElfFile, name: &str, options: &Options) -> Option<VirtOffset> {
    let mut start = None;
    let tables = SymbolTables::new(Some(&Arc::new(elf)), None, DamageReporter::default());
    tables.for_each_table(options, |file, table| {
        for_each(file, table, |row| {
            let found = row.name(options.limits.name_bytes);
            if start.is_none() && found.is_some_and(|found| file.text(found) == name.as_bytes()) {
                start = Some(VirtOffset(row.start));
            }
        });
    });
    start
}
