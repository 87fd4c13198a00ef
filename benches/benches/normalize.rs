//! Cost of a batch against the number of its addresses, one-shot and in a session.

use std::hint::black_box;

use backsight_normalize::{Options, Session};
use backsight_types::{AbsAddr, Outcome};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use testkit::child::Child;

/// Among so many VMAs, the addresses lie in ten.
const VMAS: u64 = 650;
const TOUCHED: u64 = 10;
const PAGE: u64 = 4096;

fn batch(c: &mut Criterion) {
    let mut child = Child::spawn();
    let layout = child.layout("/bin/true", VMAS);
    // Every fifth VMA is code, the first of them the second of all.
    let code = |nth: u64| layout.start + (nth * 5 + 1) * PAGE;
    let mut group = c.benchmark_group("batch in 10 of 650 VMAs, sorted");
    for k in [10, 1_000, 100_000_u64] {
        let per_vma = k / TOUCHED;
        let addr = |nth| AbsAddr(code(nth / per_vma) + (nth % per_vma) * PAGE / per_vma);
        let addrs: Vec<AbsAddr> = (0..k).map(addr).collect();
        let mut outcomes = Vec::new();
        group.throughput(Throughput::Elements(k));
        group.bench_function(BenchmarkId::new("one-shot", k), |b| {
            b.iter(|| {
                let mut session = Session::open(child.pid(), Options::bare()).expect("our child");
                session
                    .normalize(black_box(&addrs), &mut outcomes)
                    .expect("our child");
            });
        });
        let mut session = Session::open(child.pid(), Options::bare()).expect("our child");
        group.bench_function(BenchmarkId::new("warm session", k), |b| {
            b.iter(|| {
                session
                    .normalize(black_box(&addrs), &mut outcomes)
                    .expect("our child")
            });
        });
        let located = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Located { .. }));
        assert_eq!(located.count() as u64, k, "all addresses lie in code");
    }
}

criterion_group!(normalize, batch);
criterion_main!(normalize);
