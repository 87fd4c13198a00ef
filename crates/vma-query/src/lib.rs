//! The VMAs of a Linux process: the same answers from the `PROCMAP_QUERY` ioctl
//! and from the text of `/proc/PID/maps`.
//!
//! A *VMA* is a range of a process's memory with one backing and one set of
//! permissions. Linux 6.11 brought a binary question for it: which VMA covers
//! this address? It costs 0.2–0.4 µs, however many VMAs the process has, where
//! the text costs about 0.2 µs for *each* VMA. This crate asks the ioctl where
//! the kernel knows it and reads the text where it does not.
//!
//! # One address
//! ```
//! use vma_query::{AbsAddr, NameBuf, ProcMaps, Query, VmaName};
//!
//! # fn main() -> vma_query::Result<()> {
//! let maps = ProcMaps::open_self()?;
//! let here = AbsAddr(main as *const () as u64);
//! let mut name = NameBuf::new();
//! let vma = maps.query_named(Query::covering(here), &mut name)?.expect("we run there");
//! assert!(vma.is_executable() && vma.is_file_backed());
//! assert!(matches!(name.name(), VmaName::Path { deleted: false, .. }));
//! # Ok(())
//! # }
//! ```
//!
//! # All that may run code
//! ```
//! use vma_query::{Filter, NameBuf, ProcMaps};
//!
//! # fn main() -> vma_query::Result<()> {
//! let maps = ProcMaps::open(std::process::id())?;
//! let mut code = maps.vmas().only(Filter::EXECUTABLE | Filter::FILE_BACKED);
//! let mut name = NameBuf::new();
//! while let Some(vma) = code.next_named(&mut name) {
//!     println!("{:?} {:?}", vma?.range(), name.name());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Many sorted addresses
//! A [`Cursor`] walks upwards: one query for each VMA that is needed, or one pass
//! over the text that stops where the last address is found.
//!
//! # What it guarantees
//! - One answer is consistent in itself; nothing holds between two answers, as
//!   the process goes on mapping and unmapping.
//! - An open [`ProcMaps`] stays bound to the address space it was opened on. It
//!   never answers for another process that got the same pid: after the process
//!   ended or exec'd, every call says [`Error::ProcessGone`].
//! - Both backends give the same VMAs and the same names, with two exceptions
//!   that come from the text itself: it prints a newline in a name as `\012`, so
//!   a file really called `\012` reads as a newline; and it carries no build IDs.

#![deny(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, reason = "tests choose their numbers")
)]

mod backend;
mod cursor;
mod error;
mod ioctl;
mod lines;
mod maps;
mod maps_file;
mod name;
mod open;
mod pass_fd;
mod query;
mod snapshot;
#[expect(
    unsafe_code,
    reason = "the ioctl itself, and descriptors that come as numbers"
)]
mod sys;
mod text;
mod thread;
mod vma;
mod vsyscall;
mod walk;

pub use backsight_types::{AbsAddr, AbsRange, BuildId, Device, FileOffset, Perms};

pub use backend::Backend;
pub use cursor::Cursor;
pub use error::{Error, Result};
pub use maps::ProcMaps;
pub use name::{NameBuf, VmaName};
pub use open::OpenOptions;
pub use query::{Filter, Query};
pub use snapshot::{NamedVma, Snapshot};
pub use vma::Vma;
pub use walk::Vmas;
