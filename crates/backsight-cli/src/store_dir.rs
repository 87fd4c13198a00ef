//! Where the user's own store of files by build ID is.

use std::env;
use std::path::PathBuf;

/// Returns the directory of the store that is used unless another one is named.
///
/// It is among the user's data and not in the cache: an executable of last month's release may
/// be nowhere else, and whatever cleans up caches would remove it.
pub(crate) fn default_dir() -> Option<PathBuf> {
    let set = |name| {
        let value = env::var_os(name).map(PathBuf::from);
        // The XDG Base Directory Specification has relative paths ignored.
        value.filter(|path| path.is_absolute())
    };
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    Some(data.join("backsight/store"))
}
