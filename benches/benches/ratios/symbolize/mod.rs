//! Symbolization: addresses of a file to functions, files and lines.
//!
//! The files are real programs that `cargo xtask workloads` downloads and builds. Each row has a
//! race for each of them, and reports those that are missing.

mod addr2line;
mod agree;
mod blazesym;
mod cold;
mod consumed;
mod growth;
mod index;
mod ours;
mod peak;
mod symcache;
mod warm;
mod workload;

use benches::command::Row;

pub(crate) use addr2line::map;
pub(crate) use blazesym::Blazesym;
pub(crate) use consumed::Consumed;
pub(crate) use growth::e3s;
pub(crate) use ours::{Ours, levels, on_one_thread};
pub(crate) use peak::{is_child, peak};
pub(crate) use workload::{Subject, named};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "S1",
        measures: "cold: open a file and look one address up",
        run: cold::s1,
    },
    Row {
        id: "S1n",
        measures: "cold: open a file and look 64 neighbouring addresses up",
        run: cold::s1n,
    },
    Row {
        id: "S2",
        measures: "cold: open a file and look 100,000 addresses up, all over its functions",
        run: cold::s2,
    },
    Row {
        id: "S3",
        measures: "warm: 100,000 addresses, uniform and as Zipf has them, one thread",
        run: warm::s3,
    },
    Row {
        id: "S3s",
        measures: "warm: 100,000 addresses, sorted, one thread",
        run: warm::s3s,
    },
    Row {
        id: "S4",
        measures: "an index made beforehand: open and look up, size, build",
        run: index::s4,
    },
    Row {
        id: "S5",
        measures: "peak memory of S2, and of as many lookups in an index",
        run: peak::s5,
    },
    Row {
        id: "S6",
        measures: "agreement with addr2line (100,000 addresses) and llvm-symbolizer (10,000)",
        run: agree::s6,
    },
    Row {
        id: "S7",
        measures: "S1 where debug sections are compressed",
        run: cold::s7,
    },
];
