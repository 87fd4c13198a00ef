//! A process whose list names 100,000 pieces of code that it made at run time: how long it
//! takes to read the list, and to name 1,000 addresses, the first time and again.

use std::fmt::Write;
use std::fs;
use std::hint::black_box;

use backsight::Live;
use backsight_formats::perf_map::{LastLine, Limits, PerfMap};
use backsight_types::AbsAddr;
use blazesym::Pid;
use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{Input, Symbolizer};
use criterion::{Criterion, criterion_group, criterion_main};
use testkit::child::Child;

const ENTRIES: u64 = 100_000;
const SIZE: u64 = 64;
/// Prime to their number, so that they are written in no order.
const STRIDE: u64 = 48_271;

/// Takes the list away.
struct List(String);

impl Drop for List {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn text(start: u64) -> String {
    let mut text = String::new();
    for at in 0..ENTRIES {
        let at = at * STRIDE % ENTRIES;
        let addr = start + at * SIZE;
        let _ = writeln!(
            text,
            "{addr:x} {SIZE:x} JS:*made{at} /srv/app/lib/made.js:{at}:13"
        );
    }
    text
}

fn perf_map(c: &mut Criterion) {
    let mut child = Child::spawn();
    let code = child.anon("rwxp", ENTRIES * SIZE);
    let list = List(format!("/tmp/perf-{}.map", child.pid()));
    let text = text(code.start);
    fs::write(&list.0, &text).expect("/tmp can be written");
    let asked = (0..1_000).map(|at| code.start + at * STRIDE % ENTRIES * SIZE + 9);
    let asked: Vec<u64> = asked.collect();
    let addrs: Vec<AbsAddr> = asked.iter().map(|addr| AbsAddr(*addr)).collect();

    let mut group = c.benchmark_group("a list of 100,000 names");
    group.bench_function("read", |b| {
        b.iter(|| {
            let mut map = PerfMap::default();
            map.read(
                black_box(text.as_bytes()),
                LastLine::Whole,
                &Limits::default(),
            )
        });
    });
    let mut map = PerfMap::default();
    map.read(text.as_bytes(), LastLine::Whole, &Limits::default())
        .expect("a slice");
    group.bench_function("1,000 addresses", |b| {
        b.iter(|| addrs.iter().filter_map(|addr| map.at(*addr)).count());
    });

    let named = |live: &mut Live| {
        let mut named = 0;
        live.stack(&addrs, |answer, _| named += answer.frames.len())
            .expect("a child of ours");
        assert_eq!(named, addrs.len());
    };
    group.bench_function("a live process, 1,000 addresses, first", |b| {
        b.iter(|| named(&mut Live::open(child.pid()).expect("a child of ours")));
    });
    let mut live = Live::open(child.pid()).expect("a child of ours");
    group.bench_function("a live process, 1,000 addresses, again", |b| {
        b.iter(|| named(&mut live));
    });

    let source = Source::Process(Process::new(Pid::from(child.pid())));
    let by_blazesym = |symbolizer: &Symbolizer| {
        let found = symbolizer
            .symbolize(&source, Input::AbsAddr(&asked))
            .expect("a child of ours");
        assert!(found.iter().all(|symbolized| symbolized.as_sym().is_some()));
    };
    group.bench_function("blazesym, 1,000 addresses, first", |b| {
        b.iter(|| by_blazesym(&Symbolizer::new()));
    });
    let symbolizer = Symbolizer::new();
    group.bench_function("blazesym, 1,000 addresses, again", |b| {
        b.iter(|| by_blazesym(&symbolizer));
    });
}

criterion_group!(benches, perf_map);
criterion_main!(benches);
