//! The vocabulary that every room of backsight shares.
//!
//! An address changes its meaning on the way from a stack to a line of source,
//! and each meaning has a type here, so that the compiler refuses to mix them:
//!
//! ```text
//!   AbsAddr ──VMA──▶ FileOffset ──Segments──▶ VirtOffset ──▶ symbol, line
//!   (a process)      (a file's bytes)         (what ELF and DWARF speak)
//! ```
//!
//! Nothing here does I/O, parses a format or needs `unsafe`.

#![forbid(unsafe_code)]
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
mod module;
mod outcome;
mod perms;
pub mod profile;
mod range;
mod reason;
mod segments;
pub mod trace;

pub use addr::{AbsAddr, FileOffset, ParseAddrError, VirtOffset};
pub use arch::Arch;
pub use build_id::{BuildId, BuildIdError};
pub use module::{Device, Module, ModuleIdx, ModuleKind};
pub use outcome::{AddrKind, InModule, Lookup, Outcome};
pub use perms::{ParsePermsError, Perms};
pub use range::AbsRange;
pub use reason::{Reason, UnknownReason};
pub use segments::{Segment, Segments};
