//! Downloads a program and its debug file.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::{self, Program};
use crate::debian::said;
use crate::stop::Stop;

/// A downloaded program and its debug file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The same as `path` if that contains the debug information, or if there is none.
    pub(super) debug: PathBuf,
    pub(super) arch: &'static str,
}

pub(super) fn fetch(dir: &Path, program: &Program) -> Result<Found, Stop> {
    let folder = program.release.programs(dir, program.packages)?;
    let path = programs::largest(&folder, program.file)
        .ok_or_else(|| Stop::Failed(format!("no {} in its packages", program.file)))?;
    let debug = debug_file(&path, &folder).unwrap_or_else(|| path.clone());
    Ok(Found {
        path,
        debug,
        arch: program.release.arch,
    })
}

/// Returns the debug file below a root directory that has the file's build ID.
pub(super) fn debug_file(path: &Path, root: &Path) -> Option<PathBuf> {
    let mut readelf = Command::new("readelf");
    let notes = said(readelf.arg("-nW").arg(path)).ok()?;
    let id = notes.lines().find_map(|line| line.split_once("Build ID: "));
    let (_, id) = id?;
    let (first, rest) = id.trim().split_at_checked(2)?;
    let below = format!("usr/lib/debug/.build-id/{first}/{rest}.debug");
    Some(root.join(below)).filter(|debug| debug.exists())
}
