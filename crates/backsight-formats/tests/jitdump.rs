//! Jitdump files: in either byte order, with changes over time, and damaged.

use backsight_formats::jitdump::{Error, Jitdump, JitdumpEnd, Limits, Timeline};
use backsight_types::AbsAddr;
use testkit::jitdump::JitdumpFile;

fn read(file: &JitdumpFile) -> Jitdump {
    Jitdump::read(&file.bytes.bytes[..], &Limits::default()).unwrap()
}

fn name_at(dump: &Jitdump, timeline: &Timeline, addr: u64) -> Option<(String, u64)> {
    let (number, offset) = timeline.at(AbsAddr(addr))?;
    let code = dump.code(number).unwrap();
    Some((String::from_utf8(code.name.to_vec()).unwrap(), offset))
}

#[test]
fn code_is_where_it_was_at_each_time() {
    for big in [false, true] {
        let mut file = JitdumpFile::new(big);
        file.load(10, 0x1000, 0x100, "first")
            .load(20, 0x2000, 0x80, "other");
        // A record of an unknown type, and one with unwinding information.
        file.record(9, 21, |at| {
            at.u64(1);
        })
        .record(4, 22, |at| {
            at.u64(1);
        });
        file.moved(30, 0x2000, 0x3000, 0x80)
            .load(40, 0x1040, 0x40, "second");
        // Threads write concurrently, so that times are not in order.
        file.load(35, 0x5000, 0x10, "late").record(3, 50, |_| ());
        let dump = read(&file);
        assert_eq!(
            (dump.pid(), dump.len(), dump.malformed(), dump.end()),
            (77, 4, 0, JitdumpEnd::Whole)
        );
        let at = |name: &str, offset| Some((name.to_owned(), offset));
        let cases = [
            (9, 0x1000, None),
            (10, 0x1000, at("first", 0)),
            (10, 0x10ff, at("first", 0xff)),
            (10, 0x1100, None),
            (19, 0x2000, None),
            (29, 0x2010, at("other", 0x10)),
            (30, 0x2010, None),
            (30, 0x3010, at("other", 0x10)),
            (34, 0x5000, None),
            (39, 0x5000, at("late", 0)),
            (39, 0x1050, at("first", 0x50)),
            (40, 0x1050, at("second", 0x10)),
            (40, 0x1010, at("first", 0x10)),
            (40, 0x1090, at("first", 0x90)),
        ];
        let mut timeline = Timeline::default();
        for (time, addr, want) in cases {
            timeline.advance(&dump, time);
            assert_eq!(
                name_at(&dump, &timeline, addr),
                want,
                "{time} {addr:#x} {big}"
            );
        }
        assert_eq!(
            [9, 10, 30, 99].map(|time| dump.changes_until(time)),
            [0, 1, 3, 5]
        );
    }
}

#[test]
fn lines_are_of_the_code_that_comes_next() {
    let mut file = JitdumpFile::new(false);
    let same: &[u8] = b"\xff";
    let rows = [
        (0x1000, 3, &b"a.js"[..]),
        (0x1008, 4, same),
        (0x1010, 9, b"b.js"),
    ];
    file.lines(0x1000, 3, &rows).load(1, 0x1000, 0x20, "f");
    file.lines(0x9999, 1, &[(0x9999, 1, b"c.js")])
        .load(2, 0x2000, 0x20, "g");
    let dump = read(&file);
    let line = |number, offset| {
        let found = dump.line(number, offset)?;
        Some((String::from_utf8(found.0.to_vec()).unwrap(), found.1))
    };
    let at = |file: &str, line| Some((file.to_owned(), line));
    assert_eq!([line(0, 0), line(0, 7)], [at("a.js", 3), at("a.js", 3)]);
    assert_eq!([line(0, 8), line(0, 0x1f)], [at("a.js", 4), at("b.js", 9)]);
    assert_eq!(line(1, 0), None);
    // Bytes of an object in place of a name.
    let mut file = JitdumpFile::new(false);
    let garbage: &[u8] = b"\xc4*\x01";
    let rows = [(0x1000, 3, garbage), (0x1008, 4, same)];
    file.lines(0x1000, 2, &rows).load(1, 0x1000, 0x20, "f");
    let dump = read(&file);
    assert_eq!(dump.line(0, 0), Some((&b""[..], 3)));
    assert_eq!(dump.line(0, 8), Some((&b""[..], 4)));
    // The addresses by V8 include the size of an ELF header.
    let mut file = JitdumpFile::new(false);
    let rows = [(0x1040, 3, &b"a.js"[..]), (0x1048, 4, same)];
    file.lines(0x1000, 2, &rows).load(1, 0x1000, 0x20, "f");
    let dump = read(&file);
    assert_eq!(dump.line(0, 0), Some((&b"a.js"[..], 3)));
    assert_eq!(dump.line(0, 8), Some((&b"a.js"[..], 4)));
}

/// As Erlang's machine writes them: from the header of the function on, and to its end.
#[test]
fn lines_may_begin_before_the_code_and_end_within_it() {
    for big in [false, true] {
        let mut file = JitdumpFile::new(big);
        let name: &[u8] = b"lists.erl";
        let rows = [
            (0xfca, 7, name),
            (0x1000 + 40, 9, name),
            (0x1000 + 60, 0, b""),
        ];
        file.lines(0x1000, 3, &rows).load(1, 0x1000, 0x60, "f");
        // Two rows of the header, the later one first: the nearer to the code counts.
        let rows = [
            (0x1ff8, 4, name),
            (0x1ff0, 3, name),
            (0x2010, 5, name),
            (0x2020, 0, b""),
            (0x2030, 6, name),
        ];
        file.lines(0x2000, 5, &rows).load(2, 0x2000, 0x40, "g");
        // No header is this large.
        let rows = [(0x2eff, 4, name), (0x3010, 5, name)];
        file.lines(0x3000, 2, &rows).load(3, 0x3000, 0x40, "h");
        // There is nothing before the first address.
        let rows = [(0, 4, name), (8, 5, name)];
        file.lines(0, 2, &rows).load(4, 0, 0x10, "i");
        let dump = read(&file);
        assert_eq!((dump.malformed(), dump.unreadable_file_names()), (1, 0));
        let cases = [
            (0, 0, Some(7)),
            (0, 39, Some(7)),
            (0, 40, Some(9)),
            (0, 59, Some(9)),
            (0, 60, None),
            (1, 0, Some(4)),
            (1, 0xf, Some(4)),
            (1, 0x10, Some(5)),
            (1, 0x20, None),
            (1, 0x30, Some(6)),
            (2, 0x20, None),
            (3, 0, Some(4)),
            (3, 8, Some(5)),
        ];
        for (number, offset, line) in cases {
            let want = line.map(|line| (name, line));
            assert_eq!(dump.line(number, offset), want, "{number} {offset} {big}");
        }
    }
}

/// What node 18 and 20 write in place of a name that they freed: glibc has put two words into
/// the first bytes, which may have zero bytes anywhere.
fn freed(len: usize, zeros: &[usize]) -> Vec<u8> {
    let garbage = b"\x01\x10\x02a\xee3\x9c'S\xee\xf8Zq(7x";
    let mut name: Vec<u8> = garbage.iter().copied().chain(b'a'..=b'z').collect();
    name.extend(b"/some/folder/of/a/project/".iter().cycle().take(60));
    name.truncate(len);
    for zero in zeros.iter().filter(|zero| **zero < len) {
        name[*zero] = 0;
    }
    name
}

#[test]
fn a_name_that_is_none_is_never_a_file_and_does_not_shift_the_rows() {
    let zeros: [&[usize]; 5] = [&[], &[0], &[3, 4, 5, 6, 7], &[6, 7], &[1, 9, 14]];
    for (big, count) in [
        (false, 1_u64),
        (true, 2),
        (false, 3),
        (true, 8),
        (false, 40),
    ] {
        for (len, zeros) in (10..60).flat_map(|len| zeros.map(|zeros| (len, zeros))) {
            let name = freed(len, zeros);
            let case = format!("{count} rows, {len} bytes, zeros at {zeros:?}, big: {big}");
            let rows: Vec<(u64, u32, &[u8])> = (0..count)
                .map(|row| (0x7f00_0000_1040 + 4 * row, 10 + row as u32, &name[..]))
                .collect();
            let mut file = JitdumpFile::new(big);
            file.record(2, 0, |at| {
                at.words(&[0x7f00_0000_1000, count]);
                for (addr, line, file) in &rows {
                    at.u64(*addr).u32(*line).u32(7).raw(file).raw(&[0]);
                }
                at.zeros(at.bytes.len().next_multiple_of(8) - at.bytes.len());
            });
            file.load(1, 0x7f00_0000_1000, 0x200, "f");
            let dump = read(&file);
            assert_eq!((dump.malformed(), dump.len()), (0, 1), "{case}");
            assert_eq!(dump.unreadable_file_names(), count, "{case}");
            for row in 0..count {
                let found = dump.line(0, 4 * row + 1);
                assert_eq!(found, Some((&b""[..], 10 + row as u32)), "{case}");
            }
        }
    }
}

/// Names that end where they should are kept, in rows of any length, whatever other tables have.
#[test]
fn names_of_other_rows_and_tables_are_kept() {
    let mut file = JitdumpFile::new(false);
    let names: [&[u8]; 3] = [
        "/srv/\u{e9}t\u{e9} \u{4e00}.js".as_bytes(),
        b"x",
        b"node:internal/a",
    ];
    let rows = [
        (0x1040, 3, names[0]),
        (0x1048, 4, names[1]),
        (0x1050, 5, names[2]),
        // In the bytes of the one-byte strings of V8, which are Latin-1.
        (0x1058, 6, b"/srv/\xe9.js"),
    ];
    file.lines(0x1000, 4, &rows).load(1, 0x1000, 0x80, "f");
    // A table whose second row is of other code, and that no length divides.
    let rows = [(0x2040, 3, names[0]), (0x9, 4, names[1])];
    file.lines(0x2000, 2, &rows).load(1, 0x2000, 0x80, "g");
    let dump = read(&file);
    assert_eq!((dump.malformed(), dump.unreadable_file_names()), (1, 1));
    for (row, name) in names.iter().enumerate() {
        let found = dump.line(0, 8 * row as u64);
        assert_eq!(found, Some((*name, 3 + row as u32)));
    }
    assert_eq!(dump.line(0, 0x18), Some((&b""[..], 6)));
    assert_eq!(dump.line(1, 0), None);
}

#[test]
fn impossible_records_are_counted_and_take_no_memory() {
    let mut file = JitdumpFile::new(false);
    // A count of billions of lines, of which one exists.
    file.lines(0x1000, u64::MAX, &[(0x1000, 1, b"a.js")])
        .load(1, 0x1000, 8, "f");
    file.record(0, 2, |at| {
        at.u64(1);
    });
    file.record(0, 2, |at| {
        at.u32(1).u32(1).words(&[1, 1, 8, 1]).raw(b"no end");
    });
    file.record(0, 2, |at| {
        at.u32(1).u32(1).words(&[1, 1, 0, 1]).text("no size");
    });
    file.record(0, 2, |at| {
        at.u32(1).u32(1).words(&[1, u64::MAX, 8, 1]).text("over");
    });
    file.record(0, 2, |at| {
        at.u32(1).u32(1).words(&[1, 0, 1 << 40, 1]).text("all");
    });
    file.record(1, 3, |at| {
        at.u64(1);
    });
    file.moved(4, 0x1000, 0x4000, u64::MAX);
    let dump = read(&file);
    assert_eq!(
        (dump.len(), dump.malformed(), dump.end()),
        (1, 7, JitdumpEnd::Whole)
    );
    assert_eq!(dump.line(0, 0), Some((&b"a.js"[..], 1)));
    // Moving the whole address space moves only the code.
    let mut timeline = Timeline::default();
    timeline.advance(&dump, 9);
    assert_eq!(
        name_at(&dump, &timeline, 0x4007)
            .map(|(name, _)| name)
            .as_deref(),
        Some("f")
    );
    assert_eq!(name_at(&dump, &timeline, 0x4008), None);

    let mut file = JitdumpFile::new(false);
    file.load(1, 0x1000, 8, "f");
    file.bytes.u32(0).u32(15).u64(3);
    assert_eq!(
        (read(&file).len(), read(&file).end()),
        (1, JitdumpEnd::Damaged)
    );
    let mut file = JitdumpFile::new(false);
    file.load(1, 0x1000, 8, "f");
    file.bytes.u32(0).u32(u32::MAX).u64(3);
    assert_eq!(
        (read(&file).len(), read(&file).end()),
        (1, JitdumpEnd::InRecord)
    );

    let read_bytes = |bytes: &[u8]| Jitdump::read(bytes, &Limits::default());
    assert!(matches!(read_bytes(b"ELF"), Err(Error::NotJitdump)));
    assert!(matches!(read_bytes(&[0; 40]), Err(Error::NotJitdump)));
    let mut later = JitdumpFile::new(false).bytes.bytes;
    later[4] = 9;
    assert!(matches!(read_bytes(&later), Err(Error::Version(9))));
}

#[test]
fn cut_anywhere_it_has_what_stands_before() {
    let mut file = JitdumpFile::new(false);
    let rows = [(0x1000, 3, &b"a.js"[..])];
    file.lines(0x1000, 1, &rows)
        .load(1, 0x1000, 8, "f")
        .load(2, 0x2000, 8, "g");
    let whole = &file.bytes.bytes;
    let mut ends = Vec::new();
    for cut in 40..=whole.len() {
        let dump = Jitdump::read(&whole[..cut], &Limits::default()).unwrap();
        ends.push((dump.len(), dump.end()));
    }
    let whole_ones = ends.iter().filter(|(_, end)| *end == JitdumpEnd::Whole);
    let lens: Vec<usize> = whole_ones.map(|(len, _)| *len).collect();
    assert_eq!(lens, [0, 0, 1, 2]);
    assert!(
        ends.iter()
            .all(|(_, end)| matches!(end, JitdumpEnd::Whole | JitdumpEnd::InRecord))
    );
    assert!(ends.is_sorted_by_key(|(len, _)| *len));
}

/// A file that grows: read up to any byte, asked, and then to its end.
#[test]
fn read_in_two_parts_it_says_the_same() {
    let mut file = JitdumpFile::new(false);
    let rows = [(0x1000, 3, &b"a.js"[..])];
    file.lines(0x1000, 1, &rows)
        .load(10, 0x1000, 8, "f")
        .load(30, 0x2000, 8, "g")
        // Added later, and of before.
        .load(20, 0x2000, 0x10, "early")
        .moved(40, 0x1000, 0x3000, 8)
        .load(50, 0x1000, 8, "last");
    let whole = &file.bytes.bytes;
    let places = [0x1000, 0x2000, 0x2008, 0x3004];
    let said = |dump: &Jitdump, timeline: &Timeline| {
        let names = places.map(|addr| name_at(dump, timeline, addr));
        (names, dump.len(), dump.malformed(), dump.end())
    };
    let mut at_once = Timeline::default();
    let dump = read(&file);
    at_once.advance(&dump, u64::MAX);
    let want = said(&dump, &at_once);
    let name = |name: &str, offset| Some((name.to_owned(), offset));
    let names = [
        name("last", 0),
        name("g", 0),
        name("early", 8),
        name("f", 4),
    ];
    assert_eq!(want, (names, 4, 0, JitdumpEnd::Whole));
    for cut in 40..=whole.len() {
        let mut dump = Jitdump::read(&whole[..cut], &Limits::default()).unwrap();
        let mut timeline = Timeline::default();
        timeline.advance(&dump, u64::MAX);
        let read = usize::try_from(dump.bytes_read()).unwrap();
        assert!(read <= cut);
        dump.read_more(&whole[read..], &Limits::default()).unwrap();
        timeline.advance(&dump, u64::MAX);
        assert_eq!(said(&dump, &timeline), want, "in two parts at {cut}");
        assert_eq!(dump.line(0, 0), Some((&b"a.js"[..], 3)), "{cut}");
    }
}
