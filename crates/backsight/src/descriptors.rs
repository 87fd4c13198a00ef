//! How many descriptors this process may have.

use nix::sys::resource::{Resource, getrlimit};

/// Returns how many files of modules may stay open: a quarter of what this process may open
/// (`ulimit -n`). The rest is for processes, and for the program that this library is a part of.
pub(crate) fn for_files() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| soft / 4);
    limit.map_or(0, |most| usize::try_from(most).unwrap_or(usize::MAX))
}
