//! Whether a file was written to since a process has mapped it: `cp new.so old.so`.
//!
//! Device and inode are then still the mapped ones. The process's memory shows the new bytes, as it
//! has no copy of its own of code; so do the build ID that the kernel reads and the one in memory.
//! But return addresses on its stacks, and addresses that were written down before, are those of
//! the old code, and the new file would give them wrong names.
//!
//! When the process has mapped the file, nothing says. It was after the process has started, or the
//! oldest of its ancestors that run the same program, whose mappings it may have inherited. So a
//! file that was last changed before that is the mapped one: nearly every file. The time of the last
//! change (`st_ctime`) counts and not only that of the last write, which `cp -p` sets back. Of the
//! others, this is told by what the loader has written, which is in pages of the process alone:
//!
//! ```text
//!   file    .dynamic  STRTAB 0x4b8   STRSZ 0x9e   RELACOUNT 3   .got  0
//!   memory  .dynamic  STRTAB + bias  STRSZ 0x9e   RELACOUNT 3   .got  relocated
//! ```
//!
//! - A file that is truncated takes the pages of all who have mapped it with it, also those. The
//!   memory is then equal to the file.
//! - A file that is overwritten without that leaves them, and its table is another one.
//! - Without pages that are read-only after relocation, a table that is equal to the file's tells
//!   nothing: not each loader writes to it.
//!
//! So a file that was only touched, or that was mapped after it had been written, is the mapped
//! one. If the memory may not be read, or tells nothing, a file is the mapped one if it was created
//! after the process has started, or deleted after it was last written to before that, or is its
//! program, which the kernel lets nobody write to.
//!
//! Not noticed is a file that was overwritten without truncating it, with another one of the same
//! dynamic table; and one that a parent had mapped which has ended since.

use std::fs::{File, Metadata};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use backsight_elf::Headers;
use backsight_types::{AbsAddr, Segment};
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use vma_query::{Query, Vma};

use crate::load_bias;
use crate::memory;
use crate::process::OpenProcess;

/// What the clock of files, which ticks with the kernel's timer, and that of processes are apart
/// at most: 10 ms each.
const CLOCKS: Duration = Duration::from_millis(20);

/// How much is compared of the part that the loader writes, in bytes. It begins with the data of
/// threads, which the loader does not write to.
const MAX_COMPARED: u64 = 4 << 20;

/// How many ancestors are looked at.
const MAX_ANCESTORS: usize = 16;

/// Returns whether the file that `vma` maps was written to since.
pub(crate) fn is_rewritten(
    process: &OpenProcess<'_>,
    vma: &Vma,
    file: &File,
    headers: Option<&Headers>,
) -> bool {
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    let Some(changed) = last_change(&metadata) else {
        return false;
    };
    let Some(started) = start_before(process, changed) else {
        return false;
    };
    let loaded = headers.and_then(|headers| is_as_loaded(process, vma, file, headers));
    let is_mapped_one = loaded.unwrap_or_else(|| {
        let is_newer = metadata.created().is_ok_and(|created| created > started);
        // Deleting a file is its last change.
        let is_old = |written| {
            started
                .checked_add(CLOCKS)
                .is_some_and(|until| written <= until)
        };
        let is_deleted = metadata.nlink() == 0 && metadata.modified().is_ok_and(is_old);
        is_newer || is_deleted || is_program(process, &metadata)
    });
    !is_mapped_one
}

/// Returns when a file was last written to, or its owner, mode or names were changed.
fn last_change(metadata: &Metadata) -> Option<SystemTime> {
    let written = metadata.modified().ok()?;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).ok()?;
    let since = Duration::new(seconds, nanoseconds);
    let changed = SystemTime::UNIX_EPOCH.checked_add(since);
    Some(changed.map_or(written, |changed| changed.max(written)))
}

/// Returns when a process, or an ancestor whose mappings it may have inherited, has started, if a file
/// was changed later than that.
fn start_before(process: &OpenProcess<'_>, changed: SystemTime) -> Option<SystemTime> {
    let since = |clock| Some(Duration::from(clock_gettime(clock).ok()?));
    let boot = since(ClockId::CLOCK_REALTIME)?.checked_sub(since(ClockId::CLOCK_BOOTTIME)?)?;
    let boot = SystemTime::UNIX_EPOCH.checked_add(boot)?;
    // Nearly every file is older than the machine is up: the process need not be asked.
    let is_later = |started: &SystemTime| {
        let until = started.checked_add(CLOCKS);
        until.is_some_and(|until| changed > until)
    };
    Some(boot).filter(is_later)?;
    let directory = process.maps.directory()?;
    let own = ProcessStart::of(directory)?;
    let started = |start: &ProcessStart| boot.checked_add(start.uptime);
    if let Some(started) = started(&own).filter(is_later) {
        return Some(started);
    }
    // A child that runs the same program was most likely forked.
    let program = program_of(directory)?;
    let mut parent = own.parent;
    for _ in 0..MAX_ANCESTORS {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let path = Path::new("/proc").join(parent.to_string());
        let directory = open(&path, flags, Mode::empty()).ok()?;
        let start = ProcessStart::of(directory.as_fd())?;
        if program_of(directory.as_fd())? != program {
            return None;
        }
        if let Some(started) = started(&start).filter(is_later) {
            return Some(started);
        }
        parent = start.parent;
    }
    None
}

/// When a process has started.
struct ProcessStart {
    parent: u32,
    /// For how long the machine was up then.
    uptime: Duration,
}

impl ProcessStart {
    /// Of a process's directory in `/proc`.
    fn of(directory: BorrowedFd<'_>) -> Option<Self> {
        /// The fields of proc_pid_stat(5) after the name, which may have spaces and parentheses in
        /// it.
        const PPID: usize = 1;
        const STARTTIME: usize = 19;
        const MAX_SIZE: usize = 4096;

        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let stat = openat(directory, "stat", flags, Mode::empty()).ok()?;
        let mut text = [0; MAX_SIZE];
        let size = File::from(stat).read_at(&mut text, 0).ok()?;
        let text = text.get(..size)?;
        let name_end = text.iter().rposition(|byte| *byte == b')')?;
        let fields = text.get(name_end.checked_add(2)?..)?;
        let field = |nth| -> Option<u64> {
            let field = fields.split(|byte| *byte == b' ').nth(nth)?;
            std::str::from_utf8(field).ok()?.parse().ok()
        };
        let a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
        let nanoseconds = field(STARTTIME)?.checked_mul(1_000_000_000)?;
        Some(Self {
            parent: u32::try_from(field(PPID)?).ok()?,
            uptime: Duration::from_nanos(nanoseconds.checked_div(a_second)?),
        })
    }
}

/// Returns whether the process's memory is what the loader has made of this file. `None` if it
/// tells nothing.
fn is_as_loaded(
    process: &OpenProcess<'_>,
    vma: &Vma,
    file: &File,
    headers: &Headers,
) -> Option<bool> {
    let biases = load_bias::biases(&headers.segments, vma);
    let known = biases.filter_map(|bias| {
        let part = |segment: &Segment| Part::read(process, vma, file, segment, bias);
        let dynamic = part(headers.dynamic.as_ref()?)?;
        let is_written = match headers.relro.as_ref().and_then(part) {
            Some(relro) => relro.in_memory != relro.in_file,
            None if dynamic.in_memory == dynamic.in_file => return None,
            None => true,
        };
        Some(is_written && is_table_of(&dynamic, word_size(file)?, bias))
    });
    known.reduce(|one, other| one || other)
}

/// Returns whether each word of a dynamic table in memory is that of the file, or the address that
/// it stands for. The value of `DT_DEBUG` is the loader's.
fn is_table_of(dynamic: &Part, word_size: usize, bias: u64) -> bool {
    const DT_DEBUG: u64 = 21;
    let entries = |bytes| entries_of(bytes, word_size);
    let mut pairs = entries(&dynamic.in_memory).zip(entries(&dynamic.in_file));
    let mask = match word_size {
        4 => u32::MAX.into(),
        _ => u64::MAX,
    };
    pairs.all(|((tag, value), (file_tag, file_value))| {
        let address = file_value.wrapping_add(bias) & mask;
        tag == file_tag && (tag == DT_DEBUG || value == file_value || value == address)
    })
}

/// The tags and values of a dynamic table.
fn entries_of(bytes: &[u8], word_size: usize) -> impl Iterator<Item = (u64, u64)> {
    let mut words = bytes.chunks_exact(word_size).map(word);
    std::iter::from_fn(move || words.next().zip(words.next()))
}

/// The number of a word of the host's byte order.
fn word(bytes: &[u8]) -> u64 {
    match (<[u8; 8]>::try_from(bytes), <[u8; 4]>::try_from(bytes)) {
        (Ok(bytes), _) => u64::from_ne_bytes(bytes),
        (_, Ok(bytes)) => u32::from_ne_bytes(bytes).into(),
        _ => 0,
    }
}

/// The size of a word in the tables of an ELF file, in bytes.
fn word_size(file: &File) -> Option<usize> {
    const CLASS: u64 = 4;
    let mut class = [0];
    file.read_exact_at(&mut class, CLASS).ok()?;
    match class {
        [1] => Some(4),
        [2] => Some(8),
        _ => None,
    }
}

/// The bytes of a part of a file, and those that the process has there.
struct Part {
    in_file: Vec<u8>,
    in_memory: Vec<u8>,
}

impl Part {
    /// `None` if the process has not mapped it from the same file as `vma`.
    fn read(
        process: &OpenProcess<'_>,
        vma: &Vma,
        file: &File,
        segment: &Segment,
        bias: u64,
    ) -> Option<Self> {
        let size = segment.file_size.min(MAX_COMPARED);
        let start = AbsAddr(segment.virt_offset.0.wrapping_add(bias));
        let there = process.maps.query(Query::covering(start)).ok()??;
        let into = start.distance_from(there.start)?;
        let is_of_file = (there.inode, there.device) == (vma.inode, vma.device)
            && there.offset.checked_add(into) == Some(segment.file_offset);
        if !is_of_file || size == 0 {
            return None;
        }
        let in_memory = memory::read(process, start, size)?;
        let mut in_file = vec![0; in_memory.len()];
        let read = file.read_at(&mut in_file, segment.file_offset.0).ok()?;
        in_file.truncate(read);
        Some(Self { in_file, in_memory })
    }
}

/// Whether a file is the program that the process runs.
fn is_program(process: &OpenProcess<'_>, file: &Metadata) -> bool {
    let program = process.maps.directory().and_then(program_of);
    program == Some((file.dev(), file.ino()))
}

/// Returns device and inode of the program of a process, by its directory in `/proc`.
fn program_of(directory: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let program = openat(directory, "exe", flags, Mode::empty()).ok()?;
    let program = File::from(program).metadata().ok()?;
    Some((program.dev(), program.ino()))
}

#[cfg(test)]
mod tests {
    use super::{Part, is_table_of};

    fn part(in_file: &[u64], in_memory: &[u64]) -> Part {
        let bytes = |words: &[u64]| words.iter().flat_map(|it| it.to_ne_bytes()).collect();
        Part {
            in_file: bytes(in_file),
            in_memory: bytes(in_memory),
        }
    }

    #[test]
    fn a_table_is_that_of_the_file_with_addresses() {
        let bias = 0x7f00_0000_0000;
        let file = [5, 0x4b8, 10, 0x9e, 21, 0, 0, 0];
        let is_its = |memory: &[u64]| is_table_of(&part(&file, memory), 8, bias);
        assert!(is_its(&[5, bias + 0x4b8, 10, 0x9e, 21, 0x1234, 0, 0]));
        assert!(is_its(&[5, 0x4b8, 10, 0x9e, 21, 0x1234, 0, 0]));
        assert!(!is_its(&[5, bias + 0x4c8, 10, 0x9e, 21, 0, 0, 0]));
        assert!(!is_its(&[5, bias + 0x4b8, 10, 0x9f, 21, 0, 0, 0]));
        assert!(!is_its(&[5, bias + 0x4b8, 11, 0x9e, 21, 0, 0, 0]));
    }
}
