//! Whether links in `/proc/PID/map_files` may be followed, tried on this process's own.
//!
//! Such a link opens the mapped file itself, even if it was deleted or replaced. Following it
//! requires `CAP_CHECKPOINT_RESTORE` or `CAP_SYS_ADMIN` in the initial user namespace, which
//! processes in most containers do not have.

use std::fs::File;
use std::io;

use vma_query::{Filter, ProcMaps};

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

pub(super) fn check(host: &InspectedProc) -> Finding {
    match follow(host) {
        Ok(()) => Finding::ok("may be followed: deleted and replaced files can be read"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::limited(
            "may not be followed: files are opened by path and proven by inode and build ID; \
             deleted and replaced ones have no symbols",
            "run as root of the host, or with CAP_CHECKPOINT_RESTORE",
        ),
        Err(error) => Finding::missing(
            format!("/proc/self/map_files: {error}"),
            "files are opened by path, and proven by inode and build ID; Linux 4.3 and later \
             has map_files always",
        ),
    }
}

fn follow(host: &InspectedProc) -> io::Result<()> {
    let maps = ProcMaps::open_self().map_err(io::Error::other)?;
    let mut mapped = maps.vmas().only(Filter::FILE_BACKED);
    let first = mapped.next().ok_or(io::ErrorKind::NotFound)?;
    let range = first.map_err(io::Error::other)?.range();
    // The kernel names these links without leading zeros.
    let link = format!("self/map_files/{:x}-{:x}", range.start.0, range.end.0);
    File::open(host.path(link)).map(drop)
}
