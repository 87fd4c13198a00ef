//! Who can change a file, and which file it was.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Returns whether root and this process's user alone can change a file or a directory:
/// one of them owns it, and nobody else may write it.
#[must_use]
pub fn only_we_can_change(metadata: &Metadata) -> bool {
    let owner = metadata.uid();
    let ours = owner == 0 || owner == nix::unistd::geteuid().as_raw();
    ours && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

/// Which file it was, in which state: a file that is replaced, written to or given to
/// another owner has another identity.
///
/// The time of the last change of status (`ctime`) is the kernel's: nobody can set it to
/// what it was, short of setting the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device's number.
    pub device: u64,
    /// The number on it.
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// Seconds and nanoseconds since 1970 of the last change of its content.
    pub modified: (i64, i64),
    /// The same of the last change of content or status.
    pub changed: (i64, i64),
    /// The user that owns it.
    pub owner: u32,
    /// Whether [`only_we_can_change`] it.
    pub is_ours: bool,
}

impl Identity {
    /// Asks the system.
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
            is_ours: only_we_can_change(metadata),
        }
    }
}
