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
//! | [`perf_script`]: what `perf script` prints | yes | |
//! | `otlp`: OpenTelemetry's profiles, with the feature `otlp` | yes | yes |
//! | [`pprof`]: `profile.proto`, packed by gzip or not | yes | yes |
//! | [`legacy`]: what `pprof` read before it had a format: gperftools, tcmalloc, jemalloc, Go | yes | |
//! | [`escape`]: names and paths for a terminal, names for folded stacks | | yes |
//!
//! Bytes and values, both ways: nothing here opens a path, prints, or knows a
//! process. Input is taken for hostile. A malformed line is a value with its
//! number and never ends the reading; a line's length is bounded.

#![forbid(unsafe_code)]
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

pub mod addr2line_text;
pub mod address_list;
pub mod escape;
pub mod firefox;
pub mod flaws;
pub mod folded;
pub mod legacy;
mod lines;
mod mapped_file;
pub mod maps_text;
pub mod ndjson;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod perf_data;
pub mod perf_script;
mod place_name;
mod placement;
pub mod pprof;
pub mod protobuf;
mod string_table;
mod texts;
mod threads;

pub use place_name::place_name;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
