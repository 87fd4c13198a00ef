//! Opens a recording that is a directory, as `perf record --threads` writes.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight::{RecordingError, recording_files};

use super::format::InputFormat;
use crate::failure::{Failure, Result};
use crate::file::Shown;

/// The files of a recording, `data` first.
pub(super) struct Files {
    pub(super) all: Vec<(PathBuf, File)>,
    /// Their total size.
    pub(super) bytes: u64,
}

/// Opens the files of a directory.
pub(super) fn open(dir: &Path, from: Option<InputFormat>) -> Result<Files> {
    let none = || {
        let cause = "a directory that `perf record --threads` did not write: give a file";
        Failure::of(Shown(dir), cause)
    };
    if from.is_some_and(|from| from != InputFormat::Perf) {
        return Err(none());
    }
    let all = recording_files(dir).map_err(|error| match error {
        RecordingError::File(error) => Failure::io(
            Shown(error.path().unwrap_or(dir)),
            &error.error().clone().into(),
        ),
        _ => none(),
    })?;
    let mut bytes = 0_u64;
    for (path, file) in &all {
        let metadata = file.metadata();
        let metadata = metadata.map_err(|error| Failure::io(Shown(path), &error))?;
        bytes = bytes.saturating_add(metadata.len());
    }
    Ok(Files { all, bytes })
}
