//! Rust's standard library for other targets.

use std::path::Path;
use std::process::Command;

use crate::root::root;

/// Whether Rust's standard library is installed for a target.
pub(crate) fn has_std(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc)
        .current_dir(root())
        .args(["--print", "target-libdir", "--target", triple])
        .output();
    asked.is_ok_and(|said| {
        let folder = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        Path::new(&folder).is_dir()
    })
}
