//! Reads pprof: first the tables, then the samples, which refer to them.
//!
//! The decompressed message is kept in memory and read twice, because writers put samples first and
//! the strings last.

mod locations;
mod samples;
mod tables;

use std::io::Read;

use backsight_profile::Profile;

use self::tables::FileTables;
use crate::flaws::Flaws;
use crate::protobuf::{Error, Limits, MemoryBudget, unpack};

/// Reads a profile, gzipped or not. Returns it with counts of its flaws.
///
/// If the sample types are those of several events, as of a recording (`cpu-clock-samples`,
/// `cpu-clock`, `page-faults-samples`, …), a sample has the values of its event alone.
///
/// A malformed part is left out, or read as far as possible: a sample keeps the locations that
/// exist. Only damage that makes the whole file unreadable is an error.
///
/// # Errors
///
/// [`Error::Io`] if reading the input fails; [`Error::Malformed`] if it is not a pprof file, or is
/// damaged or cut off; [`Error::TooLarge`] if a limit is exceeded.
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
