//! The command to compare: the given one, or the current build.

use std::path::PathBuf;
use std::process::Command;

use crate::debian::said;
use crate::root::root;
use crate::stop::Stop;

/// Returns the path in BACKSIGHT, or of the command that cargo builds.
pub(super) fn command_under_test() -> Result<PathBuf, Stop> {
    if let Some(named) = std::env::var_os("BACKSIGHT") {
        return Ok(PathBuf::from(named));
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release", "-p", "backsight-cli"]);
    said(build.current_dir(root()))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| root().join("target"));
    Ok(target.join("release/backsight"))
}
