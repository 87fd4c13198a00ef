//! The system calls of a floor, without allocation and without a library.

#![expect(unsafe_code, reason = "raw system calls are the point: a floor")]

use std::ffi::CStr;

use libc::{O_CLOEXEC, O_RDONLY, c_int};

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::Ioctl = 0xc068_6611;
pub(crate) const EXECUTABLE: u64 = 0x4;
pub(crate) const COVERING_OR_NEXT: u64 = 0x10;
pub(crate) const FILE_BACKED: u64 = 0x20;

/// `struct procmap_query` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcmapQuery {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    pub(crate) vma_start: u64,
    pub(crate) vma_end: u64,
    pub(crate) vma_flags: u64,
    vma_page_size: u64,
    pub(crate) vma_offset: u64,
    inode: u64,
    dev_major: u32,
    dev_minor: u32,
    pub(crate) vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

// The layout is checked at compile time.
const _: () = assert!(size_of::<ProcmapQuery>() == 0x68);

/// Buffers for a name and a build ID of the same size as ours. The kernel allocates one for the
/// name for each query, so its size matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    name: [u8; 512],
    build_id: [u8; 20],
    /// The length of the name, including its NUL.
    written: u32,
}

impl Room {
    pub(crate) const EMPTY: Self = Self {
        name: [0; 512],
        build_id: [0; 20],
        written: 0,
    };

    /// Returns the name from the last query.
    pub(crate) fn name(&self) -> &[u8] {
        let written = (self.written as usize).saturating_sub(1);
        &self.name[..written]
    }
}

/// What is queried besides the VMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Nothing,
    Name,
    NameAndBuildId,
}

/// An open maps file, closed when dropped.
#[derive(Debug)]
pub(crate) struct Maps(c_int);

impl Maps {
    #[inline]
    pub(crate) fn open(path: &CStr) -> Self {
        // SAFETY: the path ends in a NUL and is only read.
        let fd = unsafe { libc::open(path.as_ptr(), O_RDONLY | O_CLOEXEC) };
        assert!(fd >= 0, "the process is there");
        Self(fd)
    }

    /// Returns the first VMA from `addr` on that matches the filter in `flags`.
    #[inline]
    pub(crate) fn ask(
        &self,
        addr: u64,
        flags: u64,
        with: With,
        room: &mut Room,
    ) -> Option<ProcmapQuery> {
        let mut query = ProcmapQuery {
            size: size_of::<ProcmapQuery>() as u64,
            query_flags: COVERING_OR_NEXT | flags,
            query_addr: addr,
            ..ProcmapQuery::default()
        };
        if with != With::Nothing {
            query.vma_name_size = room.name.len() as u32;
            query.vma_name_addr = room.name.as_mut_ptr() as u64;
        }
        if with == With::NameAndBuildId {
            query.build_id_size = room.build_id.len() as u32;
            query.build_id_addr = room.build_id.as_mut_ptr() as u64;
        }
        // SAFETY: the kernel writes the 104 bytes of `query`, and at most the given sizes into
        // its two buffers, which are the arrays in `room`; all are exclusively borrowed until it
        // returns.
        let status = unsafe { libc::ioctl(self.0, PROCMAP_QUERY, &mut query) };
        room.written = query.vma_name_size;
        (status == 0).then_some(query)
    }

    /// Continues reading; returns the number of bytes read, 0 at the end.
    #[inline]
    pub(crate) fn read(&self, into: &mut [u8]) -> usize {
        // SAFETY: the kernel writes at most the length of the slice, which is exclusively
        // borrowed.
        let read = unsafe { libc::read(self.0, into.as_mut_ptr().cast(), into.len()) };
        usize::try_from(read).expect("maps can be read")
    }
}

impl Drop for Maps {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `open` created the descriptor, and nothing else owns it.
        let status = unsafe { libc::close(self.0) };
        debug_assert_eq!(status, 0, "it was open");
    }
}
