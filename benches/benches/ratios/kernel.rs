//! The list of symbols of a kernel: how long reading it takes, and looking addresses up in it.
//!
//! The list is made up: 150,000 functions, with names as long as those of Linux. So it is the
//! same on each host, and can be read without privileges.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use backsight_symbolize::Kallsyms;
use backsight_types::AbsAddr;
use benches::command::Row;
use benches::race::{self, Clock, FileSizes, Race, Role};
use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Kernel, Source};
use blazesym::symbolize::{Input, Symbolizer};

use crate::target::Random;

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "K1",
        measures: "the kernel's list of 150,000 symbols: read, and one address looked up",
        run: k1,
    },
    Row {
        id: "K2",
        measures: "10,000 addresses of the kernel in a list that was read before",
        run: k2,
    },
];

const SYMBOLS: u64 = 150_000;
const ADDRESSES: usize = 10_000;
const TEXT: u64 = 0xffff_ffff_8100_0000;
/// Bytes of a function: Linux 6.18 has 122,153 symbols in 44 MB.
const SPACING: u64 = 256;

/// Names have 25 bytes, as those of Linux 6.18 have on average.
fn list() -> String {
    let mut text = format!("{TEXT:016x} T _text\n{TEXT:016x} T _stext\n");
    for at in 0..SYMBOLS {
        let addr = TEXT + at * SPACING;
        let _ = writeln!(text, "{addr:016x} t function_number_{at:09}");
    }
    let end = TEXT + SYMBOLS * SPACING;
    let _ = writeln!(text, "{end:016x} T _etext\n{end:016x} B _end");
    text
}

fn written() -> Result<tempfile::NamedTempFile, String> {
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(file.path(), list()).map_err(|error| error.to_string())?;
    Ok(file)
}

fn read(path: &Path) -> Kallsyms {
    let list = File::open(path).expect("it was written");
    Kallsyms::read(BufReader::with_capacity(1 << 16, list)).expect("a list")
}

fn peer(path: &Path) -> (Symbolizer, Source<'static>) {
    let kernel = Kernel {
        kallsyms: MaybeDefault::Some(path.to_owned()),
        vmlinux: MaybeDefault::None,
        kaslr_offset: Some(0),
        debug_syms: false,
        ..Kernel::default()
    };
    let symbolizer = Symbolizer::builder().enable_auto_reload(false).build();
    (symbolizer, Source::from(kernel))
}

/// Returns the total length of all names.
fn peer_names((symbolizer, source): &(Symbolizer, Source<'_>), addrs: &[u64]) -> usize {
    let found = symbolizer.symbolize(source, Input::AbsAddr(addrs));
    let found = found.expect("a list");
    let names = found.iter().filter_map(|found| found.as_sym());
    names.map(|found| found.name.len()).sum()
}

fn our_names(kernel: &Kallsyms, addrs: &[u64]) -> usize {
    let names = addrs.iter().filter_map(|addr| kernel.at(AbsAddr(*addr)));
    names.map(|found| found.name.len()).sum()
}

fn sizes(path: &Path, addresses: usize) -> FileSizes {
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    FileSizes { bytes, addresses }
}

fn k1(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let list = written()?;
    let path = list.path();
    let addr = [TEXT + 77_777 * SPACING + 5];
    assert_eq!(
        our_names(&read(path), &addr),
        peer_names(&peer(path), &addr)
    );
    let time = Race::new("K1", "150,000 symbols", sizes(path, 1))
        .enter(Role::Ours, "ours", || our_names(&read(path), &addr))
        .enter(Role::Peer, "blazesym", || peer_names(&peer(path), &addr))
        .a_call(30e6, "ours");
    let kept = Race::new("K1", "150,000 symbols, bytes kept", sizes(path, 1))
        .clock(Clock::Gauge { unit: "bytes" })
        .gauge(Role::Ours, "ours", || read(path).byte_count() as u64)
        .a_call(8e6, "ours");
    Ok(vec![time.run(rounds), kept.run(rounds)])
}

fn k2(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let list = written()?;
    let mut random = Random::new();
    let code = TEXT..TEXT + SYMBOLS * SPACING;
    let span = std::slice::from_ref(&code);
    let addrs: Vec<u64> = (0..ADDRESSES).map(|_| random.addr_in(span)).collect();
    let (ours, peer) = (read(list.path()), peer(list.path()));
    assert_eq!(our_names(&ours, &addrs), peer_names(&peer, &addrs));
    let race = Race::new("K2", "150,000 symbols", sizes(list.path(), ADDRESSES))
        .enter(Role::Ours, "ours", || our_names(&ours, &addrs))
        .enter(Role::Peer, "blazesym", || peer_names(&peer, &addrs));
    Ok(vec![race.run(rounds)])
}
