//! Where separate debug files are.
//!
//! ```text
//!   DIR/.build-id/77/c7…4d.debug        DIR is /usr/lib/debug by default
//! ```
//!
//! A file found there counts only when it carries the build ID itself: a stale
//! one would give wrong lines without a word.

use std::path::{Path, PathBuf};

use backsight_types::BuildId;

use crate::elf::ElfFile;
use crate::image::{self, Image};
use crate::{Error, Options};

/// Returns the first debug file of this build ID that can be used.
///
/// Returns `None` when there is none, as well as when those that stand there
/// cannot be read or carry another build ID.
pub(crate) fn debug_file(build_id: &BuildId, options: &Options) -> Option<ElfFile> {
    let mut dirs = options.debug_dirs.iter();
    dirs.find_map(|dir| open(&path_of(dir, build_id), build_id, options).ok())
}

fn path_of(dir: &Path, build_id: &BuildId) -> PathBuf {
    let digits = build_id.to_string();
    let (first, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    dir.join(".build-id")
        .join(first)
        .join(format!("{rest}.debug"))
}

fn open(path: &Path, build_id: &BuildId, options: &Options) -> Result<ElfFile, Error> {
    let file = image::open_regular(path)?;
    let image = Image::of_file(&file, options.access, options.limits.file_bytes)?;
    let elf = ElfFile::parse(image)?;
    if elf.build_id() == Some(*build_id) {
        Ok(elf)
    } else {
        Err(Error::BuildIdMismatch)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::path_of;

    #[test]
    fn the_first_byte_is_the_directory() {
        let cases = [
            ("77c7aa4d", "/d/.build-id/77/c7aa4d.debug"),
            ("ab", "/d/.build-id/ab/.debug"),
        ];
        for (id, want) in cases {
            let path = path_of(Path::new("/d"), &id.parse().unwrap());
            assert_eq!(path, PathBuf::from(want), "{id}");
        }
    }
}
