//! Looks at a profile: the hottest functions, call trees, the callers and callees of a function, its
//! lines and addresses, filters, and the difference of two profiles.
//!
//! ```text
//!   Profile ──SampleFilter──▶ Profile ──▶ ReportTable      the hottest functions, modules, threads
//!                                ├──────▶ CallTree         who calls whom, and how much
//!                                ├──────▶ CallNeighbours   callers and callees of a function
//!                                ├──────▶ FunctionShares   the lines and addresses of functions
//!                                └─ two ▶ Difference, signed_difference, side_by_side
//! ```
//!
//! Each of them looks at one value of the samples. Its *own* amount is that of samples whose
//! innermost frame it is, and its *total* that of all samples in whose stack it is: a function that
//! calls itself counts once for each sample.
//!
//! # What it does not do
//!
//! It reads and writes no format (`backsight-formats` does) and does not symbolize (`backsight`
//! does): frames without a name are listed by the reason, one row for each module.

#![forbid(unsafe_code)]
#![warn(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod amounts;
mod call_tree;
mod difference;
mod entry;
mod filter;
mod first_threads;
mod frames;
mod function_shares;
mod neighbours;
mod pattern;
mod same_modules;
mod signed;
mod table;

#[cfg(test)]
mod tests;

pub use call_tree::{CallTree, CallTreeNode, Direction};
pub use difference::{Change, Difference};
pub use entry::{Inlines, ReportEntry, RowKind, function_name};
pub use filter::{CodeSpace, SampleFilter};
pub use frames::FrameEntries;
pub use function_shares::{FunctionShares, LineShare, PlaceShare};
pub use neighbours::{CallNeighbours, Edge};
pub use pattern::{NamePattern, PatternError};
pub use signed::{side_by_side, signed_difference};
pub use table::{EventRow, ReportRow, ReportTable, events};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
