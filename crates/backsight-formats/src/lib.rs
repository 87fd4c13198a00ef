//! Reads and writes the file formats of backsight; one module per format.
//!
//! | format | read | written |
//! |---|---|---|
//! | [`ndjson`]: one JSON object per line, `schema_version` 1; also whole profiles | yes | yes |
//! | [`folded`]: one stack per line, outermost function first, and its value | yes | yes |
//! | [`firefox`]: the Firefox Profiler's JSON | | yes |
//! | [`speedscope`]: speedscope's JSON | yes | yes |
//! | [`cpuprofile`]: V8's JSON: Chrome, Node.js | yes | |
//! | [`addr2line_text`]: the output of binutils' `addr2line` | | yes |
//! | [`maps_text`]: the text of `/proc/PID/maps` | `vma-query` | yes |
//! | [`address_list`]: hexadecimal addresses | yes | |
//! | [`perf_data`]: recordings of Linux `perf` | yes | |
//! | [`jitdump`]: the log that a just-in-time compiler writes of its code | yes | |
//! | [`perf_map`]: the symbols that a just-in-time compiler writes for `perf` | yes | |
//! | [`perf_script`]: the output of `perf script` | yes | |
//! | [`perfetto`]: traces of Perfetto; symbols to append to them | yes | symbols |
//! | `otlp`: OpenTelemetry's profiles | yes | yes |
//! | `process_context`: what a process publishes of itself, as OpenTelemetry says | yes | |
//! | [`pprof`]: `profile.proto`, gzipped or not | yes | yes |
//! | [`legacy`]: formats before `profile.proto`: gperftools, tcmalloc, jemalloc, Go | yes | |
//! | [`escape`]: names and paths for a terminal, names for folded stacks | | yes |
//!
//! Features select formats: `firefox`, `json-profiles` (speedscope's and V8's), `legacy`, `ndjson`
//! (with `addr2line_text`), `otlp`, `perf-data` (with `jitdump`), `perfetto`, `pprof`, `texts` (folded
//! stacks and `perf script`). All but `otlp` are on by default. The other modules are always there.
//!
//! Converts folded stacks to a pprof profile:
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
//! Readers take any input and writers any output: this crate opens no files, prints nothing and
//! inspects no processes. Input is untrusted. A malformed line is reported with its number and does
//! not end the reading. The length of a line is bounded.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(
        feature = "firefox",
        feature = "json-profiles",
        feature = "legacy",
        feature = "ndjson",
        feature = "perf-data",
        feature = "perfetto",
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
#[cfg(feature = "json-profiles")]
pub mod cpuprofile;
pub mod escape;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod event_values;
#[cfg(feature = "firefox")]
pub mod firefox;
pub mod flaws;
#[cfg(feature = "texts")]
pub mod folded;
#[cfg(feature = "texts")]
mod jit_frame;
#[cfg(feature = "perf-data")]
pub mod jitdump;
#[cfg(feature = "json-profiles")]
mod json_number;
#[cfg(any(feature = "json-profiles", feature = "otlp"))]
mod json_offset;
#[cfg(feature = "json-profiles")]
mod json_walk;
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
#[cfg(feature = "perfetto")]
pub mod perfetto;
mod place_name;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod placement;
#[cfg(feature = "pprof")]
pub mod pprof;
#[cfg(any(feature = "otlp", feature = "pprof"))]
pub mod process_context;
#[cfg(any(
    feature = "json-profiles",
    feature = "otlp",
    feature = "perfetto",
    feature = "pprof"
))]
pub mod protobuf;
#[cfg(feature = "json-profiles")]
pub mod speedscope;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod string_table;
#[cfg(any(feature = "otlp", feature = "pprof"))]
mod texts;
#[cfg(any(feature = "otlp", feature = "perfetto", feature = "pprof"))]
mod threads;

pub use place_name::place_name;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
