//! Which build a file is of, and where it belongs, by its own contents.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use backsight_elf::{ElfContents, Error, ReadError};
use backsight_sources::breakpad::{BreakpadError, BreakpadModule};
use backsight_sources::gsym::{GsymError, build_id_in};

use crate::error::StoreError;
use crate::place::StorePlace;
use crate::stored::StoredKind;

/// The first lines of a Breakpad file, and the header of GSYM, are in so many bytes.
const FIRST_BYTES: u64 = 4096;

/// Why a file has no place in the store.
pub(crate) enum Unidentified {
    NoBuildId,
    /// It is of no format that is kept.
    NotRecognized,
    /// An ELF file with neither code nor DWARF nor symbols.
    Empty,
    Failed(StoreError),
}

/// Returns the places where a file may go, the preferred one first; or why there is none.
pub(crate) fn identify(file: &File) -> Result<Vec<StorePlace>, Unidentified> {
    let first = first_bytes(file).map_err(|error| {
        Unidentified::Failed(StoreError::File(backsight_files::FileError::new(
            "read", None, error,
        )))
    })?;
    if first.starts_with(b"\x7fELF") {
        return elf_places(file);
    }
    match build_id_in(&first) {
        Ok(Some(id)) => return Ok(vec![StorePlace::of_gsym(&id)]),
        Ok(None) => return Err(Unidentified::NoBuildId),
        Err(GsymError::NotGsym) => {}
        Err(error) => return Err(damaged(error)),
    }
    match BreakpadModule::read(&first) {
        Ok(module) => match StorePlace::of_breakpad(module.debug_id, &module.name) {
            Some(place) => Ok(vec![place]),
            None => Err(Unidentified::Failed(StoreError::ModuleName)),
        },
        Err(BreakpadError::NotBreakpad) => Err(Unidentified::NotRecognized),
        Err(error) => Err(damaged(error)),
    }
}

fn elf_places(file: &File) -> Result<Vec<StorePlace>, Unidentified> {
    let contents = ElfContents::read(file).map_err(|error| match error {
        ReadError::Elf(Error::NotElf) => Unidentified::NotRecognized,
        error => damaged(error),
    })?;
    let id = contents.build_id.ok_or(Unidentified::NoBuildId)?;
    let kinds: &[StoredKind] = match (contents.has_loaded_bytes, contents.has_dwarf) {
        // Beside an executable without DWARF, it is the debug file.
        (true, true) => &[StoredKind::Executable, StoredKind::DebugFile],
        (true, false) => &[StoredKind::Executable],
        (false, true) => &[StoredKind::DebugFile],
        (false, false) if contents.has_symtab => &[StoredKind::DebugFile],
        (false, false) => return Err(Unidentified::Empty),
    };
    let places = kinds.iter().map(|kind| StorePlace::of_elf(&id, *kind));
    let mut places: Vec<StorePlace> = places
        .collect::<Option<_>>()
        .ok_or(Unidentified::Failed(StoreError::ShortBuildId))?;
    if let Some(first) = places.first_mut() {
        first.has_dwarf = contents.has_dwarf;
    }
    Ok(places)
}

fn damaged(why: impl std::fmt::Display) -> Unidentified {
    Unidentified::Failed(StoreError::Damaged(why.to_string()))
}

fn first_bytes(mut file: &File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut first = Vec::new();
    file.take(FIRST_BYTES).read_to_end(&mut first)?;
    Ok(first)
}
