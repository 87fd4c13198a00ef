//! What the kernel and `perf` call memory without a file.

/// What the name of a file in memory begins with.
pub(crate) const MEMFD: &[u8] = b"/memfd:";

/// Whether this is the name of memory that is of no file: private or shared, or a segment of
/// System V.
pub(crate) fn is_anonymous_name(name: &[u8]) -> bool {
    let names: [&[u8]; 4] = [b"//anon", b"/anon_hugepage", b"/dev/zero", b"/SYSV"];
    names.iter().any(|one| name.starts_with(one))
}
