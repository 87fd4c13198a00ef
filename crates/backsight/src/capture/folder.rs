//! The files of a recording: one, or those of the directory that `perf record --threads`
//! makes.
//!
//! In a directory `data` is as any recording, and `data.0`, `data.1`, … have what each
//! thread of perf wrote. Other names beside them, such as `kcore_dir`, are none of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_files::By;

use super::input::RecordingError;

/// Opens the files of a recording, `data` first where it is a directory.
///
/// # Errors
/// When one cannot be opened, or the directory is none of `perf`.
pub fn recording_files(path: &Path) -> Result<Vec<File>, RecordingError> {
    if !path.is_dir() {
        return Ok(vec![open(path)?]);
    }
    let main = path.join("data");
    if !main.is_file() {
        let path = path.to_owned();
        return Err(RecordingError::NotInFolder { path });
    }
    let all = std::iter::once(main).chain(numbered(path)?);
    all.map(|path| open(&path)).collect()
}

fn open(path: &Path) -> Result<File, RecordingError> {
    let opened = backsight_files::open(path, By::Caller);
    opened.map_err(|error| RecordingError::Io {
        operation: "open",
        path: path.to_owned(),
        error: error.into(),
    })
}

/// Returns `data.0`, `data.1`, … in their order, whichever of them there are.
fn numbered(dir: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    let failed = |error| RecordingError::Io {
        operation: "list",
        path: dir.to_owned(),
        error,
    };
    let mut numbers: Vec<u32> = Vec::new();
    for entry in dir.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("data."));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let path = |number| dir.join(format!("data.{number}"));
    Ok(numbers.into_iter().map(path).collect())
}
