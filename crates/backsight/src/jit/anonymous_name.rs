//! What the kernel and `perf` call memory without a file.

use backsight_types::{Module, Reason};

/// What the name of a file in memory begins with.
pub(crate) const MEMFD: &[u8] = b"/memfd:";

/// Whether this is the name of memory that is of no file: private or shared, or a segment of
/// System V.
pub(crate) fn is_anonymous_name(name: &[u8]) -> bool {
    let names: [&[u8]; 4] = [b"//anon", b"/anon_hugepage", b"/dev/zero", b"/SYSV"];
    names.iter().any(|one| name.starts_with(one))
}

/// Whether a module of a process is a file without a name that is no program: its maker unlinked it,
/// to have memory that it can map twice. It was read, or its beginning in memory: of a library that
/// was deleted and cannot be read, nobody knows.
pub(crate) fn is_unlinked_memory(module: &Module) -> bool {
    module.deleted
        && module.unreadable == Some(Reason::Unreadable)
        && module.segments.is_none()
        && module.build_id.is_none()
}
