//! Profiles from before `profile.proto`: made by gperftools, tcmalloc, jemalloc and Go here
//! and now, and held against what `go tool pprof` and `jeprof` read in the same file; by
//! hand where nobody writes them any more; and damaged.

mod pprof_raw;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_formats::flaws::Flaws;
use backsight_formats::legacy::{Error, LineError, is_one, read};
use backsight_types::profile::Profile;
use pprof_raw::{Sums, by_pprof, kinds, sums};
use proptest::prelude::*;
use testkit::skip;

fn parse(bytes: &[u8]) -> (Profile, Flaws, Vec<LineError>) {
    let mut wrong = Vec::new();
    assert!(is_one(bytes));
    let (profile, flaws) = read(bytes, |error| wrong.push(error.clone())).unwrap();
    (profile, flaws, wrong)
}

fn agrees_with_pprof(file: &Path) -> Option<Profile> {
    let (profile, _, wrong) = parse(&fs::read(file).unwrap());
    assert_eq!(wrong, [], "{}", file.display());
    let (want_kinds, want) = by_pprof(file)?;
    assert_eq!(kinds(&profile), want_kinds, "{}", file.display());
    assert_eq!(sums(&profile), want, "{}", file.display());
    assert!(!want.is_empty());
    Some(profile)
}

const CPP: &str = r#"
#include <gperftools/heap-profiler.h>
#include <gperftools/profiler.h>
#include <stdlib.h>
__attribute__((noinline)) int leaf(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i; return s; }
__attribute__((noinline)) int one(int n) { return leaf(n) + 1; }
__attribute__((noinline)) int two(int n) { return leaf(n) + 2; }
__attribute__((noinline)) int left(int n) { return one(n) + 1; }
__attribute__((noinline)) int right(int n) { return two(n) + 1; }
__attribute__((noinline)) void *grab(int n) { return malloc(n); }
int main(int, char **args) {
    ProfilerStart(args[1]);
    volatile int sum = 0;
    for (int i = 0; i < 1000; i++) sum += left(300000) + right(300000);
    ProfilerStop();
    HeapProfilerStart(args[2]);
    for (int i = 0; i < 500; i++) { grab(1000 + i); if (i % 3 == 0) free(grab(64)); }
    HeapProfilerDump("end");
    HeapProfilerStop();
}
"#;

fn compiled(dir: &Path) -> Option<PathBuf> {
    let source = dir.join("a.cc");
    fs::write(&source, CPP).unwrap();
    let program = dir.join("survey");
    let mut compiler = Command::new("g++");
    compiler.args([
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        "-fno-optimize-sibling-calls",
        "-o",
    ]);
    compiler
        .arg(&program)
        .arg(&source)
        .args(["-ltcmalloc", "-lprofiler"]);
    let done = compiler.output();
    if !done.is_ok_and(|done| done.status.success()) {
        skip("no g++ with gperftools (libgoogle-perftools-dev)");
        return None;
    }
    Some(program)
}

#[test]
fn gperftools_profiles_are_what_pprof_reads() {
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = compiled(dir.path()) else {
        return;
    };
    let (cpu, heap) = (dir.path().join("cpu.prof"), dir.path().join("heap"));
    let done = Command::new(&program)
        .arg(&cpu)
        .arg(&heap)
        .output()
        .unwrap();
    assert!(done.status.success());
    let heap = dir.path().join("heap.0001.heap");
    let Some(profile) = agrees_with_pprof(&heap) else {
        return;
    };
    assert_eq!(kinds(&profile).len(), 4);
    // pprof takes out what nearly all samples have behind their leaf: here, nothing of it
    // but what all stacks have at their roots.
    let (profile, flaws, wrong) = parse(&fs::read(&cpu).unwrap());
    assert_eq!((wrong.len(), flaws.iter().count()), (0, 0), "{flaws:?}");
    let (want_kinds, want) = by_pprof(&cpu).unwrap();
    assert_eq!(kinds(&profile), want_kinds);
    let got = sums(&profile);
    let total = |sums: &Sums| sums.values().map(|values| values[0]).sum::<i64>();
    assert!(total(&got) > 10, "{got:?}");
    assert_eq!(total(&got), total(&want));
    let leaves = |sums: &Sums| {
        let mut leaves: BTreeMap<String, i64> = BTreeMap::new();
        for (stack, values) in sums {
            *leaves.entry(stack[0].clone()).or_default() += values[1];
        }
        leaves
    };
    assert_eq!(leaves(&got), leaves(&want));
    // Nothing of a stack is missing.
    assert!(
        got.keys().filter(|stack| stack.len() >= 4).count() >= 2,
        "{got:?}"
    );
    let module = profile
        .modules
        .iter()
        .find(|it| it.path_lossy().ends_with("/survey"))
        .unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(module.inode, fs::metadata(&program).unwrap().ino());
}

#[test]
fn jemalloc_heaps_have_the_total_that_jeprof_has() {
    let library = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    if !Path::new(library).exists() || Command::new("jeprof").arg("--version").output().is_err() {
        return skip("no jemalloc, or no jeprof (libjemalloc2, libjemalloc-dev)");
    }
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("heap");
    let options = format!(
        "prof:true,prof_final:true,lg_prof_sample:12,prof_prefix:{}",
        prefix.display()
    );
    let done = Command::new("sort")
        .arg("/proc/self/maps")
        .env("LD_PRELOAD", library)
        .env("MALLOC_CONF", options)
        .output()
        .unwrap();
    assert!(done.status.success());
    let files = fs::read_dir(dir.path()).unwrap();
    let Some(file) = files
        .map(|file| file.unwrap().path())
        .find(|it| it.extension().is_some_and(|end| end == "heap"))
    else {
        return skip("this jemalloc does not profile");
    };
    let (profile, _, wrong) = parse(&fs::read(&file).unwrap());
    assert_eq!(wrong, []);
    let got: i64 = sums(&profile).values().map(|values| values[1]).sum();
    let done = Command::new("jeprof")
        .args(["--text", "--show_bytes", "/usr/bin/sort"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("Total: "))
        .expect("a total");
    let want: i64 = total.split(' ').next().unwrap().parse().unwrap();
    // Each stack is rounded down by us, as by pprof, and their sum by jeprof.
    let stacks = i64::try_from(profile.samples.len()).unwrap();
    assert!((want - got).abs() <= stacks && got > 0, "{got} {want}");
    assert!(
        profile
            .modules
            .iter()
            .any(|it| it.path_lossy().contains("libjemalloc"))
    );
}

const GO: &str = r#"package main
import ("os"; "runtime"; "runtime/pprof"; "sync"; "time")
//go:noinline
func worker(c chan int) { <-c }
func main() {
	runtime.MemProfileRate = 512
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	c := make(chan int)
	for i := 0; i < 5; i++ { go worker(c) }
	var m sync.Mutex
	for i := 0; i < 4; i++ { go func() { for j := 0; j < 20; j++ { m.Lock(); time.Sleep(time.Millisecond); m.Unlock() } }() }
	time.Sleep(60 * time.Millisecond)
	var keep [][]byte
	// So many that one is sampled at the rate that was set before, too.
	for i := 0; i < 20000; i++ { keep = append(keep, make([]byte, 1000)) }
	// One that runs already publishes what was allocated before it.
	runtime.GC()
	runtime.GC()
	for _, n := range []string{"goroutine", "heap", "mutex", "block"} {
		f, _ := os.Create(os.Args[1] + "/" + n + ".txt")
		pprof.Lookup(n).WriteTo(f, 1)
		f.Close()
	}
	runtime.KeepAlive(keep)
}
"#;

#[test]
fn texts_of_go_are_what_pprof_reads_and_keep_their_functions() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.go");
    fs::write(&source, GO).unwrap();
    let done = Command::new("go")
        .arg("run")
        .arg(&source)
        .arg(dir.path())
        .output();
    if !done.is_ok_and(|done| done.status.success()) {
        return skip("no go");
    }
    for (name, function) in [
        ("goroutine", "main.worker"),
        ("heap", "main.main"),
        ("mutex", "sync.(*Mutex).Unlock"),
        ("block", "sync.(*Mutex).Lock"),
    ] {
        let file = dir.path().join(name).with_extension("txt");
        let profile = agrees_with_pprof(&file).unwrap();
        let function = profile.strings.find(function);
        let frame = profile
            .frames
            .iter()
            .find(|frame| frame.function.is_some() && frame.function == function);
        let frame = frame.unwrap_or_else(|| panic!("{name}: {:?}", profile.strings));
        assert!(frame.line.is_some() && frame.file.is_some(), "{name}");
    }
}

/// A CPU profile of two stacks, and a map.
fn cpu(is_long: bool, is_big: bool, words: &[u64]) -> Vec<u8> {
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

const WORDS: [u64; 16] = [
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
        // pprof has the same samples, but for the frame that it takes out.
        let file = dir.path().join("cpu");
        fs::write(&file, &bytes).unwrap();
        let Some((_, theirs)) = by_pprof(&file) else {
            return;
        };
        let values: Vec<_> = theirs.values().map(|values| values[0]).collect();
        assert_eq!(values.iter().sum::<i64>(), 7);
    }
    // Cut off anywhere: what is lost is counted, what was read is there.
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

const HEAP: &str = "heap profile:  3:  640 [  5: 4096] @ heap_v2/524288\n\
    2: 512 [4: 3968] @ 0x400011 0x400021\n\n# a comment\n1: 128 [1: 128] @ 0x400031\n\n\
    MAPPED_LIBRARIES:\n00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
const JEMALLOC: &str = "heap_v2/524288\n  t*: 3: 640 [5: 4096]\n  t0: 3: 640 [5: 4096]\n\
    @ 0x400011 0x400021\n  t*: 2: 512 [4: 3968]\n  t0: 2: 512 [4: 3968]\n@ 0x400031\n  t*: 1: 128 [1: 128]\n\n\
    MAPPED_LIBRARIES:\n00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
const CONTENTION: &str = "--- contentionz 1 ---\ncycles/second = 2000000000\nsampling period = 100\n\
    ms since reset = 5\ndiscarded samples = 0\n 300 2 @ 0x400011 0x400021\n\
    --- Memory map: ---\n  0x00400000-0x00500000: /bin/a (@1000)\n";
const THREADS: &str = "--- threadz 1 ---\n\n--- Thread 7f (name: main/148) stack: ---\n  PC: 0x400011 0x400021\n      0x400031\n\
    --- Thread 80 (name: worker/149) stack: ---\n    [same as previous thread]\n\
    --- Memory map: ---\n  00400000-00500000 r-xp 00000000 fe:01 77 /bin/a\n";
const GROWTH: &str = "heap profile: 1: 64 [1: 64] @ growthz\n1: 64 [1: 64] @ 0x400011\n";

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
    // pprof does not read jemalloc's own: the same heap says the same.
    let (heap, jemalloc) = (parse(HEAP.as_bytes()), parse(JEMALLOC.as_bytes()));
    assert_eq!((sums(&jemalloc.0), jemalloc.2), (sums(&heap.0), vec![]));
    // Of threads it keeps no names, and counts the second as the first.
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
