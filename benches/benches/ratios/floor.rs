//! The least that a one-shot batch must do, by raw calls without allocation.

#![expect(unsafe_code, reason = "raw system calls are the point: a floor")]

use libc::{O_CLOEXEC, O_RDONLY, c_int};

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::Ioctl = 0xc068_6611;
const COVERING_OR_NEXT: u64 = 0x10;

/// `struct procmap_query` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ProcmapQuery {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    vma_start: u64,
    vma_end: u64,
    vma_flags: u64,
    vma_page_size: u64,
    vma_offset: u64,
    inode: u64,
    dev_major: u32,
    dev_minor: u32,
    vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

// A wrong layout must not compile.
const _: () = assert!(size_of::<ProcmapQuery>() == 0x68);

/// What is written for each address: 16 bytes, as ours writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The place of the VMA among those that were hit.
    pub(crate) vma: u64,
    pub(crate) file_offset: u64,
}

/// Room for the answers of one batch, to be used again.
#[derive(Debug)]
pub(crate) struct Floor<const K: usize, const M: usize> {
    /// Whether the kernel is asked for build IDs too.
    pub(crate) build_ids: bool,
    pub(crate) answers: [Answer; K],
    names: [Room; M],
    /// Their lengths, with the closing NUL.
    written: [u32; M],
}

/// As much room for a name and a build ID as ours gives the kernel, which
/// allocates the former anew for each question.
#[derive(Clone, Copy, Debug)]
struct Room {
    name: [u8; 512],
    build_id: [u8; 20],
}

impl<const K: usize, const M: usize> Floor<K, M> {
    pub(crate) fn new(build_ids: bool) -> Self {
        let room = Room {
            name: [0; 512],
            build_id: [0; 20],
        };
        Self {
            build_ids,
            answers: [Answer::default(); K],
            names: [room; M],
            written: [0; M],
        }
    }

    /// Returns the name of the VMA that the address at `place` lies in.
    pub(crate) fn name_of(&self, place: usize) -> &[u8] {
        let vma = self.answers[place].vma as usize;
        &self.names[vma].name[..self.written[vma] as usize - 1]
    }

    /// Opens this process's maps, asks one question for each VMA that the sorted
    /// `addrs` lie in, all of them mapped code, and closes.
    pub(crate) fn run(&mut self, addrs: &[u64; K]) {
        let maps = open(c"/proc/self/maps");
        let (mut hits, mut until, mut to_offset) = (0, 0, 0);
        for (answer, addr) in self.answers.iter_mut().zip(addrs) {
            if *addr >= until {
                let query = ask(maps, *addr, &mut self.names[hits], self.build_ids);
                self.written[hits] = query.vma_name_size;
                hits += 1;
                until = query.vma_end;
                to_offset = query.vma_offset.wrapping_sub(query.vma_start);
            }
            *answer = Answer {
                vma: hits as u64 - 1,
                file_offset: addr.wrapping_add(to_offset),
            };
        }
        close(maps);
    }
}

fn open(path: &std::ffi::CStr) -> c_int {
    // SAFETY: the path ends in a NUL and is only read.
    let fd = unsafe { libc::open(path.as_ptr(), O_RDONLY | O_CLOEXEC) };
    assert!(fd >= 0, "/proc is mounted");
    fd
}

#[inline]
fn ask(maps: c_int, addr: u64, room: &mut Room, build_ids: bool) -> ProcmapQuery {
    let mut query = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        query_flags: COVERING_OR_NEXT,
        query_addr: addr,
        vma_name_size: room.name.len() as u32,
        vma_name_addr: room.name.as_mut_ptr() as u64,
        ..ProcmapQuery::default()
    };
    if build_ids {
        query.build_id_size = room.build_id.len() as u32;
        query.build_id_addr = room.build_id.as_mut_ptr() as u64;
    }
    // SAFETY: the kernel writes the 104 bytes of `query`, and into its two
    // buffers no more than the sizes say, which are those of the arrays in
    // `room`; all are exclusively borrowed until it returns.
    let status = unsafe { libc::ioctl(maps, PROCMAP_QUERY, &mut query) };
    assert_eq!(status, 0, "the address is mapped");
    query
}

fn close(fd: c_int) {
    // SAFETY: `fd` was opened here and is not used again.
    let status = unsafe { libc::close(fd) };
    assert_eq!(status, 0, "it was open");
}
