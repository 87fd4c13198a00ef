//! A directory of executables, debug files and symbol files by build ID.
//!
//! ```text
//!   DIR/.build-id/77/c7…4d          an executable or library
//!   DIR/.build-id/77/c7…4d.debug    its debug file; a link to the file above if that has DWARF
//!   DIR/NAME/DEBUG_ID/NAME.sym      a Breakpad symbol file
//!   DIR/77c7…4d.gsym                a GSYM file
//!   DIR/.backsight-store/…          a record of each file that was added, and a lock
//! ```
//!
//! The first two are where gdb (`set debug-file-directory DIR`), elfutils (`--debuginfo-path`)
//! and LLVM's tools (`--debug-file-directory`) look for files by build ID; the third is the
//! layout of Breakpad's symbol servers.
//!
//! A [`Store`] adds a file only if its own build ID says where it belongs, and only a copy whose
//! build ID was read again. It removes only files that it added itself and that did not change
//! since: other tools may keep files in the same directory.
//!
//! # Limits
//!
//! The last use of a file is its access time (`st_atime`), or when it was added again. Whoever
//! reads the file updates it, so that uses by gdb count; under `relatime`, which is the default
//! of Linux, at most once a day; under `noatime`, never.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod add;
mod collect;
mod directory;
mod error;
mod identify;
mod listing;
mod options;
mod outcome;
mod place;
mod record;
mod store;
mod stored;
mod transfer;
mod walk;

pub use collect::Collected;
pub use error::StoreError;
pub use listing::StoreListing;
pub use options::AddOptions;
pub use outcome::AddOutcome;
pub use store::Store;
pub use stored::{StoredFile, StoredKind};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
