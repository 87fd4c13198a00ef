//! Reads the memory of a process.

use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_types::AbsAddr;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::process::OpenProcess;

/// Returns `size` bytes at `start`. `None` if they may not or cannot be read completely.
///
/// The caller bounds `size`. Reading needs more permissions than the memory map:
/// `PTRACE_MODE_ATTACH_FSCREDS`.
pub(crate) fn read(process: &OpenProcess<'_>, start: AbsAddr, size: u64) -> Option<Vec<u8>> {
    let directory = process.maps.directory()?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let memory = openat(directory, "mem", flags, Mode::empty()).ok()?;
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    File::from(memory).read_exact_at(&mut bytes, start.0).ok()?;
    Some(bytes)
}
