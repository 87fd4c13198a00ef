//! The command that is asked: the one that is named, or ours as it is now.

use std::path::PathBuf;
use std::process::Command;

use crate::debian::said;
use crate::root::root;
use crate::stop::Stop;

/// Returns the command: BACKSIGHT, or what cargo builds.
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
