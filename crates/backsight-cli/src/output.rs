//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use backsight_files::Whole;

use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::interrupt;

/// Has `write` fill a file. It takes the place of what stood under `path` when all is
/// written: a run that fails leaves what was there.
///
/// A pipe, a terminal and other things that are no regular files are written to.
pub(crate) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let failed = |error: io::Error| Failure::io(Shown(path), &error);
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
        // A link that leads nowhere is not ours to replace.
        Err(error) if path.is_symlink() => return Err(failed(error)),
        Err(_) => None,
    };
    // A link stays one: what it leads to is replaced.
    let target = match before {
        Some(_) => path.canonicalize().map_err(failed)?,
        None => path.to_owned(),
    };
    let mode = before.map_or(0o666, |metadata| metadata.permissions().mode() & 0o777);
    let begin = || Whole::begin(&target, mode);
    let (file, _removing) = interrupt::removing(begin, Whole::leftover).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let done = write(&mut out).map_err(named)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.finish().map_err(failed)?;
    Ok(done)
}
