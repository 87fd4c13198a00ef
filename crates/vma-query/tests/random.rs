//! Properties of saved texts, tested with random texts.

mod common;

use common::{covering, filters, first_reaching, line, telling_addresses};
use proptest::prelude::*;
use testkit::maps::{self, Line};
use vma_query::{AbsAddr, Filter, NameBuf, Snapshot};

/// Up to 40 lines in ascending order, with or without gaps.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    let name = prop_oneof![
        Just(Vec::new()),
        Just(b"[vdso]".to_vec()),
        "/[ -~]{0,30}".prop_map(String::into_bytes),
        prop::collection::vec(1..=u8::MAX, 1..40).prop_map(|tail| [b"/", &tail[..]].concat()),
    ];
    let numbers = (0..3_u64, 1..5_u64, 0..16_u8, any::<u64>(), 0..3_u64);
    let device = (0..3_u32, any::<u32>());
    let steps = prop::collection::vec((numbers, device, name), 1..40);
    (0..1_u64 << 50, steps).prop_map(|(first, steps)| {
        let mut end = first;
        let line = |((gap, pages, perms, offset, inode), (major, minor), name)| {
            let start = end + gap * 4096;
            end = start + pages * 4096;
            let set = |bit: u8, letter, unset| if perms >> bit & 1 == 1 { letter } else { unset };
            Line {
                start,
                end,
                perms: [
                    set(0, b'r', b'-'),
                    set(1, b'w', b'-'),
                    set(2, b'x', b'-'),
                    set(3, b's', b'p'),
                ],
                offset,
                major,
                minor: if major == 0 { 0 } else { minor },
                inode,
                name: not_printed_alike(name),
            }
        };
        steps.into_iter().map(line).collect()
    })
}

/// A name with the characters `\012` is printed like one with a newline.
fn not_printed_alike(name: Vec<u8>) -> Vec<u8> {
    name.into_iter()
        .map(|byte| if byte == b'\\' { b'/' } else { byte })
        .collect()
}

proptest! {
    #[test]
    fn printed_lines_are_read_back(lines in lines()) {
        let saved = Snapshot::parse(&maps::text(&lines)).unwrap();
        let read: Vec<Line> = saved.iter().map(|it| line(it.vma, it.raw_name)).collect();
        prop_assert_eq!(read, lines);
    }

    #[test]
    fn every_search_is_a_scan_from_the_top(
        lines in lines(),
        set in 0..32_usize,
        random in prop::collection::vec(any::<u64>(), 0..20),
    ) {
        let saved = Snapshot::parse(&maps::text(&lines)).unwrap();
        let (filter, passes) = filters().nth(set).unwrap();
        let mut addrs = telling_addresses(&lines);
        // Unsorted: a cursor must also find VMAs below its position.
        addrs.extend(random.into_iter().map(AbsAddr));
        let mut cursor = saved.cursor().only(filter);
        let mut name = NameBuf::new();
        for addr in addrs {
            let at = saved.covering(addr).map(|it| line(it.vma, it.raw_name));
            prop_assert_eq!(at.as_ref(), covering(&lines, addr));
            let next = saved.covering_or_next(addr, filter);
            let next = next.map(|it| line(it.vma, it.raw_name));
            let want = first_reaching(&lines, addr, &passes);
            prop_assert_eq!(next.as_ref(), want);
            let found = cursor.seek_named(addr, &mut name).unwrap();
            let found = found.map(|vma| line(vma, name.as_bytes()));
            prop_assert_eq!(found.as_ref(), want);
        }
    }

    #[test]
    fn lines_out_of_order_are_refused(lines in lines(), from: prop::sample::Index) {
        let mut lines = lines;
        let at = from.index(lines.len());
        let copy = lines[at].clone();
        lines.insert(at, copy);
        prop_assert!(Snapshot::parse(&maps::text(&lines)).is_err());
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_fatal(
        lines in lines(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep: prop::sample::Index,
    ) {
        let mut text = maps::text(&lines);
        for (at, byte) in cuts {
            let at = at.index(text.len());
            text[at] = byte;
        }
        text.truncate(keep.index(text.len() + 1));
        if let Ok(saved) = Snapshot::parse(&text) {
            for it in saved.iter() {
                let _ = (it.name(), it.vma.file_offset_of(it.vma.start));
                prop_assert!(it.vma.start < it.vma.end);
            }
            let _ = saved.covering_or_next(AbsAddr(u64::MAX), Filter::ANY);
        }
    }

    #[test]
    fn no_bytes_are_fatal(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Snapshot::parse(&text).map(|saved| saved.iter().count());
    }
}
