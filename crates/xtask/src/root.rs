//! The root of the repository.

use std::path::PathBuf;

/// Returns the root of the repository in which cargo runs this, which may differ from the one in
/// which it was built.
pub(crate) fn root() -> PathBuf {
    let said = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = said.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors()
        .nth(2)
        .expect("crates/xtask lies two below the root")
        .to_owned()
}
