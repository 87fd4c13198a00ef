//! A file on its way into the store: a copy that has no name yet, or a hard link.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;

use backsight_files::Whole;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;

use crate::error::StoreError;
use crate::identify::identify;
use crate::place::StorePlace;

/// Copies a file to one that has no name yet, and which is to become `target`. The copy must
/// belong to the same place. Returns its size and times.
pub(crate) fn copy(
    file: &File,
    whole: &Whole,
    target: &Path,
    place: &StorePlace,
    limit: u64,
) -> Result<Metadata, StoreError> {
    let failed = |error: io::Error| StoreError::of_file("copy to", target, error);
    let mut from = file;
    from.seek(SeekFrom::Start(0)).map_err(failed)?;
    let copied = io::copy(&mut from.take(limit), &mut whole.as_file()).map_err(failed)?;
    if copied == limit && from.read(&mut [0]).map_err(failed)? > 0 {
        return Err(StoreError::TooLarge { limit });
    }
    let is_same = |it: &StorePlace| it.id == place.id && it.kind == place.kind;
    match identify(whole.as_file()) {
        Ok(places) if places.iter().any(is_same) => whole.as_file().metadata().map_err(failed),
        _ => Err(StoreError::Changed),
    }
}

/// How a hard link ended.
pub(crate) enum Linked {
    /// The file has the name, too.
    Done,
    /// The name is taken.
    Taken,
    /// This filesystem, or another one, or the kernel does not allow it: a copy is needed.
    Refused,
}

/// Gives an open file this name, too.
pub(crate) fn link(file: &File, target: &Path) -> Result<Linked, StoreError> {
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    let linked = linkat(
        AT_FDCWD,
        &*from,
        AT_FDCWD,
        target,
        AtFlags::AT_SYMLINK_FOLLOW,
    );
    match linked {
        Ok(()) => Ok(Linked::Done),
        Err(Errno::EEXIST) => Ok(Linked::Taken),
        // Other filesystem; files of others (protected_hardlinks); a filesystem without links,
        // or too many of this file; no /proc.
        Err(
            Errno::EXDEV
            | Errno::EPERM
            | Errno::EACCES
            | Errno::EOPNOTSUPP
            | Errno::EMLINK
            | Errno::ENOENT,
        ) => Ok(Linked::Refused),
        Err(errno) => Err(StoreError::of_file("link", target, errno.into())),
    }
}
