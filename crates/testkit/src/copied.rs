//! Copies of files that tests run.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::process::Command;

/// Copies a file as `fs::copy` does, but in another process: a program may be run at once.
///
/// If this process wrote it, a child that another test starts meanwhile would hold the file open
/// for writing until it runs its own program, and the kernel runs no program that somebody writes
/// to (`ETXTBSY`, execve(2)). Clippy therefore refuses `fs::copy` (see `clippy.toml`).
///
/// # Errors
/// That of the system, or that of cp(1).
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    // `/proc/self` is another process there.
    let from = from.as_ref().canonicalize()?;
    let done = Command::new("cp")
        .arg("--")
        .arg(&from)
        .arg(to.as_ref())
        .output();
    let done = match done {
        // A guest has no more than the tests.
        #[expect(clippy::disallowed_methods, reason = "there is no other way")]
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return std::fs::copy(from, to).map(drop);
        }
        done => done?,
    };
    if done.status.success() {
        return Ok(());
    }
    Err(Error::other(
        String::from_utf8_lossy(&done.stderr).into_owned(),
    ))
}
