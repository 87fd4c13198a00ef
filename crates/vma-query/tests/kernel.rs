//! The behaviour of the kernel's `PROCMAP_QUERY`: tests the statements of
//! `docs/procmap-query.md` without this crate.
//!
//! If the kernel refuses the ioctl, each of these queries must be refused with the same
//! errno.

mod common;

use std::fs::File;

use common::{covering, telling_addresses};
use nix::errno::Errno;
use testkit::child::Child;
use testkit::kernel::{Ioctl, PROCMAP_QUERY, ioctl, procmap_query, query_by_number};
use testkit::maps::Line;
use testkit::{naive, skip};

/// The size of the current structure, in bytes and in 8-byte words.
const SIZE: u64 = 104;
const WORDS: usize = 13;

const COVERING_OR_NEXT: u64 = 0x10;
const FILE_BACKED: u64 = 0x20;

/// The offsets of fields in the structure, in words.
const START: usize = 3;
const END: usize = 4;
const FLAGS: usize = 5;
const PAGE_SIZE: usize = 6;
const OFFSET: usize = 7;
const INODE: usize = 8;
const DEVICE: usize = 9;
const SIZES: usize = 10;

/// Returns the errno of every query if the kernel does not support the ioctl.
fn refusal() -> Option<Errno> {
    match ioctl() {
        Ioctl::Answers => None,
        Ioctl::Refused(errno) => Some(errno),
    }
}

/// Asserts the kernel's result, or that it refuses this query as all others.
fn assert_says(got: Result<(), Errno>, want: Result<(), Errno>, of: &str) {
    assert_eq!(got, refusal().map_or(want, Err), "{of}");
}

fn own_maps() -> File {
    File::open("/proc/self/maps").unwrap()
}

fn maps_of(child: &Child) -> File {
    File::open(format!("/proc/{}/maps", child.pid())).unwrap()
}

/// Returns a query in a buffer that is larger than any that the kernel accepts.
fn question(size: u64, flags: u64, addr: u64) -> Vec<u64> {
    let mut words = vec![0; 1024];
    words[..3].copy_from_slice(&[size, flags, addr]);
    words
}

fn ask(maps: &File, flags: u64, addr: u64) -> Result<Vec<u64>, Errno> {
    let mut words = question(SIZE, flags, addr);
    procmap_query(maps, &mut words).map(|()| words)
}

fn lines_of(child: &Child) -> Vec<Line> {
    naive::lines(&naive::text_of(child.pid()).unwrap()).collect()
}

#[test]
fn a_size_from_24_to_4096_is_answered_as_far_as_it_goes() {
    const UNTOUCHED: u8 = 0xa5;
    let maps = own_maps();
    let bytes_of =
        |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let whole = ask(&maps, COVERING_OR_NEXT, 0).map(|words| bytes_of(&words));
    for size in (0..=4200).chain([u64::from(u32::MAX), u64::MAX]) {
        let mut words = question(size, COVERING_OR_NEXT, 0);
        // The kernel must not use bytes after the structure of this size.
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = bytes_of(&words);
        bytes
            .iter_mut()
            .skip(len.max(24))
            .for_each(|it| *it = UNTOUCHED);
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().unwrap());
        }
        // No buffers, so their sizes and addresses must be zero.
        words[SIZES + 1..WORDS].fill(0);
        let says = procmap_query(&maps, &mut words);
        let want = match size {
            0..24 => Err(Errno::EINVAL),
            24..=4096 => Ok(()),
            _ => Err(Errno::E2BIG),
        };
        assert_says(says, want, &format!("size {size}"));
        if let (Ok(()), Ok(whole)) = (says, &whole) {
            let answer = bytes_of(&words);
            let known = len.min(SIZES * 8);
            assert_eq!(answer[24..known], whole[24..known], "size {size}");
            let behind = len.max(WORDS * 8);
            assert!(answer[behind..].iter().all(|byte| *byte == UNTOUCHED));
            // The kernel does not write after its own structure.
            let unknown = answer.get(WORDS * 8..len).unwrap_or_default();
            assert!(unknown.iter().all(|byte| *byte == 0), "size {size}");
        }
    }
}

#[test]
fn unknown_flags_must_be_zero() {
    let maps = own_maps();
    for size in [112, 120, 4096] {
        for word in [WORDS, size / 8 - 1] {
            let mut words = question(size as u64, COVERING_OR_NEXT, 0);
            words[word] = 1 << 63;
            let says = procmap_query(&maps, &mut words);
            assert_says(says, Err(Errno::E2BIG), &format!("{size}, word {word}"));
        }
        // Bytes after the size may have any value.
        let mut words = question(size as u64, COVERING_OR_NEXT, 0);
        words[size / 8..].fill(u64::MAX);
        assert_says(procmap_query(&maps, &mut words), Ok(()), "after the size");
    }
}

#[test]
fn the_number_does_not_grow_with_the_structure() {
    let maps = own_maps();
    for size in [24, 96, 112, 4096] {
        let number = PROCMAP_QUERY & 0xc000_ffff | size << 16;
        let mut words = question(size.into(), COVERING_OR_NEXT, 0);
        let says = query_by_number(&maps, number, &mut words);
        // Seccomp filters do not know this number either.
        assert_eq!(says, Err(Errno::ENOTTY), "{number:#x}");
    }
}

#[test]
fn flags_that_nobody_knows_are_invalid() {
    let maps = own_maps();
    for bit in 6..64 {
        let says = ask(&maps, COVERING_OR_NEXT | 1 << bit, 0).map(drop);
        assert_says(says, Err(Errno::EINVAL), &format!("bit {bit}"));
    }
}

#[test]
fn a_buffer_has_a_size_and_an_address_or_neither() {
    let maps = own_maps();
    for (of, sizes) in [("name", 64), ("build ID", 20 << 32)] {
        let mut words = question(SIZE, COVERING_OR_NEXT, 0);
        words[SIZES] = sizes;
        assert_says(procmap_query(&maps, &mut words), Err(Errno::EINVAL), of);
    }
}

#[test]
fn every_line_of_the_text_is_answered_but_vsyscall() {
    let mut child = Child::spawn();
    child.map("/proc/self/exe", "r-xp");
    child.anon("rw-s", 0x2000);
    let (maps, lines) = (maps_of(&child), lines_of(&child));
    for addr in telling_addresses(&lines) {
        let line = covering(&lines, addr).filter(|line| line.name != b"[vsyscall]");
        let answer = ask(&maps, 0, addr.0);
        let Some(line) = line else {
            assert_says(answer.map(drop), Err(Errno::ENOENT), &addr.to_string());
            continue;
        };
        let Ok(words) = answer else {
            assert_says(answer.map(drop), Ok(()), &addr.to_string());
            continue;
        };
        let perms = b"rwxs".iter().zip(line.perms);
        let bits = perms
            .enumerate()
            .map(|(nth, (set, is))| u64::from(*set == is) << nth);
        assert_eq!(words[START..=END], [line.start, line.end]);
        assert_eq!(words[FLAGS], bits.sum::<u64>(), "no flag but permissions");
        assert_eq!(words[PAGE_SIZE], 4096);
        assert_eq!(words[OFFSET..=INODE], [line.offset, line.inode]);
        let device = u64::from(line.major) | u64::from(line.minor) << 32;
        assert_eq!(words[DEVICE], device, "major, then minor");
        assert_eq!(
            words[SIZES], 0,
            "values that were not requested have length 0"
        );
        assert_eq!(
            words[..3],
            [SIZE, 0, addr.0],
            "the query fields are unchanged"
        );
    }
}

#[test]
fn huge_pages_have_their_size() {
    let mut child = Child::spawn();
    let Some(huge) = child.anon_huge("rw-p", 2 << 20) else {
        return skip("no huge pages of 2 MiB");
    };
    match ask(&maps_of(&child), 0, huge.start) {
        Ok(words) => assert_eq!(words[PAGE_SIZE], 2 << 20),
        refused => assert_says(refused.map(drop), Ok(()), "huge pages"),
    }
}

#[test]
fn a_filter_hides_what_does_not_pass_it() {
    let mut child = Child::spawn();
    let code = child.anon("r-xp", 0x1000);
    let maps = maps_of(&child);
    let inside = |flags| ask(&maps, flags, code.start).map(|words| words[START]);
    assert_says(inside(0).map(drop), Ok(()), "unfiltered");
    // The same as for an unmapped address.
    let says = inside(FILE_BACKED).map(drop);
    assert_says(says, Err(Errno::ENOENT), "not file-backed");
    if let Ok(next) = inside(FILE_BACKED | COVERING_OR_NEXT) {
        assert!(next > code.start, "the next that passes");
    }
}

#[test]
fn above_all_memory_nothing_follows() {
    let child = Child::spawn();
    let maps = maps_of(&child);
    let lines = lines_of(&child);
    let last = lines.iter().rfind(|line| line.name != b"[vsyscall]");
    let above = last.unwrap().end;
    for addr in [above, 1 << 63, u64::MAX - 4095, u64::MAX] {
        let says = ask(&maps, COVERING_OR_NEXT, addr).map(drop);
        assert_says(says, Err(Errno::ENOENT), &format!("{addr:x}"));
    }
}

#[test]
fn without_memory_there_is_no_such_process() {
    type End = fn(&mut Child);
    let ways: [(&str, End); 3] = [
        ("zombie", Child::exit),
        ("reaped", Child::kill),
        ("exec", Child::exec_itself),
    ];
    for (way, end) in ways {
        let mut child = Child::spawn();
        let maps = maps_of(&child);
        end(&mut child);
        let says = ask(&maps, COVERING_OR_NEXT, 0).map(drop);
        assert_says(says, Err(Errno::ESRCH), way);
        // The text of a zombie, and a text opened before an exec, are empty without an
        // error.
        let read = std::io::read_to_string(&maps).map_err(|why| why.raw_os_error());
        let want = match way {
            "reaped" => Err(Some(Errno::ESRCH as i32)),
            _ => Ok(String::new()),
        };
        assert_eq!(read, want, "{way}");
    }
}

#[test]
fn maps_opened_before_the_first_thread_ended_still_answer() {
    let mut child = Child::spawn();
    let before = maps_of(&child);
    child.end_leader();
    assert_says(
        ask(&before, COVERING_OR_NEXT, 0).map(drop),
        Ok(()),
        "before",
    );
    let since = ask(&maps_of(&child), COVERING_OR_NEXT, 0).map(drop);
    assert_says(since, Err(Errno::ESRCH), "since");
}

#[test]
fn other_files_do_not_know_the_question() {
    for file in ["maps", "smaps", "numa_maps", "status", "mem", "exe"] {
        let Ok(open) = File::open(format!("/proc/self/{file}")) else {
            continue; // numa_maps depends on the kernel's configuration
        };
        let says = ask(&open, COVERING_OR_NEXT, 0).map(drop);
        let want = match file {
            "maps" => Ok(()),
            _ => Err(Errno::ENOTTY),
        };
        assert_says(says, want, file);
    }
}
