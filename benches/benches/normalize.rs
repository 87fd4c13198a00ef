//! Cost of a batch against the number of its addresses and of the VMAs that contain them:
//! one-shot, in a session that re-checks what it has cached, and in one that does not.

use std::hint::black_box;
use std::ops::Range;

use backsight_normalize::{Options, Session, Trust};
use backsight_types::{AbsAddr, Outcome};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use testkit::child::Child;

const PAGE: u64 = 4096;

/// Returns a child with this many VMAs, and the ranges of code among them, lowest first.
fn child_of(vmas: u64) -> (Child, Vec<Range<u64>>) {
    let mut child = Child::spawn();
    let layout = child.layout("/bin/true", vmas);
    // Every fifth VMA is code, starting with the second one.
    let code = (1..vmas).step_by(5).map(|nth| layout.start + nth * PAGE);
    let code = code.map(|start| start..start + PAGE).collect();
    (child, code)
}

/// Returns `k` addresses in `m` ranges, evenly distributed, sorted and unsorted.
fn addrs(code: &[Range<u64>], k: u64, m: u64) -> [(&'static str, Vec<AbsAddr>); 2] {
    let per_vma = (k / m).max(1);
    let addr = |nth: u64| {
        let place = (nth / per_vma).min(m - 1) as usize * (code.len() - 1) / m as usize;
        AbsAddr(code[place].start + nth % per_vma * PAGE / per_vma)
    };
    let sorted: Vec<AbsAddr> = (0..k).map(addr).collect();
    // A step without a common factor with k visits each address once.
    let jump = |nth: u64| sorted[(nth * 7919 % k) as usize];
    let jumping = (0..k).map(jump).collect();
    [("sorted", sorted), ("unsorted", jumping)]
}

fn against_k(c: &mut Criterion) {
    let (child, code) = child_of(650);
    for k in [10, 1_000, 100_000] {
        batch(
            c,
            "in 10 of 650 VMAs",
            k,
            child.pid(),
            &addrs(&code, k, 10),
            k,
        );
    }
}

fn against_m(c: &mut Criterion) {
    let (child, code) = child_of(20_000);
    for m in [1, 10, 100, 1_000] {
        let addrs = addrs(&code, 10_000, m);
        batch(
            c,
            "10,000 in M of 20,000 VMAs",
            m,
            child.pid(),
            &addrs,
            10_000,
        );
    }
}

fn against_n(c: &mut Criterion) {
    for n in [25, 200, 650, 2_000, 20_000] {
        let (child, code) = child_of(n);
        batch(
            c,
            "100 in 2 of N VMAs",
            n,
            child.pid(),
            &addrs(&code, 100, 2),
            100,
        );
    }
}

/// Measures all ways to normalize; the one-shot way opens the process for each call.
fn batch(
    c: &mut Criterion,
    what: &str,
    size: u64,
    pid: u32,
    orders: &[(&str, Vec<AbsAddr>)],
    k: u64,
) {
    let open = |trust| {
        let options = Options::bare().with_trust(trust);
        Session::open(pid, options).expect("our child")
    };
    let mut outcomes = Vec::new();
    for (order, addrs) in orders {
        let mut group = c.benchmark_group(format!("{what}, {order}"));
        group.throughput(Throughput::Elements(k));
        group.bench_function(BenchmarkId::new("one-shot", size), |b| {
            b.iter(|| {
                let mut session = open(Trust::Recheck);
                let done = session.normalize(black_box(addrs), &mut outcomes);
                done.expect("our child");
            });
        });
        for (how, trust) in [
            ("re-checked", Trust::Recheck),
            ("trusted", Trust::UntilInvalidated),
        ] {
            let mut session = open(trust);
            group.bench_function(BenchmarkId::new(how, size), |b| {
                b.iter(|| {
                    let done = session.normalize(black_box(addrs), &mut outcomes);
                    done.expect("our child");
                });
            });
        }
        let located = |outcome: &&Outcome| matches!(outcome, Outcome::Located { .. });
        assert_eq!(
            outcomes.iter().filter(located).count() as u64,
            k,
            "all in code"
        );
    }
}

criterion_group!(normalize, against_k, against_m, against_n);
criterion_main!(normalize);
