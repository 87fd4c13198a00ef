//! Which memory of a process is for code that it makes at run time, and what it is called.

use backsight_formats::perf_map::pid_in_name;
use backsight_types::trace::{KERNEL_PID, Mmap};
use backsight_types::{FileOffset, Module, ModuleKind};

use crate::jit::anonymous_name::{MEMFD, is_anonymous_name};

/// Whether a process makes code there: what `perf` takes for memory without a file, and shared
/// memory.
pub(super) fn is_made(pid: u32, mapping: &Mmap) -> bool {
    pid != KERNEL_PID && mapping.perms.is_executable() && is_anonymous_name(&mapping.name)
}

/// Whether a process may make code there: in a file in memory. It may also have a program in it.
pub(super) fn is_in_memfd(pid: u32, mapping: &Mmap) -> bool {
    let is_memfd = mapping.name.starts_with(MEMFD) && mapping.build_id.is_none();
    pid != KERNEL_PID && mapping.perms.is_executable() && is_memfd
}

/// Whether a process may make code there: in a file that has no name any more. It may also be a
/// library that was deleted.
pub(super) fn is_in_unlinked_file(pid: u32, mapping: &Mmap) -> bool {
    let is_unlinked = mapping.name.ends_with(b" (deleted)") && mapping.as_path().is_some();
    let may_be = is_unlinked && mapping.build_id.is_none() && !is_made(pid, mapping);
    pid != KERNEL_PID && mapping.perms.is_executable() && may_be
}

/// Calls memory as `perf` does, with addresses for offsets.
pub(super) fn called_as_perf_does(pid: u32, mapping: &mut Mmap) {
    *mapping = Mmap {
        range: mapping.range,
        perms: mapping.perms,
        offset: FileOffset(mapping.range.start.0),
        moved: mapping.moved,
        name: format!("/tmp/perf-{pid}.map").into_bytes(),
        ..Mmap::default()
    };
}

/// Tells memory that was called so from a file.
pub(super) fn told_from_file(module: &mut Module) {
    let is_file = module.inode != 0 || module.build_id.is_some();
    if !is_file && pid_in_name(&module.path).is_some() {
        module.kind = ModuleKind::Anonymous;
    }
}
