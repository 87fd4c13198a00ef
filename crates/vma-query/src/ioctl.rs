//! `PROCMAP_QUERY` made safe: a [`Query`] in, a [`Vma`] or a reason out.

use std::fs::File;

use backsight_types::{AbsAddr, BuildId, Device, FileOffset, Perms};
use nix::errno::Errno;

use crate::sys::ProcmapQuery;
use crate::{Error, NameBuf, Query, Vma};

/// What the kernel says to a question. Which errno comes when was measured on
/// Linux 6.18 and read from `do_procmap_query` in `fs/proc/task_mmu.c`.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// The VMA asked for.
    Found(T),
    /// `ENOENT`: no VMA matches.
    NoMatch,
    /// `ENAMETOOLONG`: the VMA is there, its name does not fit any buffer.
    NameTooLong,
    /// An errno that says nothing of the VMA: the ioctl itself may be unknown.
    Refused(Errno),
    /// The process is gone, or the kernel is out of memory.
    Failed(Error),
}

/// The most bytes of a build ID that the kernel writes (`BUILD_ID_SIZE_MAX`).
/// Less room is never given: some kernels fault on it.
const BUILD_ID_ROOM: usize = 20;

/// Asks for a VMA alone.
#[inline]
pub(crate) fn ask(maps: &File, query: Query) -> Answer<Vma> {
    run(maps, query, &mut Vec::new(), &mut []).map(|(vma, _)| vma)
}

/// Asks for a VMA and its name.
#[inline]
pub(crate) fn ask_named(maps: &File, query: Query, name: &mut NameBuf) -> Answer<Vma> {
    run(maps, query, name.room(), &mut []).map(|(vma, _)| vma)
}

/// Asks for a VMA and the GNU build ID in the file behind it.
pub(crate) fn ask_build_id(maps: &File, query: Query) -> Answer<(Vma, Option<BuildId>)> {
    let mut bytes = [0; BUILD_ID_ROOM];
    run(maps, query, &mut Vec::new(), &mut bytes).map(|(vma, written)| {
        let build_id = bytes.get(..written).map(BuildId::from_bytes);
        (vma, build_id.and_then(Result::ok))
    })
}

#[inline]
fn run(maps: &File, query: Query, name: &mut Vec<u8>, build_id: &mut [u8]) -> Answer<(Vma, usize)> {
    let mut raw = ProcmapQuery::new(query.flags(), query.addr.0);
    match raw.run(maps, name, build_id) {
        Ok(build_id) => Answer::Found((vma(&raw), build_id)),
        Err(errno) => refused(errno),
    }
}

fn refused<T>(errno: Errno) -> Answer<T> {
    match errno {
        Errno::ENOENT => Answer::NoMatch,
        Errno::ENAMETOOLONG => Answer::NameTooLong,
        Errno::ESRCH => Answer::Failed(Error::ProcessGone),
        Errno::ENOMEM => Answer::Failed(Error::Io(errno.into())),
        _ => Answer::Refused(errno),
    }
}

#[inline]
fn vma(raw: &ProcmapQuery) -> Vma {
    Vma {
        start: AbsAddr(raw.vma_start),
        end: AbsAddr(raw.vma_end),
        offset: FileOffset(raw.vma_offset),
        // The permission flags of the answer are those of the question, in the
        // low four bits; kernels to come may set others above.
        perms: Perms::from_bits((raw.vma_flags & 0xf) as u8),
        device: Device {
            major: raw.dev_major,
            minor: raw.dev_minor,
        },
        inode: raw.inode,
    }
}

impl<T> Answer<T> {
    #[inline]
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Found(found) => Answer::Found(change(found)),
            Self::NoMatch => Answer::NoMatch,
            Self::NameTooLong => Answer::NameTooLong,
            Self::Refused(errno) => Answer::Refused(errno),
            Self::Failed(error) => Answer::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{Answer, refused};
    use crate::Error;

    #[test]
    fn each_errno_has_its_meaning() {
        assert!(matches!(refused::<()>(Errno::ENOENT), Answer::NoMatch));
        assert!(matches!(
            refused::<()>(Errno::ENAMETOOLONG),
            Answer::NameTooLong
        ));
        assert!(matches!(
            refused::<()>(Errno::ESRCH),
            Answer::Failed(Error::ProcessGone)
        ));
        assert!(matches!(
            refused::<()>(Errno::ENOMEM),
            Answer::Failed(Error::Io(_))
        ));
        for errno in [
            Errno::ENOTTY,
            Errno::EINVAL,
            Errno::EPERM,
            Errno::ENOSYS,
            Errno::E2BIG,
            Errno::EFAULT,
            Errno::EACCES,
        ] {
            assert!(
                matches!(refused::<()>(errno), Answer::Refused(e) if e == errno),
                "{errno}"
            );
        }
    }
}
