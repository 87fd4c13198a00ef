//! What a captured trace tells: records and samples, each at its time.

use crate::addr::{AbsAddr, FileOffset};
use crate::build_id::BuildId;
use crate::module::Device;
use crate::perms::Perms;
use crate::range::AbsRange;

/// The process that the kernel's own mappings are recorded under: its image, and its
/// modules.
pub const KERNEL_PID: u32 = u32::MAX;

/// What a process mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
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

/// What happened to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It mapped something, in place of what was there.
    Mmap(Mapping),
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

/// One record of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in nanoseconds of any one clock.
    pub time_ns: u64,
    /// Of which process.
    pub pid: u32,
    /// What happened.
    pub change: Change,
}

/// Addresses that were caught together, most often one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, on the clock of the records.
    pub time_ns: u64,
    /// In which process.
    pub pid: u32,
    /// The addresses, in any order.
    pub addrs: Vec<AbsAddr>,
}
