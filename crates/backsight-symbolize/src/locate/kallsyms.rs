//! The list of a kernel's symbols that `perf record` keeps.
//!
//! ```text
//!   DEBUG_DIR/.build-id/77/c7…4d/kallsyms   as perf keeps it, in ~/.debug by default
//! ```
//!
//! Source: `build_id_cache__add` and `build_id_cache__basename` in `tools/perf/util/build-id.c`.

use std::fs::File;

use backsight_types::BuildId;

use super::search::{FileSearch, path_of};
use super::search_base::SearchBase;
use crate::options::Options;

/// Opens the list of symbols of the kernel with this build ID, in the format of
/// `/proc/kallsyms`, that `perf record` kept in one of [`Options::debug_dirs`].
///
/// The list itself has no build ID: the directory's name alone says whose it is. Its addresses
/// are those of the boot in which it was kept.
#[must_use]
pub fn open(id: BuildId, options: &Options) -> Option<File> {
    let base = SearchBase::default();
    let search = FileSearch {
        options,
        base: &base,
    };
    let name = path_of(&id).with_extension("").join("kallsyms");
    let mut sites = search.debug_dirs().map(|dir| dir.join(&name));
    sites.find_map(|site| site.open().ok())
}
