//! The ABI of `PROCMAP_QUERY`. This file and `message.rs` have all the `unsafe` code of the
//! crate.
//!
//! Source: `struct procmap_query` in Linux `include/uapi/linux/fs.h`, since 6.11.
//! The structure is the same for 32 and 64-bit programs.

use std::fs::File;
use std::mem::offset_of;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// `PROCMAP_QUERY_COVERING_OR_NEXT_VMA`.
pub(crate) const COVERING_OR_NEXT: u64 = 0x10;
/// `PROCMAP_QUERY_FILE_BACKED_VMA`.
pub(crate) const FILE_BACKED: u64 = 0x20;

/// A query for the kernel, which writes its answer into the same structure.
///
/// The sizes and addresses of the two buffers are private: only [`run`] sets them, from
/// buffers that it borrows.
///
/// [`run`]: ProcmapQuery::run
#[repr(C)]
#[derive(Clone, Debug)]
pub(crate) struct ProcmapQuery {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    pub(crate) vma_start: u64,
    pub(crate) vma_end: u64,
    pub(crate) vma_flags: u64,
    vma_page_size: u64,
    pub(crate) vma_offset: u64,
    pub(crate) inode: u64,
    pub(crate) dev_major: u32,
    pub(crate) dev_minor: u32,
    vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

/// The size of the structure, in its `size` field and in the ioctl's number.
const SIZE: u64 = size_of::<ProcmapQuery>() as u64;

// A wrong layout must not compile.
const _: () = assert!(size_of::<ProcmapQuery>() == 0x68);
const _: () = assert!(offset_of!(ProcmapQuery, query_flags) == 8);
const _: () = assert!(offset_of!(ProcmapQuery, query_addr) == 16);
const _: () = assert!(offset_of!(ProcmapQuery, vma_start) == 24);
const _: () = assert!(offset_of!(ProcmapQuery, vma_flags) == 40);
const _: () = assert!(offset_of!(ProcmapQuery, vma_page_size) == 48);
const _: () = assert!(offset_of!(ProcmapQuery, vma_offset) == 56);
const _: () = assert!(offset_of!(ProcmapQuery, inode) == 64);
const _: () = assert!(offset_of!(ProcmapQuery, dev_major) == 72);
const _: () = assert!(offset_of!(ProcmapQuery, vma_name_size) == 80);
const _: () = assert!(offset_of!(ProcmapQuery, vma_name_addr) == 88);
const _: () = assert!(offset_of!(ProcmapQuery, build_id_addr) == 96);
// As 32 bits, which the kernel compares: C libraries declare the number as `unsigned long` or, as
// musl and Android's do, as `int`, where it is negative.
const NUMBER: u32 = nix::request_code_readwrite!(b'f', 17, SIZE as usize) as u32;
const _: () = assert!(NUMBER == 0xC068_6611);

mod raw {
    nix::ioctl_readwrite!(
        /// Runs `PROCMAP_QUERY`.
        procmap_query, b'f', 17, super::ProcmapQuery
    );
}

impl ProcmapQuery {
    /// Returns the query with these flags for the address `query_addr`.
    pub(crate) const fn new(query_flags: u64, query_addr: u64) -> Self {
        Self {
            size: SIZE,
            query_flags,
            query_addr,
            vma_start: 0,
            vma_end: 0,
            vma_flags: 0,
            vma_page_size: 0,
            vma_offset: 0,
            inode: 0,
            dev_major: 0,
            dev_minor: 0,
            vma_name_size: 0,
            build_id_size: 0,
            vma_name_addr: 0,
            build_id_addr: 0,
        }
    }

    /// Runs the query. It appends the name to `name`, within its spare capacity, and
    /// writes the build ID to `build_id`. The kernel is not asked for a value whose
    /// buffer has no room. The call is repeated when a signal interrupts it.
    ///
    /// Returns the length of the build ID, or 0 if there is none.
    ///
    /// # Errors
    /// The errno of the kernel, unchanged; `ENOENT` means that no VMA matches.
    #[inline]
    pub(crate) fn run(
        &mut self,
        maps: &File,
        name: &mut Vec<u8>,
        build_id: &mut [u8],
    ) -> Result<usize, Errno> {
        loop {
            // Set before each call, as the kernel overwrites the sizes with the written
            // lengths.
            let room = name.spare_capacity_mut();
            (self.vma_name_addr, self.vma_name_size) = buffer_fields(room.as_mut_ptr(), room.len());
            (self.build_id_addr, self.build_id_size) =
                buffer_fields(build_id.as_mut_ptr(), build_id.len());
            // SAFETY: `self` is exclusively borrowed, and its private `size` is
            // its own length, so the kernel stays inside it. The two private
            // addresses and sizes were set from `name` and `build_id` just now;
            // both are exclusively borrowed until this call returns, so the
            // kernel writes into nothing else.
            match unsafe { raw::procmap_query(maps.as_raw_fd(), self) } {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        // The kernel counts the final NUL; 0 means that there is no name.
        let written = self.vma_name_size.saturating_sub(1) as usize;
        let len = name.len().saturating_add(written).min(name.capacity());
        // SAFETY: `len` is at most the capacity, and the kernel wrote `written` bytes
        // after the old length.
        unsafe { name.set_len(len) };
        Ok(self.build_id_size as usize)
    }
}

/// Returns the address and the size of a buffer for the kernel. Both are zero for an
/// empty buffer, as the kernel requires (`EINVAL` otherwise).
#[inline]
fn buffer_fields<T>(buffer: *mut T, len: usize) -> (u64, u32) {
    if len == 0 {
        return (0, 0);
    }
    (buffer as u64, u32::try_from(len).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    //! Queries that the safe wrapper never makes.

    use std::fs::File;

    use nix::errno::Errno;

    use super::{COVERING_OR_NEXT, ProcmapQuery, SIZE};

    fn ask(change: impl FnOnce(&mut ProcmapQuery)) -> Result<(), Errno> {
        let maps = File::open("/proc/self/maps").unwrap();
        let mut query = ProcmapQuery::new(COVERING_OR_NEXT, 0);
        change(&mut query);
        query.run(&maps, &mut Vec::new(), &mut []).map(drop)
    }

    #[test]
    fn malformed_questions_are_refused_as_documented() {
        if let testkit::kernel::Ioctl::Refused(errno) = testkit::kernel::ioctl() {
            assert_eq!(
                ask(|_| ()),
                Err(errno),
                "an old kernel refuses all queries with the same errno"
            );
            return;
        }
        assert_eq!(ask(|_| ()), Ok(()), "a valid query");
        assert_eq!(
            ask(|query| query.size = 23),
            Err(Errno::EINVAL),
            "size below 24"
        );
        assert_eq!(
            ask(|query| query.size = 4097),
            Err(Errno::E2BIG),
            "size above 4096"
        );
        assert_eq!(
            ask(|query| query.query_flags = 0x40),
            Err(Errno::EINVAL),
            "unknown flag"
        );
    }

    #[test]
    fn a_shorter_structure_is_answered() {
        // As a program built against an older header would send.
        if matches!(testkit::kernel::ioctl(), testkit::kernel::Ioctl::Answers) {
            assert_eq!(ask(|query| query.size = SIZE - 8), Ok(()));
        }
    }

    #[test]
    fn a_file_that_is_no_maps_file_does_not_know_the_question() {
        let null = File::open("/dev/null").unwrap();
        let answer = ProcmapQuery::new(0, 0).run(&null, &mut Vec::new(), &mut []);
        assert!(matches!(
            answer,
            Err(Errno::ENOTTY | Errno::EINVAL | Errno::EPERM | Errno::ENOSYS)
        ));
    }

    #[test]
    fn a_buffer_too_small_for_the_name_is_said() {
        if matches!(testkit::kernel::ioctl(), testkit::kernel::Ioctl::Refused(_)) {
            return;
        }
        let maps = File::open("/proc/self/maps").unwrap();
        let mut query = ProcmapQuery::new(COVERING_OR_NEXT, 0);
        let answer = query.run(&maps, &mut Vec::with_capacity(2), &mut []);
        assert_eq!(answer.map(drop), Err(Errno::ENAMETOOLONG));
    }
}
