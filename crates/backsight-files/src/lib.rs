//! Opens files safely: only regular files, even if the path is untrusted.
//!
//! Opening a file can have effects. Opening a FIFO wakes the process at its other end, a
//! watchdog device starts its timer, a tape rewinds, `/dev/ptmx` creates a terminal, and some
//! files of `/proc` and `/sys` hand out data that another reader then misses. A process that
//! runs as root must not cause such effects for a path found in untrusted data. So a path is
//! first resolved with `O_PATH`, which opens nothing; then the file is checked; and then it is
//! opened through that descriptor (`/proc/self/fd/N`), which refers to the same file even if the
//! path has changed: `open(2)`, `proc_pid_fd(5)`.
//!
//! A file that is written gets its name only when it is complete ([`Whole`]). A file that is
//! read is mapped only if no other user can truncate it meanwhile ([`Image`]). A library that is
//! mapped from inside an APK is a part of a file ([`ArchiveMember`]).
//!
//! The origin of a path determines what it may refer to ([`By`]). Inside another root directory
//! ([`open_inside`]), no link leads out of it.

#![deny(unsafe_code)]
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

mod access;
mod archive_directory;
mod archive_member;
mod error;
mod file_part;
mod filesystem;
mod image;
mod io_error;
mod open;
mod owner;
mod resolve;
mod unlinked;
mod whole;

pub use access::Access;
pub use archive_member::ArchiveMember;
pub use error::{Error, FileError, NonRegularKind};
pub use file_part::FilePart;
pub use image::Image;
pub use io_error::IoError;
pub use open::{By, hold_at, hold_in_root, open, open_inside, path_of, reopen};
pub use owner::{Identity, only_root_or_user_can_write};
pub use unlinked::{folder, folder_inside, open_unlinked};
pub use whole::Whole;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
