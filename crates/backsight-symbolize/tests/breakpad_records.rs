//! Breakpad symbol files written by hand: each kind of record, and what is wrong with them.

mod common;

use backsight_symbolize::{ShortfallKind, SymbolFile, SymbolSource as _};
use backsight_types::VirtOffset;
use common::symbol_files::{both_ways, levels, opened};

#[test]
fn unreadable_records_are_counted() {
    let head = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a\n";
    let cases = [
        ("", None),
        ("FILE 0 a\nFUNC 10 8 0 f\n10 8 1 0\n", None),
        // A line, an inlined call and rules of nothing.
        (
            "10 8 1 0\nINLINE 0 1 0 0 10 8\nSTACK CFI 10 a: b\n",
            Some(3),
        ),
        ("FUNC 10 8 0 f\nxyz 8 1 0\n10 8 1\n", Some(2)),
        // The lines of a function that cannot be read are not those of the one before.
        ("FUNC 10 8 0 f\nFUNC zz 8 0 g\n10 8 1 0\n", Some(2)),
        ("FILE 0 a\nFILE 0 b\nFILE z c\n", Some(2)),
        ("MODULE again\n\u{0}\u{1}\n", Some(2)),
        ("STACK WIN 4 1 2\nINFO URL x\n\n", None),
    ];
    for (lines, unread) in cases {
        let file = opened(&format!("{head}{lines}"));
        let kinds: Vec<_> = file.shortfalls().iter().map(|fall| fall.kind).collect();
        let want: Vec<_> = unread.map(ShortfallKind::UnreadLines).into_iter().collect();
        assert_eq!(kinds, want, "{lines}");
        both_ways(&file, &(0..64).collect::<Vec<_>>());
    }
    let missing = [
        ("FILE 0 a\nFUNC 10 8 0 f\n10 4 1 0\n14 4 2 1\n", Some(1)),
        ("FUNC 10 8 0 f\n10 4 1 1\n14 4 2 1\nFILE 1 a\n", None),
        // A call of an unknown file, whose name is missing, and one whose file is.
        (
            "FILE 0 a\nINLINE_ORIGIN 0 g\nFUNC 10 8 0 f\nINLINE 0 1 -1 7 10 4\n\
             INLINE 0 1 9 0 14 4\n10 8 1 0\n",
            Some(2),
        ),
    ];
    for (lines, count) in missing {
        let file = opened(&format!("{head}{lines}"));
        let kinds: Vec<_> = file.shortfalls().iter().map(|fall| fall.kind).collect();
        let want: Vec<_> = count.map(ShortfallKind::MissingTexts).into_iter().collect();
        assert_eq!(kinds, want, "{lines}");
        both_ways(&file, &(0..64).collect::<Vec<_>>());
    }
    let overlapping = opened(&format!(
        "{head}FUNC 10 8 0 f\nFUNC 14 2 0 g\nFUNC 14 1 0 h\nPUBLIC 11 0 inside\nPUBLIC 18 0 after\n"
    ));
    assert_eq!(
        overlapping.shortfalls()[0].kind,
        ShortfallKind::Overlapping(2)
    );
    let found = both_ways(
        &overlapping,
        &[0xf, 0x10, 0x13, 0x14, 0x15, 0x16, 0x18, 0x19],
    );
    let names = found.iter().map(|frames| levels(frames).pop()?.0);
    let names: Vec<Option<String>> = names.collect();
    let names: Vec<_> = names.iter().map(Option::as_deref).collect();
    let want = [
        None,
        Some("f"),
        Some("f"),
        Some("g"),
        Some("g"),
        None,
        Some("after"),
        None,
    ];
    assert_eq!(names, want);
}

#[test]
fn contradictions_within_a_function_are_said() {
    let head =
        "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a\nFILE 0 a.c\nINLINE_ORIGIN 0 g\n";
    let cases = [
        // A call in a call that is not there.
        "FUNC 10 8 0 f\nINLINE 1 1 0 0 10 8\n",
        // Lines that overlap, and one outside.
        "FUNC 10 8 0 f\n10 8 1 0\n12 2 2 0\n",
        "FUNC 10 8 0 f\n10 9 1 0\n",
    ];
    for lines in cases {
        let file = opened(&format!("{head}{lines}"));
        assert_eq!(file.shortfalls(), [], "{lines}");
        both_ways(&file, &(0..64).collect::<Vec<_>>());
        let kinds: Vec<_> = file.shortfalls().iter().map(|fall| fall.kind).collect();
        assert_eq!(kinds, [ShortfallKind::Damaged], "{lines}");
    }
    // What an address that is added leads behind the last.
    let file = opened(&format!("{head}FUNC fffffffffffffff0 8 0 f\n"));
    let file = file.with_load_address(VirtOffset(0x1000));
    both_ways(&file, &[0, 0xff0]);
    assert_eq!(file.shortfalls()[0].kind, ShortfallKind::Damaged);
}

/// A file with a record of each kind.
const EACH_KIND: &str = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a.so
INFO CODE_ID 33221100554477668899AABBCCDDEEFF01234567
FILE 0 /src/a.c
FILE 1 /src/b.h
INLINE_ORIGIN 0 b::twice(int)
INLINE_ORIGIN 1 _ZN1b6squareEi
FUNC 10 20 0 main
INLINE 0 7 0 0 14 4 1a 2
INLINE 1 3 1 1 14 2
10 4 6 0
14 2 2 1
16 2 4 1
18 18 8 0
FUNC m 40 8 0 f(int, char)
40 8 20 1
PUBLIC m 60 0 _start
STACK CFI INIT 10 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI 14 .cfa: $rsp 16 + $rbx: .cfa -16 + ^
STACK CFI INIT 60 8 .cfa: $rsp 8 + .ra: .undef
STACK WIN 4 10 20 0 0 0 0 0 0 1 x
";

#[test]
fn each_kind_of_record_counts() {
    let file = opened(EACH_KIND);
    assert_eq!(file.shortfalls(), []);
    let (module, counts) = file.breakpad().expect("a Breakpad file");
    assert_eq!((&*module.os, &*module.cpu), ("Linux", "x86_64"));
    assert_eq!(&*module.name, "a.so");
    let pairs = [counts.functions, counts.symbols, counts.cfi_ranges];
    assert_eq!(pairs, [2, 1, 2]);
    assert_eq!([counts.lines, counts.inlined, counts.stack_win], [5, 2, 1]);
    let found = both_ways(&file, &[0x14, 0x16, 0x1a, 0x28, 0x44, 0x60, 0x67, 0x68]);
    let shown = found.iter().map(|frames| {
        let levels = levels(frames).into_iter();
        let text = levels.map(|(name, file, line, _)| {
            let file = file.map(|file| file.replace("/src/", ""));
            let [name, file] = [name, file].map(Option::unwrap_or_default);
            format!("{name} {file}:{}", line.unwrap_or(0))
        });
        text.collect::<Vec<_>>().join(", ")
    });
    let want = [
        "b::square(int) b.h:2, b::twice(int) b.h:3, main a.c:7",
        "b::twice(int) b.h:4, main a.c:7",
        "b::twice(int) a.c:8, main a.c:7",
        "main a.c:8",
        "f(int, char) b.h:20",
        "_start :0",
        // The last symbol ends where its unwinding rules do.
        "_start :0",
        "",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), want);
}

#[test]
fn damaged_files_are_refused_or_said() {
    let whole = EACH_KIND.as_bytes();
    let addresses: Vec<u64> = (0..0x70).collect();
    let sound = both_ways(&opened(EACH_KIND), &addresses);
    let parsed = |bytes: &[u8]| SymbolFile::of_bytes(bytes.into());
    let (mut refused, mut said, mut same) = (0, 0, 0);
    let mut ask = |bytes: &[u8]| match parsed(bytes) {
        Ok(file) => {
            let answers = both_ways(&file, &addresses);
            said += usize::from(!file.shortfalls().is_empty());
            same += usize::from(answers == sound);
        }
        Err(_) => refused += 1,
    };
    for end in 0..whole.len() {
        ask(&whole[..end]);
    }
    for place in 0..whole.len() {
        for flip in [0x01, 0x20, 0xff] {
            let mut bytes = whole.to_vec();
            bytes[place] ^= flip;
            ask(&bytes);
        }
    }
    assert!(
        refused > 50 && said > 500 && same > 100,
        "{refused} {said} {same}"
    );
}
