//! Symbolizes live processes, recordings of `perf`, and profiles: converts addresses to
//! functions and lines.
//!
//! Converts a `perf record` file to a profile for `go tool pprof`:
//!
//! ```no_run
//! use backsight::{ModuleFiles, PerfData, ProfileSymbolizer, RecordingOptions};
//! use backsight::formats::pprof;
//!
//! let (files, options) = (ModuleFiles::of_this_host(), RecordingOptions::default());
//! let mut read = PerfData::of_file("perf.data", options, files.clone())?.finish();
//! ProfileSymbolizer::new(files).look_up(&mut read.profile);
//! pprof::write(&read.profile, std::io::stdout().lock(), &pprof::Options::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Prints where each thread of a live process is stopped (here, of this one):
//!
//! ```
//! use backsight::Live;
//!
//! let mut live = Live::of_this()?;
//! for pc in live.threads()?.iter().filter_map(|thread| thread.pc) {
//!     live.stack(&[pc], |answer, _| println!("{pc} {:?}", answer.frames))?;
//! }
//! # Ok::<(), backsight::LiveError>(())
//! ```
//!
//! [`ProfileSymbolizer`] adds names to a profile from elsewhere, [`Lookups`] to a stream of
//! addresses.
//!
//! # What it does not do
//!
//! It prints nothing, reads neither the environment nor configuration files, changes no limit of
//! the process, and uses no network. All it knows about this machine is passed in as [`Host`];
//! only [`Host::this`] inspects the machine, as do [`Live`] and [`RunningKernel`], which are about
//! it. Files whose identity is not proven are not used,
//! unless [`ModuleFiles::with_trust_in_paths`] allows it.
//!
//! Addresses have types: an address of a process is an `AbsAddr`, an offset in a file is a
//! `FileOffset`, and an address in the ELF `p_vaddr` space, which symbols and DWARF use, is a
//! `VirtOffset`. All are in bytes. Times are in nanoseconds.

#![forbid(unsafe_code)]

pub mod account;
mod capture;
mod demangled;
mod descriptors;
#[cfg(feature = "formats")]
mod errno;
mod file_contents;
mod find;
#[cfg(feature = "disassemble")]
mod function_code;
mod headers;
mod held_files;
mod host;
mod introduced;
mod jit;
mod kernel;
mod kernel_lines;
mod live;
mod live_kernel;
mod live_options;
mod lookup;
mod module_call_frames;
mod module_code;
mod module_shares;
#[cfg(feature = "formats")]
mod profile_file;
mod profile_symbolizer;
mod proven_offsets;
mod stacks;
mod symbol_file_rows;
mod threads;

/// The file formats of profiles.
pub use backsight_formats as formats;
/// The model of a profile.
pub use backsight_profile as profile;
pub use backsight_profile::Profile;
/// The symbolizer: its options, and what it reports about the files it looked for.
pub use backsight_symbolize as symbolize;
/// Addresses, modules and reasons.
pub use backsight_types as types;

pub use capture::{
    Ends, Finished, NotWalked, PerfData, ProcessLabel, ProcessLabelValue, ProfileBuilder,
    Recording, RecordingError, RecordingOptions, Unproven, is_called, recording_files,
};
pub use demangled::Demangled;
#[cfg(feature = "formats")]
pub use errno::errno_in;
pub use find::ModuleFiles;
#[cfg(feature = "disassemble")]
pub use function_code::{CodeFrame, CodeInstruction, CodeTarget, FoundCode, FunctionCode};
pub use headers::{HeadersError, headers};
pub use host::Host;
pub use jit::live::LiveJit;
pub use jit::options::{MapOptions, MapsOf};
pub use jit::said::{MapEnd, MapRead, MapRefusal, MapUse};
pub use kernel::{
    KernelError, KernelOptions, KernelPlace, KernelShortfall, LiveKernel, RunningKernel,
};
pub use live::{Live, LiveError};
pub use live_kernel::LiveKernelNames;
pub use live_options::LiveOptions;
pub use lookup::{Found, Known, Lookups};
pub use module_call_frames::call_frames;
pub use module_code::{ModuleCode, NoCode};
pub use module_shares::{ModuleShare, module_shares};
#[cfg(feature = "formats")]
pub use profile_file::error::ProfileFileError;
#[cfg(feature = "formats")]
pub use profile_file::file::ProfileFile;
#[cfg(feature = "formats")]
pub use profile_file::format::ProfileFormat;
#[cfg(feature = "formats")]
pub use profile_file::options::ProfileFileOptions;
pub use profile_symbolizer::{LookedUp, ProfileSymbolizer};
pub use proven_offsets::correct_virt_offsets;
pub use stacks::live_stacks::LiveStacks;
pub use stacks::options::StackOptions;
pub use stacks::refusal::StackRefusal;
pub use stacks::thread_stack::{StackEnd, StackFrame, ThreadStack};
pub use threads::LiveThread;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
