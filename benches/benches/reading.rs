//! Cost of one lookup against the number of VMAs in the process.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use testkit::child::Child;
use vma_query::{AbsAddr, Backend, Filter, NameBuf, OpenOptions, Query};

fn one_lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("one lookup");
    for more in [25, 200, 650, 2_000, 20_000] {
        let mut child = Child::spawn();
        let code = child.map("/bin/true", "r-xp");
        child.layout("/bin/true", more);
        let open = |backend| OpenOptions::new().backend(backend).open(child.pid());
        let [by_ioctl, by_text] =
            [Backend::Ioctl, Backend::Text].map(|backend| open(backend).expect("a child of ours"));
        let query = Query::covering(AbsAddr(code.start));
        let mut name = NameBuf::new();
        let n = by_text.vmas().count();
        group.bench_function(BenchmarkId::new("ioctl", n), |b| {
            b.iter(|| by_ioctl.query(black_box(query)).expect("mapped code"));
        });
        group.bench_function(BenchmarkId::new("ioctl, named", n), |b| {
            b.iter(|| {
                by_ioctl
                    .query_named(black_box(query), &mut name)
                    .expect("mapped code")
            });
        });
        group.bench_function(BenchmarkId::new("text, named", n), |b| {
            b.iter(|| {
                by_text
                    .query_named(black_box(query), &mut name)
                    .expect("mapped code")
            });
        });
    }
}

/// Cost of a whole walk, per VMA.
fn all(c: &mut Criterion) {
    let mut child = Child::spawn();
    child.layout("/bin/true", 2_000);
    let mut group = c.benchmark_group("all of 2,000 VMAs");
    for backend in [Backend::Ioctl, Backend::Text] {
        let maps = OpenOptions::new()
            .backend(backend)
            .open(child.pid())
            .expect("a child of ours");
        group.throughput(criterion::Throughput::Elements(maps.vmas().count() as u64));
        group.bench_function(format!("{backend:?}"), |b| b.iter(|| maps.vmas().count()));
    }
}

/// All executable file-backed VMAs with their names, as a profiler needs them at its start.
fn code(c: &mut Criterion) {
    for vmas in [650, 20_000] {
        let mut child = Child::spawn();
        child.layout("/bin/true", vmas);
        let mut group = c.benchmark_group(format!("the code among {vmas} VMAs, named"));
        let mut name = NameBuf::new();
        for backend in [Backend::Ioctl, Backend::Text] {
            group.bench_function(format!("{backend:?}"), |b| {
                b.iter(|| {
                    let maps = OpenOptions::new()
                        .backend(backend)
                        .open(child.pid())
                        .expect("a child of ours");
                    let filter = Filter::EXECUTABLE | Filter::FILE_BACKED;
                    let mut code = maps.vmas().only(filter);
                    let mut letters = 0;
                    while let Some(vma) = code.next_named(&mut name) {
                        vma.expect("a child of ours");
                        letters += name.as_bytes().len();
                    }
                    letters
                });
            });
        }
    }
}

criterion_group!(reading, one_lookup, all, code);
criterion_main!(reading);
