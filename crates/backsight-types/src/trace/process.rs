//! What processes mapped and became.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::addr::FileOffset;
use crate::build_id::BuildId;
use crate::module::Device;
use crate::perms::Perms;
use crate::range::AbsRange;

/// The process that the kernel's own mappings are recorded under: its image, and its
/// modules.
pub const KERNEL_PID: u32 = u32::MAX;

/// What a process mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mmap {
    /// The addresses.
    pub range: AbsRange,
    /// Where in the file the first byte comes from.
    pub offset: FileOffset,
    /// What may be done with it.
    pub perms: Perms,
    /// The device of the file, as the record has it; `00:00` when it has none.
    pub device: Device,
    /// The inode of the file, as the record has it; 0 when it has none.
    pub inode: u64,
    /// The build ID, when the record carries one.
    pub build_id: Option<BuildId>,
    /// The name as the kernel gives it: a path, `[vdso]`, `//anon`, or nothing.
    pub name: Vec<u8>,
}

impl Mmap {
    /// Returns the name as a path, if it is one: `//anon` and `[vdso]` are none.
    ///
    /// ```
    /// # use backsight_types::trace::Mmap;
    /// let named = |name: &str| Mmap { name: name.into(), ..Mmap::default() };
    /// assert_eq!(named("/bin/sh").as_path(), Some("/bin/sh".as_ref()));
    /// assert_eq!(named("//anon").as_path(), None);
    /// ```
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        let is_path = self.name.starts_with(b"/") && !self.name.starts_with(b"//");
        is_path.then(|| Path::new(OsStr::from_bytes(&self.name)))
    }
}

/// What happened to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessChange {
    /// It mapped something, in place of what was there.
    Mmap(Mmap),
    /// It unmapped these addresses.
    Munmap(AbsRange),
    /// It changed what may be done with these addresses.
    Mprotect(AbsRange, Perms),
    /// It began as a copy of its parent.
    Fork {
        /// The parent's process ID.
        parent: u32,
    },
    /// It runs another program now: nothing of what was mapped is left.
    Exec,
    /// It ended. A later process can have the same ID.
    Exit,
}

/// What happened to a process, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// When, in nanoseconds of any one clock.
    pub time_ns: u64,
    /// Of which process.
    pub pid: u32,
    /// What happened.
    pub change: ProcessChange,
}

/// What happened to a thread, and when. Comes behind the record of its process's part of
/// the same fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRecord {
    /// When, in nanoseconds; 0 for before the recording began.
    pub time_ns: u64,
    /// Its process.
    pub pid: u32,
    /// Its ID.
    pub tid: u32,
    /// What became of it.
    pub change: ThreadChange,
}

/// What became of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadChange {
    /// It began, with the name of the thread that began it.
    Began {
        /// The process of that thread.
        parent_pid: u32,
        /// That thread.
        parent_tid: u32,
    },
    /// It has this name now.
    Named(Vec<u8>),
    /// It ended.
    Ended,
}
