//! The perf map of a process that made code at run time: how long reading it takes, and looking
//! addresses up in it.
//!
//! The map is written here, and the process has memory for its code, and none in it.

use std::fmt::Write as _;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use backsight::Live;
use backsight_formats::perf_map::{LastLine, Limits, PerfMap};
use backsight_types::AbsAddr;
use benches::command::Row;
use benches::race::{self, Clock, FileSizes, Race, Role};
use blazesym::Pid;
use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{Input, Symbolizer};
use testkit::child::Child;

use crate::target::Random;

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "J1",
        measures: "the perf map of a live process, 100,000 entries: read, and one address named",
        run: j1,
    },
    Row {
        id: "J2",
        measures: "10,000 addresses of a live process whose perf map of 100,000 entries was read",
        run: j2,
    },
];

const ENTRIES: u64 = 100_000;
const ADDRESSES: usize = 10_000;
/// Bytes of a piece of code.
const SIZE: u64 = 64;
/// Prime to the number of entries, so that they are written in no order.
const STRIDE: u64 = 48_271;

/// A process with its map, which is removed with it.
struct Maker {
    child: Child,
    start: u64,
    map: PathBuf,
}

impl Drop for Maker {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.map);
    }
}

impl Maker {
    fn new() -> Result<Self, String> {
        let mut child = Child::spawn();
        let code = child.anon("rwxp", ENTRIES * SIZE);
        let map = PathBuf::from(format!("/tmp/perf-{}.map", child.pid()));
        let mut text = String::new();
        for at in 0..ENTRIES {
            let at = at * STRIDE % ENTRIES;
            let addr = code.start + at * SIZE;
            let _ = writeln!(
                text,
                "{addr:x} {SIZE:x} JS:*made{at} /srv/app/lib/made.js:{at}:13"
            );
        }
        fs::write(&map, text).map_err(|error| format!("{}: {error}", map.display()))?;
        Ok(Self {
            child,
            start: code.start,
            map,
        })
    }

    fn addresses(&self, count: usize) -> Vec<u64> {
        let mut random = Random::new();
        let code = self.start..self.start + ENTRIES * SIZE;
        let span = std::slice::from_ref(&code);
        (0..count).map(|_| random.addr_in(span)).collect()
    }

    fn live(&self) -> Live {
        Live::open(self.child.pid()).expect("a child of ours")
    }

    fn source(&self) -> Source<'static> {
        Source::Process(Process::new(Pid::from(self.child.pid())))
    }

    fn sizes(&self, addresses: usize) -> FileSizes {
        let bytes = self.map.metadata().map_or(0, |metadata| metadata.len());
        FileSizes { bytes, addresses }
    }
}

fn read(path: &Path) -> PerfMap {
    let mut map = PerfMap::default();
    let file = fs::File::open(path).expect("it was written");
    let input = BufReader::with_capacity(1 << 17, file);
    map.read(input, LastLine::Whole, &Limits::default())
        .expect("it can be read");
    map
}

/// Returns the total length of the names as they are written.
fn our_names(live: &mut Live, addrs: &[AbsAddr]) -> usize {
    let mut total = 0;
    live.stack(addrs, |answer, _| {
        let frame = answer.frames.first().expect("each address has a name");
        let name = frame.linkage_name.as_ref().or(frame.function.as_ref());
        total += name.map_or(0, |name| name.len());
    })
    .expect("a child of ours");
    total
}

fn peer_names(symbolizer: &Symbolizer, source: &Source<'_>, addrs: &[u64]) -> usize {
    let found = symbolizer.symbolize(source, Input::AbsAddr(addrs));
    let found = found.expect("a child of ours");
    let names = found.iter().filter_map(|found| found.as_sym());
    names.map(|found| found.name.len()).sum()
}

fn typed(addrs: &[u64]) -> Vec<AbsAddr> {
    // A stack's first address is exact, and the others are looked up one byte before.
    let mut typed: Vec<AbsAddr> = addrs.iter().map(|addr| AbsAddr(addr + 1)).collect();
    if let Some(first) = typed.first_mut() {
        first.0 -= 1;
    }
    typed
}

fn j1(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let maker = Maker::new()?;
    let addrs = maker.addresses(1);
    let (ours, source) = (typed(&addrs), maker.source());
    let ours = || our_names(&mut maker.live(), &ours);
    let peer = || peer_names(&Symbolizer::new(), &source, &addrs);
    assert_eq!(ours(), peer());
    let time = Race::new("J1", "100,000 entries", maker.sizes(1))
        .enter(Role::Ours, "ours", ours)
        .enter(Role::Peer, "blazesym", peer);
    let kept = Race::new("J1", "100,000 entries, bytes kept", maker.sizes(1))
        .clock(Clock::Gauge { unit: "bytes" })
        .gauge(Role::Ours, "ours", || read(&maker.map).byte_count() as u64);
    Ok(vec![time.run(rounds), kept.run(rounds)])
}

fn j2(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let maker = Maker::new()?;
    let addrs = maker.addresses(ADDRESSES);
    let (ours, source) = (typed(&addrs), maker.source());
    let (mut live, peer) = (maker.live(), Symbolizer::new());
    let total = our_names(&mut live, &ours);
    assert_eq!(total, peer_names(&peer, &source, &addrs));
    let race = Race::new("J2", "100,000 entries", maker.sizes(ADDRESSES))
        .enter(Role::Ours, "ours", move || our_names(&mut live, &ours))
        .enter(Role::Peer, "blazesym", || {
            peer_names(&peer, &source, &addrs)
        });
    Ok(vec![race.run(rounds)])
}
