//! The files of a recording: one file, or those of a directory made by `perf record --threads`.
//!
//! In such a directory, `data` is an ordinary recording, and `data.0`, `data.1`, … hold the
//! records of perf's threads. Other names, such as `kcore_dir`, are not part of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use backsight_files::{By, FileError};

use super::input::RecordingError;

/// Opens the files of a recording, and returns them with their paths; in a directory, `data` comes
/// first.
///
/// # Errors
/// If a file cannot be opened, or the directory was not written by perf.
pub fn recording_files(path: &Path) -> Result<Vec<(PathBuf, File)>, RecordingError> {
    if !path.is_dir() {
        return Ok(vec![open(path.to_owned())?]);
    }
    let main = path.join("data");
    if !main.is_file() {
        let path = path.to_owned();
        return Err(RecordingError::NotInFolder { path });
    }
    let all = std::iter::once(main).chain(numbered(path)?);
    all.map(open).collect()
}

fn open(path: PathBuf) -> Result<(PathBuf, File), RecordingError> {
    let file = backsight_files::open(&path, By::Caller)?;
    Ok((path, file))
}

/// Returns the existing files of `data.0`, `data.1`, …, by number.
fn numbered(dir: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    let failed = |error: io::Error| FileError::new("list", Some(dir), error);
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
