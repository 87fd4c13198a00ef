//! Saved texts that are very large or damaged.

mod common;

use common::alone;
use testkit::fixture;
use vma_query::{AbsAddr, Error, Filter, Result, Snapshot, VmaName};

/// Returns the line and reason that a text is refused with.
fn refused(text: &[u8]) -> (usize, &'static str) {
    match Snapshot::parse(text) {
        Err(Error::Malformed { line, reason }) => (line, reason),
        other => panic!("{other:?}"),
    }
}

fn parsed(text: &[u8]) -> Result<usize> {
    Snapshot::parse(text).map(|saved| saved.len())
}

#[test]
fn a_text_cut_anywhere_is_read_up_to_there_or_refused_by_its_last_line() {
    for name in ["x86-64", "names", "wide-numbers", "i386-kernel"] {
        let text = fixture(&format!("maps/{name}.maps"));
        let whole: Vec<usize> = text.split(|b| *b == b'\n').map(<[u8]>::len).collect();
        for len in 0..text.len() {
            let cut = &text[..len];
            let lines = cut.iter().filter(|byte| **byte == b'\n').count();
            let begun = usize::from(!cut.is_empty() && !cut.ends_with(b"\n"));
            match Snapshot::parse(cut) {
                // A name or an inode that was cut off looks like a complete one.
                Ok(saved) => assert_eq!(saved.len(), lines + begun, "{name} {len}"),
                Err(Error::Malformed { line, .. }) => {
                    assert_eq!(line, (lines + begun).max(1), "{name} {len}");
                }
                Err(other) => panic!("{name} {len}: {other:?}"),
            }
        }
        assert_eq!(parsed(&text).unwrap(), whole.len() - 1);
    }
}

#[test]
fn overlapping_and_unsorted_lines_are_refused_where_they_begin() {
    let text = String::from_utf8(fixture("maps/x86-64.maps")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let overlap = "the range begins before the one above it ends";
    for (first, second) in [(0, 1), (3, 20), (lines.len() - 2, lines.len() - 1)] {
        let mut swapped = lines.clone();
        swapped.swap(first, second);
        let (line, reason) = refused(swapped.join("\n").as_bytes());
        assert!(line == first + 2 && reason == overlap, "{line}: {reason}");
        let mut twice = lines.clone();
        twice.insert(second, lines[first]);
        let (line, reason) = refused(twice.join("\n").as_bytes());
        assert!(line == second + 1 && reason == overlap, "{line}: {reason}");
    }
    let mut backward = lines.clone();
    backward.reverse();
    assert_eq!(refused(backward.join("\n").as_bytes()), (2, overlap));
    assert_eq!(
        refused(&[text.as_bytes(), text.as_bytes()].concat()).0,
        lines.len() + 1
    );
}

#[test]
fn other_files_are_refused_in_their_first_line() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let smaps = std::fs::read("/proc/self/smaps").unwrap();
    let texts: [(&str, &[u8], usize); 8] = [
        ("an ELF file", &own, 1),
        ("zeros", &[0; 10_000], 1),
        ("0xff", &[0xff; 10_000], 1),
        ("newlines", &[b'\n'; 10_000], 1),
        ("spaces", &[b' '; 10_000], 1),
        ("digits", &[b'1'; 1_000_000], 1),
        ("another language", "ümläut\n".as_bytes(), 1),
        ("smaps", &smaps, 2),
    ];
    for (what, text, line) in texts {
        assert_eq!(refused(text).0, line, "{what}");
    }
}

/// Every second page of a file, as a database maps its segments.
fn text_of(lines: usize) -> Vec<u8> {
    let name = "/dev/shm/one of the segments of the pool";
    let line = format!(
        "{:012x}-{:012x} rw-s 00000000 00:19 {:<22} {name}\n",
        0, 0, 4711
    );
    let mut text = line.into_bytes().repeat(lines);
    let len = text.len() / lines;
    for (nth, line) in text.chunks_exact_mut(len).enumerate() {
        for (at, mut addr) in [(0, nth << 13), (13, (nth << 13) + 4096)] {
            for digit in line[at..at + 12].iter_mut().rev() {
                *digit = b"0123456789abcdef"[addr % 16];
                addr /= 16;
            }
        }
    }
    text
}

/// Returns the peak memory use of this process, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib = line.split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[test]
fn two_million_lines_take_less_memory_than_their_text() {
    const LINES: usize = 2_000_000;
    alone("two_million_lines_take_less_memory_than_their_text", || {
        let text = text_of(LINES);
        let before = peak();
        let saved = Snapshot::parse(&text).unwrap();
        let more = peak() - before;
        let len = text.len();
        println!("{more} bytes more for {LINES} lines of {len} bytes");
        assert_eq!(saved.len(), LINES);
        for nth in [0, 1, LINES / 2, LINES - 1] {
            let addr = AbsAddr((nth as u64) << 13);
            let found = saved.covering(AbsAddr(addr.0 + 7)).unwrap();
            assert_eq!((found.vma.start, found.vma.inode), (addr, 4711));
            assert!(matches!(found.name(), VmaName::Path { .. }), "{nth}");
            assert_eq!(saved.covering(AbsAddr(addr.0 + 4096)), None);
        }
        let behind = AbsAddr((LINES as u64) << 13);
        assert_eq!(saved.covering_or_next(behind, Filter::ANY), None);
        assert!(more < len, "{more} bytes for a text of {len}");
    });
}

#[test]
fn a_bad_line_behind_many_good_ones_is_named() {
    for lines in [10_000, 100_000] {
        let mut text = text_of(lines);
        text.extend(b"x\n");
        assert_eq!(refused(&text).0, lines + 1);
    }
}
