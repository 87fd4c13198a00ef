//! pprof as a profile: tables first, then the samples that name their rows.
//!
//! The unpacked message is kept while it is read, and walked twice: writers put samples
//! first and the strings they name last.

mod locations;
mod samples;
mod tables;

use std::io::Read;

use backsight_profile::Profile;

use self::tables::FileTables;
use crate::flaws::Flaws;
use crate::protobuf::{Error, Limits, MemoryBudget, unpack};

/// Reads a profile, packed by gzip or not, and returns what was wrong with parts of it.
///
/// A malformed part is left out, or taken as far as it goes: a sample keeps the
/// locations that are there. Only what makes the whole senseless is an error.
///
/// # Errors
///
/// [`Error::Io`] from the input; [`Error::Malformed`] when it is no pprof file, or was
/// damaged or cut off; [`Error::TooLarge`] past the limits.
pub fn read(input: impl Read, limits: &Limits) -> Result<(Profile, Flaws), Error> {
    let mut budget = MemoryBudget::new(limits.memory);
    let message = unpack(input, &mut budget)?;
    let mut profile = Profile::default();
    let mut flaws = Flaws::default();
    let mut tables = FileTables::read(&message, &mut budget, &mut flaws)?;
    let spaces = tables.head(&mut profile, &mut flaws);
    let files = tables.mappings(&spaces, &mut profile, &mut budget, &mut flaws)?;
    let ids = tables.locations(&files, &mut profile, &mut budget, &mut flaws)?;
    tables.samples(&message, &ids, &mut profile, &mut budget, &mut flaws)?;
    Ok((profile, flaws))
}
