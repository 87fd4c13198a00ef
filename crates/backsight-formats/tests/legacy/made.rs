//! Profiles that gperftools, tcmalloc, jemalloc and Go write when the test runs.

use crate::pprof_raw::{Sums, by_pprof, kinds, sums};
use crate::{agrees_with_pprof, parse};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::skip;

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
    // pprof removes a frame that nearly all samples have next to their leaf. Here that is only a
    // frame that all stacks have at their roots.
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
    // No stack lacks a frame.
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
    // We round the value of each stack down, as pprof does; jeprof rounds the sum.
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
	// So many allocations that one is sampled even at the default rate.
	for i := 0; i < 20000; i++ { keep = append(keep, make([]byte, 1000)) }
	// A second collection publishes what was allocated before the first.
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
