//! Opens a recording that is a directory, as `perf record --threads` writes.

use std::fs::File;
use std::path::Path;

use backsight::{RecordingError, recording_files};

use super::format::InputFormat;
use crate::failure::{Failure, Result};
use crate::file::Shown;

/// The files of a recording, `data` first.
pub(super) struct Files {
    pub(super) all: Vec<File>,
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
    let failed = |error| Failure::io(Shown(dir), &error);
    let mut bytes = 0_u64;
    for file in &all {
        bytes = bytes.saturating_add(file.metadata().map_err(failed)?.len());
    }
    Ok(Files { all, bytes })
}
