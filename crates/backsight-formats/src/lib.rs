//! The formats backsight reads and writes, one file each.
//!
//! | format | in | out |
//! |---|---|---|
//! | [`ndjson`]: one JSON object a line, `schema_version` 1; whole profiles too | yes | yes |
//! | [`folded`]: a stack a line, outermost first, with its value | yes | yes |
//! | [`firefox`]: the Firefox Profiler's JSON | | yes |
//! | [`addr2line_text`]: the listing of binutils' `addr2line` | | yes |
//! | [`maps_text`]: the layout of `/proc/PID/maps` | `vma-query` | yes |
//! | [`address_list`]: hexadecimal addresses, line by line | yes | |
//! | [`perf_data`]: recordings of Linux `perf` | yes | |
//! | [`jitdump`]: what just-in-time compilers tell of their code as they make it | yes | |
//! | [`perf_map`]: the names that just-in-time compilers write for `perf` | yes | |
//! | [`perf_script`]: what `perf script` prints | yes | |
//! | `otlp`: OpenTelemetry's profiles | yes | yes |
//! | [`pprof`]: `profile.proto`, packed by gzip or not | yes | yes |
//! | [`legacy`]: what `pprof` read before it had a format: gperftools, tcmalloc, jemalloc, Go | yes | |
//! | [`escape`]: names and paths for a terminal, names for folded stacks | | yes |
//!
//! Each is a feature: `firefox`, `legacy`, `ndjson` (with `addr2line_text`), `otlp`,
//! `perf-data`, `pprof`, `texts` (folded stacks and `perf script`). All but `otlp` are on by
//! default; what is not in this list is always there.
//!
//! What `flamegraph.pl` reads, as `pprof` reads it:
//!
//! ```
//! # #[cfg(all(feature = "texts", feature = "pprof"))] {
//! use backsight_formats::{folded, pprof};
//!
//! let text = b"main;work 3\nmain;idle 1\n";
//! let (profile, _flaws) = folded::read(&text[..], |wrong| eprintln!("{wrong}"))?;
//! let mut packed = Vec::new();
//! pprof::write(&profile, &mut packed, &pprof::Options::default())?;
//! let (again, _flaws) = pprof::read(&packed[..], &pprof::Limits::default())?;
//! assert_eq!(again.samples.len(), 2);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Bytes and values, both ways: nothing here opens a path, prints, or knows a
//! process. Input is taken for hostile. A malformed line is a value with its
//! number and never ends the reading; a line's length is bounded.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(
        feature = "firefox",
        feature = "legacy",
        feature = "ndjson",
        feature = "perf-data",
        feature = "pprof",
        feature = "texts"
    )),
    allow(rustdoc::broken_intra_doc_links, reason = "the list names all formats")
)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]
#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, reason = "tests choose their numbers")
)]

#[cfg(feature = "ndjson")]
pub mod addr2line_text;
pub mod address_list;
#[cfg(feature = "perf-data")]
mod bytes;
pub mod escape;
#[cfg(feature = "firefox")]
pub mod firefox;
pub mod flaws;
#[cfg(feature = "texts")]
pub mod folded;
#[cfg(feature = "perf-data")]
pub mod jitdump;
#[cfg(feature = "legacy")]
pub mod legacy;
mod lines;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod mapped_file;
pub mod maps_text;
#[cfg(feature = "ndjson")]
pub mod ndjson;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "perf-data")]
pub mod perf_data;
pub mod perf_map;
#[cfg(feature = "texts")]
pub mod perf_script;
mod place_name;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod placement;
#[cfg(feature = "pprof")]
pub mod pprof;
#[cfg(any(feature = "otlp", feature = "pprof"))]
pub mod protobuf;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod string_table;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod texts;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod threads;

pub use place_name::place_name;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
