//! Safe wrappers of `PROCMAP_QUERY`: they take a [`Query`] and return a [`Vma`] or an
//! error.

use std::fs::File;

use backsight_types::{AbsAddr, BuildId, Device, FileOffset, Perms};
use nix::errno::Errno;

use crate::name::NameBuf;
use crate::query::Query;
use crate::sys::ProcmapQuery;
use crate::vma::Vma;

/// Why a query has no answer. The meaning of each errno was measured on Linux 6.18 and is
/// from `do_procmap_query` in `fs/proc/task_mmu.c`. The type is small because every query
/// returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// `ENOENT`: no VMA matches.
    NoMatch,
    /// `ENAMETOOLONG`: a VMA matches, but its name does not fit the buffer.
    NameTooLong,
    /// `ESRCH`: the process is gone.
    ProcessGone,
    /// `ENOMEM`: the kernel is out of memory.
    OutOfMemory,
    /// Any other errno: the kernel may not support the ioctl.
    Refused(Errno),
}

impl QueryError {
    /// Returns the errno that it was made from.
    pub(crate) fn errno(self) -> Errno {
        match self {
            Self::NoMatch => Errno::ENOENT,
            Self::NameTooLong => Errno::ENAMETOOLONG,
            Self::ProcessGone => Errno::ESRCH,
            Self::OutOfMemory => Errno::ENOMEM,
            Self::Refused(errno) => errno,
        }
    }
}

/// The maximum length of a build ID that the kernel writes (`BUILD_ID_SIZE_MAX`). The
/// buffer is never shorter, because some kernels fail with shorter ones.
const BUILD_ID_ROOM: usize = 20;

/// Asks for a VMA without its name.
#[inline]
pub(crate) fn ask(maps: &File, query: Query) -> Result<Vma, QueryError> {
    let mut raw = ProcmapQuery::new(query.flags(), query.addr.0);
    match raw.run(maps, &mut Vec::new(), &mut []) {
        Ok(_) => Ok(vma(&raw)),
        Err(errno) => Err(query_error(errno)),
    }
}

/// Asks for a VMA and its name.
#[inline]
pub(crate) fn ask_named(maps: &File, query: Query, name: &mut NameBuf) -> Result<Vma, QueryError> {
    let mut raw = ProcmapQuery::new(query.flags(), query.addr.0);
    match raw.run(maps, name.room(), &mut []) {
        Ok(_) => Ok(vma(&raw)),
        Err(errno) => Err(query_error(errno)),
    }
}

/// Asks for a VMA and the GNU build ID of the mapped file.
pub(crate) fn ask_build_id(
    maps: &File,
    query: Query,
) -> Result<(Vma, Option<BuildId>), QueryError> {
    ask_for_both(maps, query, &mut Vec::new())
}

/// Asks for a VMA, its name, and the GNU build ID of the mapped file.
pub(crate) fn ask_identified(
    maps: &File,
    query: Query,
    name: &mut NameBuf,
) -> Result<(Vma, Option<BuildId>), QueryError> {
    ask_for_both(maps, query, name.room())
}

fn ask_for_both(
    maps: &File,
    query: Query,
    name: &mut Vec<u8>,
) -> Result<(Vma, Option<BuildId>), QueryError> {
    let mut raw = ProcmapQuery::new(query.flags(), query.addr.0);
    let mut bytes = [0; BUILD_ID_ROOM];
    let written = raw.run(maps, name, &mut bytes).map_err(query_error)?;
    let build_id = bytes.get(..written).map(BuildId::from_bytes);
    Ok((vma(&raw), build_id.and_then(Result::ok)))
}

#[cold]
fn query_error(errno: Errno) -> QueryError {
    match errno {
        Errno::ENOENT => QueryError::NoMatch,
        Errno::ENAMETOOLONG => QueryError::NameTooLong,
        Errno::ESRCH => QueryError::ProcessGone,
        Errno::ENOMEM => QueryError::OutOfMemory,
        _ => QueryError::Refused(errno),
    }
}

#[inline]
fn vma(raw: &ProcmapQuery) -> Vma {
    Vma {
        start: AbsAddr(raw.vma_start),
        end: AbsAddr(raw.vma_end),
        offset: FileOffset(raw.vma_offset),
        // The low four bits are the permission flags, the same as in the query. Later
        // kernels may set higher bits.
        perms: Perms::from_bits((raw.vma_flags & 0xf) as u8),
        device: Device {
            major: raw.dev_major,
            minor: raw.dev_minor,
        },
        inode: raw.inode,
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{QueryError, query_error};

    #[test]
    fn each_errno_has_its_meaning() {
        let cases = [
            (Errno::ENOENT, QueryError::NoMatch),
            (Errno::ENAMETOOLONG, QueryError::NameTooLong),
            (Errno::ESRCH, QueryError::ProcessGone),
            (Errno::ENOMEM, QueryError::OutOfMemory),
        ];
        for (errno, want) in cases {
            assert_eq!(query_error(errno), want, "{errno}");
            assert_eq!(want.errno(), errno);
        }
        for errno in [
            Errno::ENOTTY,
            Errno::EINVAL,
            Errno::EPERM,
            Errno::ENOSYS,
            Errno::E2BIG,
            Errno::EFAULT,
            Errno::EACCES,
        ] {
            assert_eq!(query_error(errno), QueryError::Refused(errno));
        }
    }
}
