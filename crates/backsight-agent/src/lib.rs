//! Samples the stacks of running processes with the kernel's perf events, for a profile with
//! functions and lines.
//!
//! ```text
//!   perf events ──▶ a buffer for each processor ──▶ events in time order ──▶ profile
//!                          Sampler                                            Agent
//! ```
//!
//! Samples this process for a tenth of a second, and prints how many stacks it has:
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use backsight::{ModuleFiles, ProfileSymbolizer, RecordingOptions};
//! use backsight_agent::{Agent, SamplingOptions, Target};
//!
//! let target = Target::Processes(vec![std::process::id()]);
//! let (options, files) = (SamplingOptions::default(), ModuleFiles::of_this_host());
//! let recording = RecordingOptions::default().with_summed(true);
//! let mut agent = match Agent::start(&target, &options, recording, files.clone()) {
//!     Ok(agent) => agent,
//!     // This user may not, or the kernel cannot.
//!     Err(error) => return eprintln!("{error}"),
//! };
//! let until = Instant::now() + Duration::from_millis(100);
//! while Instant::now() < until && agent.step(Duration::from_millis(50)).expect("samples") {}
//!
//! let mut finished = agent.finish();
//! ProfileSymbolizer::new(files).look_up(&mut finished.profile);
//! println!("{} stacks, {} lost", finished.profile.stacks.len(), finished.lost);
//! ```
//!
//! The events go to the [`ProfileBuilder`](backsight::ProfileBuilder) that recordings of `perf`
//! go through, too. So both give the same answers: for processes that live for a few
//! milliseconds, for programs in the middle of `execve`, for code that was made at run time.
//!
//! # What it does not do
//!
//! It prints nothing, reads no environment variables, starts no thread, and changes no limit of
//! the process. All that cannot be sampled is an error, or one of [`Sampler::notes`]; what is lost
//! is counted.

#![deny(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod agent;
mod attempt;
mod attr;
mod cgroup;
mod clock;
mod context;
mod cpus;
mod error;
mod existing;
mod interval;
mod kernel;
mod living;
mod notes;
mod opening;
mod options;
mod process_labels;
mod record;
mod record_stream;
mod ring_set;
mod sampler;
mod stopper;
#[expect(
    unsafe_code,
    reason = "the system calls of perf events, and the buffers that the kernel writes to"
)]
mod sys;
mod sysctl;
mod waiting;

pub use agent::{Agent, SamplingStatus};
pub use attempt::try_event;
pub use error::SamplingError;
pub use notes::SamplingNote;
pub use options::{CallGraph, SamplingOptions, Target};
pub use sampler::{OFF_CPU_LAST_STACK, Sampler};
pub use stopper::Stopper;
pub use sys::release_freed_memory;
