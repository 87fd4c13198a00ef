//! Reads the build ID of a program.

use std::path::Path;
use std::process::Command;

use crate::debian::said;
use crate::stop::Stop;

/// Returns a program's build ID as printed by readelf.
pub(super) fn build_id(program: &Path) -> Result<Option<String>, Stop> {
    let notes = said(Command::new("readelf").arg("-n").arg(program)).map_err(Stop::CannotBeHad)?;
    let id = notes
        .lines()
        .find_map(|line| line.trim().strip_prefix("Build ID: "));
    Ok(id.map(|id| id.trim().to_owned()))
}
