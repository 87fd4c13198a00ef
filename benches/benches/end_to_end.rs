//! Cost of a complete normalization, from a pid to data that another host can use: open, query,
//! names, build IDs, virtual offsets, close.

use std::hint::black_box;

use backsight_normalize::{Backend, BuildIds, Options, normalize, normalize_self};
use backsight_types::{AbsAddr, Outcome};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use testkit::child::Child;

/// What a caller may want to know about modules, cheapest first.
fn levels_of_detail() -> [(&'static str, Options); 4] {
    let kernel = Options::bare().with_build_ids(BuildIds::Kernel);
    let by_text = Options::default().with_backend(Backend::Text);
    [
        ("names", Options::bare()),
        ("the kernel's build IDs", kernel),
        ("build IDs and segments", Options::default()),
        ("build IDs and segments, by text", by_text),
    ]
}

/// Five addresses of this process, as in the kernel's patch series.
fn own(c: &mut Criterion) {
    let mut group = c.benchmark_group("5 addresses of this process");
    let mut addrs = [
        AbsAddr(libc::chdir as *const () as u64),
        AbsAddr(libc::fopen as *const () as u64),
        AbsAddr(libc::qsort as *const () as u64),
        AbsAddr(own as *const () as u64),
        AbsAddr(against_n as *const () as u64),
    ];
    addrs.sort();
    for (wish, options) in levels_of_detail() {
        group.bench_function(wish, |b| {
            b.iter(|| normalize_self(black_box(&addrs), options.clone()).expect("we run"));
        });
    }
}

/// The same addresses against the number of VMAs.
fn against_n(c: &mut Criterion) {
    const PAGE: u64 = 4096;
    for (wish, options) in levels_of_detail() {
        let mut group = c.benchmark_group(format!("5 addresses in 2 of N VMAs, {wish}"));
        for vmas in [25, 200, 650, 2_000, 20_000] {
            let mut child = Child::spawn();
            let layout = child.layout("/bin/true", vmas);
            // Of each five VMAs, the second is code: one near the bottom, one near the top.
            let [low, high] = [1, vmas - 4].map(|nth| layout.start + nth * PAGE);
            let addrs = [low, low + 99, high, high + 1, high + 999].map(AbsAddr);
            let found = normalize(child.pid(), &addrs, options.clone()).expect("our child");
            let located = |outcome: &Outcome| matches!(outcome, Outcome::Located { .. });
            assert!(found.outcomes.iter().all(located), "{:?}", found.outcomes);
            group.bench_function(BenchmarkId::from_parameter(vmas), |b| {
                b.iter(|| {
                    normalize(child.pid(), black_box(&addrs), options.clone()).expect("our child")
                });
            });
        }
    }
}

criterion_group!(end_to_end, own, against_n);
criterion_main!(end_to_end);
