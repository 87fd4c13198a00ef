//! The owner and identity of a file.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Write permission of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Returns whether only root and this process's user can change a file or directory: one of them
/// owns it, and it is not writable by group or others.
#[must_use]
pub fn only_root_or_user_can_write(metadata: &Metadata) -> bool {
    let owner = metadata.uid();
    let ours = owner == 0 || owner == nix::unistd::geteuid().as_raw();
    ours && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

/// The identity of a file in one state. If a file is replaced, written to or given to another
/// owner, its identity changes.
///
/// The time of the last status change (`ctime`) is set by the kernel; a user cannot reset it
/// without changing the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// The device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change of content: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// The time of the last change of content or status, in the same form.
    pub changed: (i64, i64),
    /// The user ID of the owner.
    pub owner: u32,
    /// Whether [`only_root_or_user_can_write`] it.
    pub is_ours: bool,
}

impl Identity {
    /// Reads the identity of an open file.
    ///
    /// # Errors
    /// Those of `fstat`.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            owner: metadata.uid(),
            is_ours: only_root_or_user_can_write(metadata),
        }
    }
}
