//! The plain model of a profile: what every format is read into and written from.
//!
//! ```text
//!   Sample ──▶ Thread ──▶ Process            who
//!     │ └────▶ values, labels                how much, and what else
//!     └──────▶ Stack ──▶ Location ──▶ Module where, innermost first
//!                            └──────▶ Frames what it is called, once symbolized
//! ```
//!
//! Everything stands once, in a table, and is named by its place there. A location is
//! what normalization left of an address: a place in a module, or a reason. Its frames
//! come with symbolization, and there are several when calls were inlined.
//!
//! Nothing here is checked against itself: a reader of hostile input must take care
//! that what it names is there, and a writer that it is. Both go through the `get`
//! methods, and a name that leads nowhere is `None`.
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
//!     let frames = frames.expect("far fewer than 2^32");
//!     profile.add_location(Location { frames, ..Location::default() }).expect("as few")
//! });
//! // Outermost first.
//! let stack = profile.stacks.intern(places);
//! let sample = Sample { stack, ..Sample::default() };
//! profile.samples.sum(sample, &[1], &[]);
//! profile.samples.sum(sample, &[1], &[]);
//!
//! let (sample, values, _labels) = profile.samples.get(0).expect("both are one row");
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
//! It reads and writes no format (`backsight-formats` does) and looks nothing up
//! (`backsight` does). It is one capture's tables, not a store of many: nothing is ever
//! taken out of a table but all samples at once ([`Samples::clear`]).

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

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
