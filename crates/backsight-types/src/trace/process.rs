//! Changes of processes and threads in a trace.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::addr::FileOffset;
use crate::build_id::BuildId;
use crate::module::Device;
use crate::perms::Perms;
use crate::range::AbsRange;

/// The process ID of the kernel's own mappings: its image and its modules.
pub const KERNEL_PID: u32 = u32::MAX;

/// A mapping of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mmap {
    /// The addresses.
    pub range: AbsRange,
    /// The offset in the file of the first byte.
    pub offset: FileOffset,
    /// The access permissions.
    pub perms: Perms,
    /// The device of the file from the record; `00:00` if the record has none.
    pub device: Device,
    /// The inode of the file from the record; 0 if the record has none.
    pub inode: u64,
    /// The build ID, if the record has one.
    pub build_id: Option<BuildId>,
    /// The name from the kernel: a path, `[vdso]`, `//anon`, or empty.
    pub name: Vec<u8>,
    /// Whether the memory has no file, and is the text of this one. No record says so.
    pub moved: MovedText,
}

/// Whether executable memory without a file is text of a file that its program moved there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MovedText {
    /// The process was not asked, or gave no answer. Mappings around it may tell.
    #[default]
    Unknown,
    /// It was taken as the text of the file that the mapping names.
    Moved,
    /// The process was asked: it has other code there.
    Denied,
}

impl Mmap {
    /// Returns the name as a path; `None` for names such as `//anon` and `[vdso]`.
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

/// A change of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessChange {
    /// It mapped memory, which replaces mappings that overlap.
    Mmap(Mmap),
    /// It unmapped these addresses.
    Munmap(AbsRange),
    /// It changed the permissions of these addresses.
    Mprotect(AbsRange, Perms),
    /// It started as a copy of its parent.
    Fork {
        /// The parent's process ID.
        parent: u32,
    },
    /// It executed another program: all earlier mappings are gone.
    Exec,
    /// It ended. A later process can have the same ID.
    Exit,
}

/// A change of a process, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// The time in nanoseconds. All records use the same clock.
    pub time_ns: u64,
    /// The process ID.
    pub pid: u32,
    /// The change.
    pub change: ProcessChange,
}

/// A change of a thread, with its time. If the same event also changes the process, the
/// record of the process comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRecord {
    /// The time in nanoseconds; 0 if it was before the recording started.
    pub time_ns: u64,
    /// The ID of its process.
    pub pid: u32,
    /// Its ID.
    pub tid: u32,
    /// The change.
    pub change: ThreadChange,
}

/// A change of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadChange {
    /// It started, with the name of the thread that started it.
    Began {
        /// The process ID of that thread.
        parent_pid: u32,
        /// The ID of that thread.
        parent_tid: u32,
    },
    /// It was given this name.
    Named(Vec<u8>),
    /// It was found not running when recording began: since when, and with which stack, is not
    /// known.
    Waits,
    /// It ended.
    Ended,
}
