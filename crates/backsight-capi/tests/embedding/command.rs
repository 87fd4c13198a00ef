//! The command, for comparison.

use std::path::PathBuf;

use super::common::built;

/// The command, if it was built with the tests.
pub(crate) fn command() -> Option<PathBuf> {
    let path = built().parent()?.join("backsight");
    path.is_file().then_some(path)
}
