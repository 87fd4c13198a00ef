//! The vocabulary that every room of backsight shares.
//!
//! An address changes its meaning on the way from a stack to a line of source,
//! and each meaning has a type here, so that the compiler refuses to mix them:
//!
//! ```text
//!   AbsAddr ──VMA──▶ FileOffset ──Segments──▶ VirtOffset ──▶ symbol, line
//!   (a process)      (a file's bytes)         (symbols and DWARF)
//! ```
//!
//! ```
//! use backsight_types::{FileOffset, Perms, Segment, Segments, VirtOffset};
//!
//! let code = Segment {
//!     flags: Perms::READ | Perms::EXECUTE,
//!     file_offset: FileOffset(0x1240),
//!     virt_offset: VirtOffset(0x2240),
//!     file_size: 0x500,
//!     memory_size: 0x500,
//! };
//! let segments = Segments::new(vec![code]);
//! assert_eq!(segments.virt_offset_of(FileOffset(0x1250)), Some(VirtOffset(0x2250)));
//! // No segment loads that byte.
//! assert_eq!(segments.virt_offset_of(FileOffset(0x10)), None);
//! ```
//!
//! # What it does not do
//!
//! It does no I/O and parses no format. The model of a profile is in a separate crate,
//! `backsight-profile`, so that this one stays small.

#![deny(unsafe_code)]
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

mod addr;
mod arch;
mod build_id;
mod cast;
mod debug_id;
mod file_error;
mod module;
mod outcome;
mod perms;
mod range;
mod reason;
mod segments;
pub mod trace;

pub use addr::{AbsAddr, FileOffset, ParseAddrError, VirtOffset};
pub use arch::Arch;
pub use build_id::{BuildId, BuildIdError};
pub use debug_id::{DebugId, DebugIdError};
pub use file_error::FileError;
pub use module::{Device, Module, ModuleIdx, ModuleKind};
pub use outcome::{AddrKind, InModule, Lookup, Outcome};
pub use perms::{ParsePermsError, Perms};
pub use range::AbsRange;
pub use reason::{Reason, UnknownReason};
pub use segments::{Segment, Segments};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
