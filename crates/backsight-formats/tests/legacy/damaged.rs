//! Damaged profiles.

use crate::by_hand::{CONTENTION, HEAP, JEMALLOC, THREADS, WORDS, cpu};
use crate::parse;
use backsight_formats::legacy::{Error, is_one, read};
use proptest::prelude::*;

#[test]
fn damaged_lines_are_said_and_the_rest_is_read() {
    let cases = [
        (HEAP, "2: 512 [4: 3968]", "2: 512 [4: x]"),
        (HEAP, "2: 512 [4: 3968]", "0: 512 [4: 3968]"),
        (HEAP, "0x400011", "400011"),
        (HEAP, "0x400011", "0x1400000000000000011"),
        (HEAP, "4: 3968] @", "4: 3968]"),
        (HEAP, "00400000-00500000", "00600000-00500000"),
        (HEAP, "fe:01 77 /bin/a", "fe:01 77 /bin/a\nwords"),
        (JEMALLOC, "t*: 1:", "t*: :"),
        (JEMALLOC, "@ 0x400031", "0x400031"),
        (JEMALLOC, "  t*: 1: 128 [1: 128]\n", ""),
        (CONTENTION, " 300 2 @", " 300 @"),
        (CONTENTION, "cycles/second = 2", "cycles/second = x"),
        (CONTENTION, "ms since reset", "other"),
        (
            THREADS,
            "--- Thread 80 (name: worker/149)",
            "--- Thread 80 (name: worker)",
        ),
        (THREADS, "0x400031", "0x11111111111111111"),
    ];
    for (text, from, to) in cases {
        assert!(text.contains(from));
        let damaged = text.replacen(from, to, 1);
        let (_, _, wrong) = parse(damaged.as_bytes());
        assert!(!wrong.is_empty(), "{from} -> {to}");
    }
    for none in [
        "",
        "heap profile: 1: 2 [3: 4]",
        "heap profile: 1: 2 [3: 4] @ other",
        "x profile: total",
        "--- other",
    ] {
        assert!(!is_one(none.as_bytes()), "{none}");
        assert!(
            matches!(read(none.as_bytes(), |_| {}), Err(Error::Malformed(_))),
            "{none}"
        );
    }
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(which in 0..7_usize, flips in prop::collection::vec((0..2000_usize, any::<u8>()), 1..6), cut in 0..2000_usize) {
        let mut bytes = match which {
            0 => HEAP.as_bytes().to_vec(),
            1 => JEMALLOC.as_bytes().to_vec(),
            2 => CONTENTION.as_bytes().to_vec(),
            3 => THREADS.as_bytes().to_vec(),
            4 => cpu(true, false, &WORDS),
            5 => cpu(false, true, &WORDS),
            _ => b"goroutine profile: total 1\n1 @ 0x11\n#\t0x10\tmain.f+0x1\t/a.go:1\n".to_vec(),
        };
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(1));
        let _ = is_one(&bytes);
        let mut wrong = 0_usize;
        let lines = bytes.split(|byte| *byte == b'\n').count();
        let _ = read(&bytes[..], |_| wrong += 1);
        prop_assert!(wrong <= lines * 2);
    }
}
