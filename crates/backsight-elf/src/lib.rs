//! What backsight asks of ELF headers: the machine, the loaded segments and the
//! GNU build ID. Bytes in, values out.
//!
//! The normalizer needs these of every file it meets, the symbolizer to prove
//! that a file is the one it was asked for; so they stand here once. Only the
//! headers and the notes are read, never a symbol table: handed a reader instead
//! of a slice, a file of a gigabyte costs a few kilobytes.
//!
//! Every number in the input is taken for hostile: sizes are bounded before
//! anything is read, and each failure is an [`Error`].

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod build_id;
mod headers;

pub use build_id::build_id_in_notes;
pub use headers::{Error, Headers};
