//! The in-memory model of a profile. Every profile format is read into it and written
//! from it.
//!
//! ```text
//!   Sample ──▶ Thread ──▶ Process
//!     │ └────▶ values, labels
//!     └──────▶ Stack ──▶ Location ──▶ Module     (innermost first)
//!                            └──────▶ Frames     (after symbolization)
//! ```
//!
//! Each item is stored once, in a table, and is referred to by its index. A location is
//! the result of normalizing an address: a place in a module, or a reason. Symbolization
//! adds its frames; there are several if calls were inlined.
//!
//! The tables are not checked for consistency: an index may refer to a row that does not
//! exist. The `get` methods then return `None`, so readers of untrusted input and writers
//! have to use them.
//!
//! Two samples of one stack, `work` called by `main`:
//!
//! ```
//! use backsight_profile::{ProfileFrame, Location, Profile, Sample, ValueType};
//!
//! let mut profile = Profile::default();
//! let [kind, unit] = ["samples", "count"].map(|text| profile.strings.intern(text));
//! profile.sample_types.push(ValueType { kind, unit });
//!
//! let places = ["main", "work"].map(|name| {
//!     let function = Some(profile.strings.intern(name));
//!     let frames = profile.add_frames([ProfileFrame { function, ..ProfileFrame::default() }]);
//!     let frames = frames.expect("fewer than 2^32 frames");
//!     profile.add_location(Location { frames, ..Location::default() }).expect("fewer than 2^32 locations")
//! });
//! // Outermost first.
//! let stack = profile.stacks.intern(places);
//! let sample = Sample { stack, ..Sample::default() };
//! profile.samples.sum(sample, &[1], &[]);
//! profile.samples.sum(sample, &[1], &[]);
//!
//! let (sample, values, _labels) = profile.samples.get(0).expect("both samples are in one row");
//! assert_eq!(values, [2]);
//! // Innermost first.
//! let names: Vec<&str> = (profile.stacks.iter(sample.stack))
//!     .filter_map(|location| profile.location(location))
//!     .flat_map(|location| profile.frames_of(location))
//!     .filter_map(|frame| profile.strings.get(frame.function?))
//!     .collect();
//! assert_eq!(names, ["work", "main"]);
//! ```
//!
//! # What it does not do
//!
//! It does not read or write formats (`backsight-formats` does) and does not symbolize
//! (`backsight` does). It has the tables of one capture and is not a store for many: rows
//! are never removed, except for all samples at once ([`Samples::clear`]).

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod index;
mod profile;
mod samples;
mod stacks;
mod strings;

pub use index::{LocationIdx, ProcessIdx, ThreadIdx};
pub use profile::{
    Attribute, FrameRange, Location, Mapping, Process, Profile, ProfileFrame, Subject, Thread,
    ValueType,
};
pub use samples::{Label, LabelValue, Sample, Samples};
pub use stacks::{StackIdx, Stacks};
pub use strings::{StrIdx, Strings};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
