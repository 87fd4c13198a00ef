//! What backsight's tests share. Nothing of it ships.
//!
//! | module | what a test gets |
//! |---|---|
//! | [`child`] | a process whose memory looks as the test says, stopped while it looks |
//! | `differential` | other symbolizers, and how they are known to differ (a feature) |
//! | [`elf`] | ELF files of any shape, lying ones included |
//! | [`kernel`] | what this kernel does with `PROCMAP_QUERY`, found without our code |
//! | [`maps`] | maps texts, printed as the kernel prints them |
//! | [`memory`] | how much of it a command takes |
//! | [`naive`] | the slow and obvious answer to "what is at this address?" |
//! | [`openings`] | whether anybody opens a file, a FIFO or a device |
//! | [`old_kernel`] | a filter that makes this kernel refuse `PROCMAP_QUERY` |
//! | [`perf`] | recordings made by `perf`, and what it says of them |
//! | [`perf_file`] | recordings written by hand, of what no machine here records |
//! | [`tools`] | `readelf` and others, as oracles |
//! | [`user`] | the eyes of a user without privileges |
//! | [`workload`] | large programs with debug information, made by `cargo xtask workloads` |
//!
//! And [`skip`], [`is_root`] and [`fixture`].
//!
//! No crate under test is used in here: an oracle that shares code with what it
//! judges agrees with its mistakes.

#![warn(clippy::undocumented_unsafe_blocks)]

pub mod child;
#[cfg(feature = "differential")]
pub mod differential;
pub mod elf;
mod fixtures;
pub mod kernel;
pub mod maps;
pub mod memory;
pub mod naive;
pub mod old_kernel;
pub mod openings;
pub mod perf;
pub mod perf_file;
mod skip;
pub mod tools;
pub mod user;
pub mod workload;

pub use fixtures::{fixture, fixture_path};
pub use skip::skip;
pub use user::is_root;
