//! Symbolizes live processes, recordings of `perf` and profiles: addresses in, functions
//! and lines out.
//!
//! A profile whose places have no names yet gets them:
//!
//! ```
//! use backsight::{ModuleFiles, Profile, ProfileSymbolizer};
//!
//! let mut profile = Profile::default();
//! let files = ModuleFiles::of_this_host();
//! ProfileSymbolizer::new(files).look_up(&mut profile);
//! ```
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

mod capture;
mod find;
mod headers;
mod host;
mod live;
mod lookup;
mod profile;
mod threads;

pub use backsight_types::profile::Profile;

pub use capture::{
    Ends, Finished, NotWalked, PerfData, Recording, RecordingError, RecordingOptions, Unproven,
    is_called,
};
pub use find::ModuleFiles;
pub use headers::{HeadersError, headers};
pub use host::Host;
pub use live::{Live, LiveError, LiveOptions};
pub use lookup::{Found, Known, Lookups};
pub use profile::{LookedUp, ProfileSymbolizer};
pub use threads::Thread;
