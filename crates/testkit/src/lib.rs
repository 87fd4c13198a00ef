//! Code shared by backsight's tests. It is not shipped.
//!
//! | module | contents |
//! |---|---|
//! | [`bpf`] | a BPF program that is loaded, and where the kernel put its lines |
//! | [`breakpad`] | Breakpad symbol files, written from known functions and lines |
//! | [`child`] | a process with a memory map that the test controls |
//! | `copied` | copies of files that tests run |
//! | `differential` | other symbolizers, and their known differences (a feature) |
//! | [`elf`] | a builder of ELF files, including invalid ones |
//! | [`http`] | a server that answers late, wrong or for ever |
//! | [`jitdump`] | jitdump files, written by the fields of the format |
//! | [`kernel`] | the behaviour of this kernel's `PROCMAP_QUERY`, tested without our code |
//! | [`kernel_tree`] | a made-up root directory of a kernel |
//! | [`kernel_recording`] | recordings of that kernel |
//! | [`maps`] | maps texts, printed as the kernel prints them |
//! | [`memory`] | the peak memory of a command |
//! | [`naive`] | a simple and slow lookup of an address |
//! | [`openings`] | detects opens of files, FIFOs and devices |
//! | [`old_kernel`] | a filter that makes `PROCMAP_QUERY` fail |
//! | [`perf`] | recordings made by `perf`, and the output of `perf script` |
//! | [`perfetto`] | traces of Perfetto, written by the numbers of their fields |
//! | [`perf_file`] | handwritten recordings of features that no machine at hand can record |
//! | [`target`] | a process that waits and has told its stack |
//! | [`tools`] | `readelf` and others, as oracles |
//! | [`user`] | runs code as an unprivileged user |
//! | [`workload`] | large programs with debug information, built by `cargo xtask workloads` |
//!
//! Also [`copy`], [`skip`], [`is_root`] and [`fixture`].
//!
//! It uses no code of the crates under test: an oracle that shared code with them would share
//! their mistakes.

#![warn(clippy::undocumented_unsafe_blocks)]

pub mod archived;
#[allow(unsafe_code, reason = "bpf(2), and the descriptors that it makes")]
pub mod bpf;
pub mod breakpad;
pub mod browser;
pub mod busy;
pub mod child;
mod copied;
#[cfg(feature = "differential")]
pub mod differential;
pub mod elf;
mod fixtures;
pub mod go;
pub mod http;
pub mod jitdump;
pub mod kernel;
pub mod kernel_recording;
pub mod kernel_tree;
pub mod maps;
pub mod memory;
pub mod naive;
pub mod old_kernel;
pub mod openings;
pub mod perf;
pub mod perf_file;
pub mod perf_python;
pub mod perfetto;
pub mod publisher;
mod skip;
pub mod target;
pub mod tools;
pub mod user;
pub mod workload;
pub mod zip;

pub use copied::copy;
pub use fixtures::{fixture, fixture_path};
pub use skip::skip;
pub use user::is_root;
