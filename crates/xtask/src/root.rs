//! Where the repository is.

use std::path::PathBuf;

/// Returns the root of the repository: of the tree that cargo runs this in, which need
/// not be the one that it was built in.
pub(crate) fn root() -> PathBuf {
    let said = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = said.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors()
        .nth(2)
        .expect("crates/xtask lies two below the root")
        .to_owned()
}
