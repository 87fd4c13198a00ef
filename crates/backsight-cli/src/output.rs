//! Writes files that appear only when they are complete.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use backsight_files::{FileError, Whole};

use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::interrupt;

/// Calls `write` to fill a new file, which replaces the one at `path` when it is complete. If
/// writing fails, the old file is kept.
///
/// If `path` is not a regular file, such as a pipe or a terminal, it is written directly.
pub(crate) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            let way_out = "create its directory first";
            Failure::of(Shown(path), format_args!("{error}: {way_out}"))
        }
        _ => Failure::io(Shown(path), &error),
    };
    let refused = |error: FileError| failed(error.into_error().into());
    let named = |failure: Failure| failure.on_writing(&Shown(path));
    let before = match path.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            let file = fs::OpenOptions::new().write(true).open(path);
            let mut out = BufWriter::new(file.map_err(failed)?);
            let done = write(&mut out).map_err(named)?;
            out.flush().map_err(failed)?;
            return Ok(done);
        }
        Ok(metadata) => Some(metadata),
        // A dangling symbolic link is not replaced.
        Err(error) if path.is_symlink() => return Err(failed(error)),
        Err(_) => None,
    };
    // A symbolic link is kept: the file that it points to is replaced.
    let target = match before {
        Some(_) => path.canonicalize().map_err(failed)?,
        None => path.to_owned(),
    };
    let mode = before.map_or(0o666, |metadata| metadata.permissions().mode() & 0o777);
    let begin = || Whole::begin(&target, mode);
    let (file, _removing) = interrupt::removing(begin, Whole::leftover).map_err(refused)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let done = write(&mut out).map_err(named)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.finish().map_err(refused)?;
    Ok(done)
}
