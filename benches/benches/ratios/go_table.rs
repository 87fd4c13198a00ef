//! The line table of a stripped Go program (`.gopclntab`).
//!
//! `go tool addr2line` reads it, too. It is a process, so wall-clock time is measured, and its
//! time has its start. It takes the section `.text` as the start of Go's code. Where a C linker
//! put other code before that, as in most of Debian's programs, it names addresses that far off:
//! it is asked for addresses moved by as much.

use std::path::Path;

use benches::command::Row;
use benches::race::{Clock, Outcome, Race, Role};
use object::{Object, ObjectSection};
use testkit::differential;
use testkit::go::{self, Level};

use crate::symbolize::{self, Ours, Subject};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "G1",
        measures: "a stripped Go program: open it and look one address up, and the peak memory",
        run: g1,
    },
    Row {
        id: "G2",
        measures: "a stripped Go program: 10,000 addresses, all over its code, cold and warm",
        run: g2,
    },
];

const ADDRESSES: usize = 10_000;

/// Returns the program and addresses of it, after both tools gave the same answers for them.
fn program() -> Result<(Subject, Vec<u64>), String> {
    let subject = symbolize::named("go")?;
    let mut addrs = subject.addresses().random;
    addrs.truncate(ADDRESSES);
    let moved = moved(&subject.executable)?;
    let theirs: Vec<u64> = addrs.iter().map(|addr| addr.wrapping_sub(moved)).collect();
    let theirs = go::addr2line(&subject.executable, &theirs);
    let ours = symbolize::levels(&subject, &addrs);
    if theirs.len() != addrs.len() {
        let count = theirs.len();
        return Err(format!(
            "go tool addr2line has {count} answers of {ADDRESSES}"
        ));
    }
    let differs = |at: &usize| !are_same(&ours[*at], &theirs[*at]);
    match (0..addrs.len()).find(differs) {
        None => Ok((subject, addrs)),
        Some(at) => Err(format!(
            "{:#x}: ours {:?}, go tool addr2line {:?}",
            addrs[at], ours[at], theirs[at]
        )),
    }
}

/// Returns how far behind the start of `.text` Go's code starts: the header of its table has the
/// address (from Go 1.18 on).
fn moved(file: &Path) -> Result<u64, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let object = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let section = |name: &str| object.section_by_name(name).ok_or(format!("no {name}"));
    let table = section(".gopclntab")?;
    let table = table.data().map_err(|error| error.to_string())?;
    let start = table.get(24..32).and_then(|start| start.try_into().ok());
    let start = start.map(u64::from_le_bytes).ok_or("a short table")?;
    Ok(start.wrapping_sub(section(".text")?.address()))
}

/// `go tool addr2line` says the function that has the code, and the innermost line.
fn are_same(ours: &[differential::Level], theirs: &Level) -> bool {
    let (Some(inner), Some(outer)) = (ours.first(), ours.last()) else {
        return theirs.file.is_empty();
    };
    // A function of C: the tool knows those of Go alone.
    if theirs.name == "?" {
        return inner.file.is_none();
    }
    outer.name.as_deref() == Some(&theirs.name)
        && inner.file.as_deref() == Some(&theirs.file)
        && inner.line == theirs.line
}

fn tool(file: &Path, addrs: &[u64]) -> usize {
    go::addr2line(file, addrs).len()
}

fn g1(rounds: u32) -> Result<Vec<Outcome>, String> {
    let (subject, addrs) = program()?;
    let one = &addrs[..1];
    let time = Race::new("G1", subject.name.clone(), subject.sizes(1))
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", || Ours::cold(&subject, one))
        .enter(Role::Peer, "go tool addr2line", || {
            tool(&subject.executable, one)
        });
    let peak = |name| symbolize::peak(name, &subject.name);
    for name in ["ours", "only the addresses"] {
        peak(name)?;
    }
    let peak = |name| peak(name).expect("it could a moment ago");
    let memory = Race::new(
        "G1",
        "100,000 addresses, peak memory",
        subject.sizes(100_000),
    )
    .clock(Clock::Gauge { unit: "KiB" })
    .gauge(Role::Ours, "ours", || peak("ours"))
    .gauge(Role::Floor, "only the addresses", || {
        peak("only the addresses")
    });
    Ok(vec![time.run(rounds), memory.run(rounds.min(3))])
}

fn g2(rounds: u32) -> Result<Vec<Outcome>, String> {
    let (subject, addrs) = program()?;
    let warm = Ours::open(&subject);
    let requests = warm.requests(&addrs);
    warm.run(&requests);
    let race = Race::new("G2", subject.name.clone(), subject.sizes(ADDRESSES))
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours, cold", || Ours::cold(&subject, &addrs))
        .enter(Role::Ours, "ours, warm", || warm.run(&requests))
        .enter(Role::Peer, "go tool addr2line", || {
            tool(&subject.executable, &addrs)
        });
    Ok(vec![race.run(rounds)])
}
