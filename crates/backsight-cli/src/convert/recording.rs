//! A recording that is a directory: `perf record --threads` makes one.
//!
//! `data` is as any recording, and `data.0`, `data.1`, … have what each thread of perf
//! wrote. Other names beside them, such as `kcore_dir`, are none of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::format::Input;
use crate::failure::{Failure, Result};
use crate::file::{Shown, open_regular};

/// The files of a recording, `data` first.
pub(super) struct Files {
    pub(super) all: Vec<File>,
    /// How large they are together.
    pub(super) bytes: u64,
}

/// Opens the files of a directory.
pub(super) fn open(dir: &Path, from: Option<Input>) -> Result<Files> {
    let main = dir.join("data");
    if from.is_some_and(|from| from != Input::Perf) || !main.is_file() {
        let cause = "a directory, and none that `perf record --threads` made: give a file";
        return Err(Failure::of(Shown(dir), cause));
    }
    let mut files = Files {
        all: Vec::new(),
        bytes: 0,
    };
    for path in std::iter::once(main).chain(numbered(dir)?) {
        let failed = |error| Failure::io(Shown(&path), &error);
        let file = open_regular(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        files.bytes = files.bytes.saturating_add(size);
        files.all.push(file);
    }
    Ok(files)
}

/// Returns `data.0`, `data.1`, … in their order, whichever of them there are.
fn numbered(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Failure::io(Shown(dir), &error);
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
