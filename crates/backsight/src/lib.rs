//! Symbolizes live processes, recordings of `perf` and profiles: addresses in, functions
//! and lines out.
//!
//! What `perf record` wrote becomes a profile for `go tool pprof`:
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
//! Where the threads of a live process stand (here this one):
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
//! A profile from elsewhere gets names by [`ProfileSymbolizer`], a stream of addresses by
//! [`Lookups`].
//!
//! # What it does not do
//!
//! It prints nothing, reads no environment and no configuration, changes no limit of the
//! process, and uses no network. Of this machine it knows what [`Host`] says; only
//! [`Host::this`] looks for itself. Files that nothing proves to be the right ones are not
//! taken, unless [`ModuleFiles::with_trust_in_paths`] allows it.
//!
//! Addresses have types: what a process sees is an `AbsAddr`, a byte of a file a
//! `FileOffset`, and what symbols and DWARF speak of a `VirtOffset`. All are counted in
//! bytes. Times are nanoseconds.

#![forbid(unsafe_code)]

pub mod account;
mod call_frames;
mod capture;
mod find;
mod headers;
mod host;
mod jit;
mod live;
mod lookup;
mod profile_symbolizer;
mod threads;

/// The formats that profiles are read from and written to.
pub use backsight_formats as formats;
/// The model of a profile.
pub use backsight_profile as profile;
pub use backsight_profile::Profile;
/// Places in modules to frames: its options, and what it says of what it looked for.
pub use backsight_symbolize as symbolize;
/// Addresses, modules and reasons.
pub use backsight_types as types;

pub use call_frames::call_frames;
pub use capture::{
    Ends, Finished, NotWalked, PerfData, ProfileBuilder, Recording, RecordingError,
    RecordingOptions, Unproven, is_called, recording_files,
};
pub use find::ModuleFiles;
pub use headers::{HeadersError, headers};
pub use host::Host;
pub use jit::options::{MapOptions, MapsOf};
pub use jit::said::{MapRead, MapRefusal, MapUse};
pub use live::{Live, LiveError, LiveOptions};
pub use lookup::{Found, Known, Lookups};
pub use profile_symbolizer::{LookedUp, ProfileSymbolizer};
pub use threads::LiveThread;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
