//! Profiles in formats that no program here writes.

use crate::parse;
use crate::pprof_raw::{Sums, by_pprof, kinds, sums};
use backsight_formats::legacy::{Error, read};
use std::fs;

/// A CPU profile with two stacks and a memory map.
pub(crate) fn cpu(is_long: bool, is_big: bool, words: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        let word = match (is_long, is_big) {
            (true, true) => word.to_be_bytes().to_vec(),
            (true, false) => word.to_le_bytes().to_vec(),
            (false, true) => (*word as u32).to_be_bytes().to_vec(),
            (false, false) => (*word as u32).to_le_bytes().to_vec(),
        };
        bytes.extend(word);
    }
    bytes.extend(b"build=/bin\n00400000-00500000 r-xp 00001000 fe:01 77   $build/a b\n");
    bytes.extend(b"00500000-00600000 rw-p 00001000 fe:01 77   /bin/a b\n\n");
    bytes
}

pub(crate) const WORDS: [u64; 16] = [
    0, 3, 0, 10_000, 0, 5, 3, 0x40_0010, 0x40_0020, 0x70_0000, 2, 1, 0x50_0010, 0, 1, 0,
];

#[test]
fn words_of_every_machine_are_read() {
    let want: Sums = [
        (
            vec!["/bin/a b+0x1010", "/bin/a b+0x101f", "0x6fffff"],
            vec![5, 50_000_000],
        ),
        (vec!["0x500010"], vec![2, 20_000_000]),
    ]
    .map(|(stack, values)| (stack.into_iter().map(str::to_owned).collect(), values))
    .into();
    let dir = tempfile::tempdir().unwrap();
    for (is_long, is_big) in [(false, false), (false, true), (true, false), (true, true)] {
        let bytes = cpu(is_long, is_big, &WORDS);
        let (profile, flaws, wrong) = parse(&bytes);
        assert_eq!(
            (sums(&profile), wrong),
            (want.clone(), vec![]),
            "{is_long} {is_big}"
        );
        assert!(flaws.is_empty(), "{flaws:?}");
        assert_eq!(profile.period.unwrap().1, 10_000_000);
        assert_eq!(profile.modules[0].device.to_string(), "fe:01");
        // pprof has the same samples, except for the frame that it removes.
        let file = dir.path().join("cpu");
        fs::write(&file, &bytes).unwrap();
        let Some((_, theirs)) = by_pprof(&file) else {
            return;
        };
        let values: Vec<_> = theirs.values().map(|values| values[0]).collect();
        assert_eq!(values.iter().sum::<i64>(), 7);
    }
    // The file is cut at each byte: what is lost is counted, and what is there is read.
    let bytes = cpu(true, false, &WORDS);
    for cut in 40..WORDS.len() * 8 {
        let (profile, flaws, _) = parse(&bytes[..cut]);
        assert_eq!(
            flaws.iter().map(|(_, count)| count).sum::<u64>(),
            1,
            "{cut}"
        );
        assert_eq!(
            profile.samples.len(),
            [80, 104].iter().filter(|end| cut >= **end).count()
        );
    }
    let java = cpu(true, false, &[0, 3, 1, 100, 0]);
    assert!(matches!(read(&java[..], |_| {}), Err(Error::Malformed(why)) if why.contains("Java")));
    let deep = cpu(true, false, &[0, 3, 0, 100, 0, 1, u64::MAX]);
    let (_, flaws, _) = parse(&deep);
    assert_eq!(flaws.iter().count(), 1, "{flaws:?}");
    let large = cpu(true, false, &[0, 3, 0, 100, 0, u64::MAX, 1, 7, 0, 1, 0]);
    let (_, flaws, _) = parse(&large);
    assert_eq!(flaws.iter().count(), 1, "{flaws:?}");
}

pub(crate) const HEAP: &str = "heap profile:  3:  640 [  5: 4096] @ heap_v2/524288\n\
    2: 512 [4: 3968] @ 0x400011 0x400021\n\n# a comment\n1: 128 [1: 128] @ 0x400031\n\n\
    MAPPED_LIBRARIES:\n00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
pub(crate) const JEMALLOC: &str = "heap_v2/524288\n  t*: 3: 640 [5: 4096]\n  t0: 3: 640 [5: 4096]\n\
    @ 0x400011 0x400021\n  t*: 2: 512 [4: 3968]\n  t0: 2: 512 [4: 3968]\n@ 0x400031\n  t*: 1: 128 [1: 128]\n\n\
    MAPPED_LIBRARIES:\n00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
pub(crate) const CONTENTION: &str = "--- contentionz 1 ---\ncycles/second = 2000000000\nsampling period = 100\n\
    ms since reset = 5\ndiscarded samples = 0\n 300 2 @ 0x400011 0x400021\n\
    --- Memory map: ---\n  0x00400000-0x00500000: /bin/a (@1000)\n";
pub(crate) const THREADS: &str = "--- threadz 1 ---\n\n--- Thread 7f (name: main/148) stack: ---\n  PC: 0x400011 0x400021\n      0x400031\n\
    --- Thread 80 (name: worker/149) stack: ---\n    [same as previous thread]\n\
    --- Memory map: ---\n  00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
pub(crate) const GROWTH: &str = "heap profile: 1: 64 [1: 64] @ growthz\n1: 64 [1: 64] @ 0x400011\n";

#[test]
fn texts_by_hand_are_what_pprof_reads() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("heap", HEAP),
        ("contention", CONTENTION),
        ("growth", GROWTH),
        (
            "count",
            "threadcreate profile: total 3\n2 @ 0x11 0x21\n1 @ 0x31\n",
        ),
    ] {
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        let (profile, _, wrong) = parse(text.as_bytes());
        assert_eq!(wrong, [], "{name}");
        if let Some((want_kinds, want)) = by_pprof(&file) {
            assert_eq!(
                (kinds(&profile), sums(&profile)),
                (want_kinds, want),
                "{name}"
            );
        }
    }
    // pprof does not read jemalloc's format. The same heap in another format gives the same result.
    let (heap, jemalloc) = (parse(HEAP.as_bytes()), parse(JEMALLOC.as_bytes()));
    assert_eq!((sums(&jemalloc.0), jemalloc.2), (sums(&heap.0), vec![]));
    // pprof drops the names of threads, and counts the second thread as the first.
    let (profile, _, wrong) = parse(THREADS.as_bytes());
    assert_eq!(wrong, []);
    let file = dir.path().join("threads");
    fs::write(&file, THREADS).unwrap();
    if let Some((_, want)) = by_pprof(&file) {
        assert_eq!(sums(&profile), want);
    }
    let names = profile
        .threads
        .iter()
        .map(|it| (it.tid, profile.strings.get(it.name.unwrap())));
    let want = [(Some(148), Some("main")), (Some(149), Some("worker"))];
    assert_eq!(names.collect::<Vec<_>>(), want);
}
