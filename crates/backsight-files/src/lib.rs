//! Opens regular files and nothing else, whoever named them.
//!
//! Opening acts. A FIFO wakes who waits at its other end, a watchdog starts to count, a
//! tape winds, `/dev/ptmx` makes a terminal, and some files of `/proc` and `/sys` take
//! what is to be read away from others. A process that runs as root and reads what others
//! wrote must not do that for a path which it found there. So a file is first held by a
//! descriptor that opens nothing (`O_PATH`), then looked at, and opened by that descriptor
//! (`/proc/self/fd/N`), which still stands for the same file whatever its name means by
//! then: `open(2)`, `proc_pid_fd(5)`.
//!
//! What is written has no name until it is whole ([`Whole`]). What is read is mapped where
//! nobody else can cut the file off meanwhile ([`Image`]).
//!
//! Who named a path decides what it may lead to ([`By`]); inside another root directory
//! ([`open_inside`]) no link leads out of it.

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
mod error;
mod filesystem;
mod image;
mod io_error;
mod open;
mod owner;
mod unlinked;
mod whole;

pub use access::Access;
pub use error::{Error, Kind};
pub use image::Image;
pub use io_error::IoError;
pub use open::{By, hold_at, open, open_inside, path_of, reopen};
pub use owner::{Identity, only_we_can_change};
pub use unlinked::{folder, folder_inside, open_unlinked};
pub use whole::Whole;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
