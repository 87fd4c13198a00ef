//! Indexes built beforehand: time of the first answer, size, and build time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use backsight_symbolize::SymbolIndex;
use benches::race::{Clock, Outcome, Race, Role};

use super::ours;
use super::symcache::SymCache;
use super::workload::{self, K, Subject};

/// Cold starts per turn, each for another address.
const STARTS_PER_TURN: usize = 5;

pub(super) fn s4(rounds: u32) -> Result<Vec<Outcome>, String> {
    let gsymutil = gsymutil();
    workload::each("S4", |subject| {
        let addrs = subject.addresses().random;
        let mut cache = SymCache::build(subject.debug())?;
        let directory = tempfile::tempdir().map_err(|why| why.to_string())?;
        let index = ours::index(subject);
        let file = directory.path().join("index");
        index.write(&file).map_err(|why| why.to_string())?;
        let mut outcomes = vec![
            first(rounds, subject, &mut cache, &file, &addrs),
            lookups(rounds, subject, &cache, &addrs),
        ];
        let gsym = directory.path().join("gsym");
        let gsymutil = gsymutil.as_deref();
        outcomes.push(build(rounds, subject, &mut cache, gsymutil, &gsym));
        outcomes.push(size(subject, &cache, &gsym, &index));
        Ok(outcomes)
    })
}

fn race<'a>(subject: &Subject, what: &str, addresses: usize) -> Race<'a> {
    let part = format!("{}, {what}", subject.name);
    Race::new("S4", part, subject.sizes(addresses)).clock(Clock::Wall)
}

/// Opens an index and looks up one address.
fn first(
    rounds: u32,
    subject: &Subject,
    cache: &mut SymCache,
    file: &Path,
    addrs: &[u64],
) -> Outcome {
    let mut own = addrs[..STARTS_PER_TURN].iter().cycle();
    let mut addrs = addrs[..STARTS_PER_TURN].iter().cycle();
    race(subject, "open and one address", 1)
        .cycle(STARTS_PER_TURN as u32)
        .enter(Role::Ours, "ours", || {
            let addr = own.next().expect("an endless iterator");
            ours::indexed(file, *addr)
        })
        .gauge(Role::Peer, "SymCache", || {
            let addr = addrs.next().expect("an endless iterator");
            cache.first(*addr).expect("it could be made")
        })
        .a_call(100_000.0, "ours")
        .run(rounds)
}

/// Looks up many addresses.
fn lookups(rounds: u32, subject: &Subject, cache: &SymCache, addrs: &[u64]) -> Outcome {
    race(subject, "uniform, no columns", K)
        .gauge(Role::Peer, "SymCache", || {
            let all = cache.all(addrs).expect("it could be made");
            assert!(all.levels >= K as u64 / 2, "it knows most of them");
            all.ns
        })
        .run(rounds)
}

/// Builds an index.
fn build(
    rounds: u32,
    subject: &Subject,
    cache: &mut SymCache,
    gsymutil: Option<&Path>,
    gsym: &Path,
) -> Outcome {
    let mut race = race(subject, "build", 0)
        .enter(Role::Ours, "ours", || ours::index(subject))
        .gauge(Role::Peer, "SymCache", || {
            cache.rebuild(subject.debug()).expect("it could before")
        })
        .faster(3.0, "ours", "SymCache");
    if let Some(gsymutil) = gsymutil {
        race = race.enter(Role::Peer, "llvm-gsymutil", move || {
            let _ = std::fs::remove_file(gsym);
            let mut convert = Command::new(gsymutil);
            convert.arg("--convert").arg(subject.debug());
            convert.arg("--out-file").arg(gsym).arg("--num-threads=2");
            convert.stdout(Stdio::null()).stderr(Stdio::null());
            convert.status().expect("it was there")
        });
        race = race.faster(3.0, "ours", "llvm-gsymutil");
    }
    race.run(rounds)
}

/// Returns the sizes of the indexes. SymCache has no columns, so ours are counted separately.
fn size(subject: &Subject, cache: &SymCache, gsym: &Path, index: &SymbolIndex) -> Outcome {
    let (bytes, whole) = (cache.bytes, index.file_size());
    let tables = index.tables();
    let columns = tables
        .iter()
        .filter(|table| table.name.ends_with("columns"));
    let columns: usize = columns.map(|table| table.bytes).sum();
    let unit = "bytes";
    let mut race = race(subject, "size", 0)
        .clock(Clock::Gauge { unit })
        .gauge(Role::Ours, "ours", move || (whole - columns) as u64)
        .gauge(Role::Ours, "ours, with columns", move || whole as u64)
        .gauge(Role::Peer, "SymCache", move || bytes)
        .at_most(1.0, "ours", "SymCache");
    if let Ok(file) = std::fs::metadata(gsym) {
        race = race.gauge(Role::Peer, "llvm-gsymutil", move || file.len());
    }
    race.run(1)
}

/// Returns the path of llvm-gsymutil, which has a version suffix or directory on Debian.
fn gsymutil() -> Option<PathBuf> {
    const NAME: &str = "llvm-gsymutil";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let llvm = versions.filter(|it| it.file_name().to_string_lossy().starts_with("llvm-"));
    dirs.extend(llvm.map(|it| it.path().join("bin")));
    let mut found = dirs.into_iter().map(|dir| dir.join(NAME));
    found.find(|file| file.is_file())
}
