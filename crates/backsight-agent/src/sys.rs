//! The system calls and the mapped memory of perf events.
//!
//! No library is used for them, for two reasons: neither of those that are kept up can redirect
//! the records of an event into the buffer of another (`PERF_EVENT_IOC_SET_OUTPUT`), without which
//! a process with T threads on C processors takes T × C buffers; and the bytes of the attribute
//! are needed, too, to read the records.
//!
//! Source: `include/uapi/linux/perf_event.h` of the kernel; perf_event_open(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use nix::libc;

use crate::attr::EventAttr;

const FLAG_PID_CGROUP: libc::c_ulong = 1 << 2;
const FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// What an event observes, beside a processor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom<'a> {
    /// A thread.
    Thread(u32),
    /// All threads.
    Everyone,
    /// The threads of a cgroup, by its directory.
    Cgroup(BorrowedFd<'a>),
}

/// An open event.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

mod ioctl {
    nix::ioctl_none!(enable, b'$', 0);
    nix::ioctl_none!(disable, b'$', 1);
    nix::ioctl_write_int_bad!(set_output, nix::request_code_none!(b'$', 5));
    nix::ioctl_read!(id, b'$', 7, u64);
}

impl EventFd {
    /// Opens an event on one processor.
    pub(crate) fn open(attr: &EventAttr, whom: Whom<'_>, cpu: u32) -> io::Result<Self> {
        let bytes = attr.to_bytes();
        let number = |number: u32| libc::c_int::try_from(number).map_err(io::Error::other);
        let (pid, flags) = match whom {
            Whom::Thread(tid) => (number(tid)?, 0),
            Whom::Everyone => (-1, 0),
            Whom::Cgroup(directory) => (directory.as_raw_fd(), FLAG_PID_CGROUP),
        };
        let no_group = -1;
        // Each argument is as wide as a register.
        let [pid, cpu, no_group] = [pid, number(cpu)?, no_group].map(libc::c_long::from);
        // SAFETY: the kernel reads as many bytes as the attribute itself says, which is the
        // length of `bytes`, and writes none.
        let result = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                bytes.as_ptr(),
                pid,
                cpu,
                no_group,
                flags | FLAG_FD_CLOEXEC,
            )
        };
        let fd = nix::errno::Errno::result(result)?;
        let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Starts counting.
    pub(crate) fn enable(&self) -> io::Result<()> {
        // SAFETY: the request has no argument.
        unsafe { ioctl::enable(self.0.as_raw_fd()) }?;
        Ok(())
    }

    /// Stops counting.
    pub(crate) fn disable(&self) -> io::Result<()> {
        // SAFETY: the request has no argument.
        unsafe { ioctl::disable(self.0.as_raw_fd()) }?;
        Ok(())
    }

    /// Returns the number by which records name the event.
    pub(crate) fn id(&self) -> io::Result<u64> {
        let mut id = 0;
        // SAFETY: the request writes a number of 64 bits, which `id` has room for.
        unsafe { ioctl::id(self.0.as_raw_fd(), &raw mut id) }?;
        Ok(id)
    }

    /// Has the event's records written to the buffer of another event of the same processor.
    pub(crate) fn write_to(&self, other: &Self) -> io::Result<()> {
        // SAFETY: the argument is a descriptor, passed by value.
        unsafe { ioctl::set_output(self.0.as_raw_fd(), other.0.as_raw_fd()) }?;
        Ok(())
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Offsets in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// The buffer that the kernel writes the records of a processor to, mapped.
#[derive(Debug)]
pub(crate) struct MappedRing {
    map: MmapRaw,
    /// Where the records start: after the page with the positions.
    start: usize,
    size: u64,
}

impl MappedRing {
    /// Maps the buffer of an event. `pages` is a power of two.
    pub(crate) fn new(event: &EventFd, pages: usize, page_size: usize) -> io::Result<Self> {
        let size = pages.checked_mul(page_size);
        let len = size.and_then(|size| size.checked_add(page_size));
        let (Some(size), Some(len)) = (size, len) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let map = MmapOptions::new().len(len).map_raw(&event.0)?;
        Ok(Self {
            map,
            start: page_size,
            size: u64::try_from(size).map_err(io::Error::other)?,
        })
    }

    /// Appends all records that are in the buffer to `out`, whole, and makes room for others.
    /// Returns the number of bytes.
    pub(crate) fn drain(&mut self, out: &mut Vec<u8>) -> usize {
        // Whatever was written before the head was moved is visible after this load.
        let head = self.position(DATA_HEAD).load(Ordering::Acquire);
        let tail = self.position(DATA_TAIL).load(Ordering::Relaxed);
        // The kernel never overtakes the tail, so there are never more bytes than this.
        let count = head.wrapping_sub(tail).min(self.size);
        let first = tail.checked_rem(self.size).unwrap_or_default();
        let to_end = count.min(self.size.saturating_sub(first));
        out.extend_from_slice(self.bytes(first, to_end));
        out.extend_from_slice(self.bytes(0, count.saturating_sub(to_end)));
        self.position(DATA_TAIL).store(head, Ordering::Release);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn position(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the offset is inside the first page, which is mapped as long as `self.map`
        // lives.
        let place = unsafe { self.map.as_mut_ptr().add(at) };
        // SAFETY: the place is aligned to eight bytes, as the offset is and the page; it is valid
        // for the life of `self`; and the kernel, too, accesses it atomically.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    /// Returns bytes of the buffer, which must lie between tail and head: the kernel writes
    /// nothing there until the tail is moved.
    fn bytes(&self, from: u64, count: u64) -> &[u8] {
        let end = from.saturating_add(count);
        let part = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        if end > self.size || count == 0 {
            return &[];
        }
        let from = self.start.saturating_add(part(from));
        // SAFETY: `end` is not above the size of the buffer, and the buffer lies inside of the
        // map.
        let place = unsafe { self.map.as_ptr().add(from) };
        // SAFETY: the bytes are mapped, as above, for the life of `self`, and the kernel does not
        // write to them meanwhile, as the caller sees to.
        unsafe { std::slice::from_raw_parts(place, part(count)) }
    }
}

/// Gives memory that was freed back to the system.
///
/// The C library of GNU keeps it for later, in each thread's part of the heap: after a profile was
/// symbolized that is many times what an agent needs until the next one. Takes about a millisecond
/// for each 10 MB of the heap. Does nothing with other C libraries, or if the program has another
/// allocator: what it has freed is not the C library's.
pub fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointers, and touches only memory that nobody has.
    unsafe {
        libc::malloc_trim(0);
    }
}
