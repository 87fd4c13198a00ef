//! What backsight asks of ELF headers: the machine, the loaded segments and the
//! GNU build ID. Bytes in, values out.
//!
//! The normalizer needs these of every file it meets, the symbolizer to prove
//! that a file is the one it was asked for; so they stand here once. Only the
//! headers and the notes are read: of an open file of a gigabyte a few kilobytes.
//!
//! ```
//! use backsight_elf::Headers;
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let headers = Headers::read(file)?;
//! println!("{} with build ID {:?}", headers.arch, headers.build_id);
//! assert!(headers.segments.as_slice().iter().any(|it| it.flags.is_executable()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every number in the input is taken for hostile: sizes are bounded before
//! anything is read, and each failure is an [`Error`]. A file that the system cannot read is
//! told apart from one that is no ELF file: [`ReadError`].
//!
//! # What it does not do
//!
//! It opens no file, and reads no symbol table, no section's contents but notes, and
//! nothing of DWARF: `backsight-symbolize` does.

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
mod contents;
mod error;
mod error_keeper;
mod headers;
mod notes;
mod programs;

pub use build_id::build_id_in_notes;
pub use contents::ElfContents;
pub use error::{Error, ReadError};
pub use headers::Headers;
pub use notes::note_named;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
