//! The VMAs of a Linux process: the same answers from the `PROCMAP_QUERY` ioctl
//! and from the text of `/proc/PID/maps`.
//!
//! A *VMA* is a range of a process's memory with one backing and one set of permissions:
//! the code of a library, the heap, a stack. Linux 6.11 added an ioctl that returns the
//! VMA at an address. A query takes 0.2–0.4 µs, however many VMAs the process has;
//! reading the text takes about 0.2 µs for *each* VMA. This crate uses the ioctl if the
//! kernel has it and reads the text otherwise. The caller does not need to distinguish
//! them.
//!
//! | you have | you want | use |
//! |---|---|---|
//! | one address | its VMA | [`ProcMaps::query`] |
//! | one address | its VMA and the VMA's name | [`ProcMaps::query_named`] |
//! | many addresses, sorted | their VMAs | [`ProcMaps::cursor`] |
//! | no addresses | all VMAs, or all executable ones | [`ProcMaps::vmas`] |
//! | a file's VMA | the file's build ID | [`ProcMaps::query_build_id`] |
//! | many addresses, unsorted | their VMAs at one time | [`ProcMaps::snapshot`] |
//! | a saved maps text | any of these | [`Snapshot::parse`] |
//! | no access to the process | a maps file that a helper, or the process itself, opened | [`ProcMaps::receive_from`] |
//!
//! # One address
//! ```
//! use vma_query::{AbsAddr, NameBuf, ProcMaps, Query, VmaName};
//!
//! # fn main() -> vma_query::Result<()> {
//! let maps = ProcMaps::open_self()?;
//! let here = AbsAddr(main as *const () as u64);
//! let mut name = NameBuf::new();
//! let vma = maps.query_named(Query::covering(here), &mut name)?.expect("this code is mapped");
//! assert!(vma.is_executable() && vma.is_file_backed());
//! assert!(matches!(name.name(), VmaName::Path { deleted: false, .. }));
//! // The offset of this code in the file. The program headers convert it to the ELF
//! // virtual offset, which symbol tables use.
//! assert!(vma.file_offset_of(here).is_some());
//!
//! // `None` means that nothing is mapped there.
//! assert_eq!(maps.query(Query::covering(AbsAddr(0)))?, None);
//! # Ok(())
//! # }
//! ```
//!
//! # Many sorted addresses
//! A [`Cursor`] moves upwards. Each step returns the VMA at the address *or the next
//! above*. So one answer decides all addresses up to that VMA's end, also those in the
//! gap below it. By ioctl, this takes one query for each VMA that is needed; by text, one
//! pass that stops at the last address.
//! ```
//! use vma_query::{AbsAddr, ProcMaps};
//!
//! # fn main() -> vma_query::Result<()> {
//! # let (first, second) = (main as *const () as u64, ProcMaps::open as *const () as u64);
//! let mut addrs = [AbsAddr(second), AbsAddr(0x10), AbsAddr(first), AbsAddr(first + 1)];
//! addrs.sort_unstable();
//!
//! let maps = ProcMaps::open(std::process::id())?;
//! let mut cursor = maps.cursor();
//! let mut ahead = None;
//! for addr in addrs {
//!     if ahead.is_none_or(|vma: vma_query::Vma| vma.end <= addr) {
//!         ahead = cursor.seek(addr)?;
//!     }
//!     match ahead.filter(|vma| vma.contains(addr)) {
//!         Some(vma) => println!("{addr} in {:?}", vma.range()),
//!         None => println!("{addr} in no VMA"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Walking
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
//! Use a [`Filter`] for walks. For addresses, query without a filter and check the
//! answer. With a filter, an address in a VMA that does not match looks like an unmapped
//! one, and a kernel that skips thousands of VMAs takes milliseconds for one answer.
//!
//! # Names
//! A [`NameBuf`] is reused for each VMA; [`VmaName`] says what its bytes mean. They are
//! bytes, not UTF-8: a path may contain anything but a NUL, also newlines. The path is of
//! the *process's* mount namespace, and only for display: to identify a file, compare
//! [device and inode](Vma), or better the build ID. The file of a VMA may have no path:
//! shared memory, memfds, System V segments and huge pages.
//!
//! Three kinds of names are ambiguous. With both backends, a file whose real name ends in
//! ` (deleted)` looks deleted, and a file with the name of a memfd looks like a memfd. By
//! text, `\012` may be a newline or those four characters.
//!
//! # Build IDs
//! ```
//! # use vma_query::{AbsAddr, Error, ProcMaps, Query};
//! # fn main() -> vma_query::Result<()> {
//! # let (maps, here) = (ProcMaps::open_self()?, AbsAddr(main as *const () as u64));
//! match maps.query_build_id(Query::covering(here)) {
//!     Ok(Some((_, Some(id)))) => println!("build ID {id}"),
//!     Ok(_) => println!("no VMA, or a file without build ID"),
//!     Err(Error::Unsupported) => println!("by text: read the file's notes yourself"),
//!     Err(why) => return Err(why),
//! }
//! # Ok(())
//! # }
//! ```
//! The kernel reads the build ID from the mapped file itself. It costs as much as five
//! queries, so ask once for each file, not for each address.
//!
//! # Passing an open process to another
//! The kernel checks access only when the maps file is opened. So a helper that may read
//! a process can pass the open file to a worker that may not:
//! ```
//! use std::os::unix::net::UnixStream;
//! use vma_query::{AbsAddr, ProcMaps, Query};
//!
//! # fn main() -> vma_query::Result<()> {
//! let (helper, worker) = UnixStream::pair().expect("two ends");
//! ProcMaps::open(std::process::id())?.send_over(&helper)?;
//!
//! let maps = ProcMaps::receive_from(&worker)?; // in another process, of any user
//! assert!(maps.query(Query::covering_or_next(AbsAddr(0)))?.is_some());
//! # Ok(())
//! # }
//! ```
//! A process needs no rights for its own maps file (`ProcMaps::open_self`), so it can pass
//! itself to an agent that may not open it. What the receiver gets and does not get:
//!
//! | by the maps file alone | |
//! |---|---|
//! | all VMAs, by ioctl and by text | yes, until the process ends or calls `execve` |
//! | build IDs | yes, by ioctl: the kernel reads them from the mapped files; by text there are none |
//! | another thread's maps file, when the first thread ends | no: the receiver has no [directory](ProcMaps::directory) |
//! | files by their path in the process's root | with [`ProcMaps::send_with_root`], if their permissions allow it |
//! | `map_files`, memory, registers | no: these are checked when they are opened, against the receiver |
//!
//! # Old kernels
//! [`Backend::Auto`] tries the ioctl first. If the kernel refuses it (before 6.11, or
//! under gVisor, qemu's user mode, a seccomp filter), it reads the text from then on.
//! [`ProcMaps::backend`] returns which one is used, and [`probe`] the errno of the
//! refusal. [`Backend::Ioctl`] gives [`Error::Unsupported`] instead. Newer kernels stay
//! compatible: the query contains the size of its structure, and the kernel writes no
//! more than that.
//!
//! # What it guarantees
//! - Each answer is consistent in itself. Two answers may be from different states, as
//!   the process maps and unmaps memory meanwhile, unless it is stopped.
//! - A text that is torn by such a change is read up to five times in all; then the call
//!   returns [`Error::Torn`].
//! - An open [`ProcMaps`] stays bound to the address space it was opened on. It never
//!   answers for another process that got the same pid: after the process ended or
//!   exec'd, every call returns [`Error::ProcessGone`].
//! - Both backends give the same VMAs and the same names, with two exceptions due to the
//!   text: it prints a newline in a name as `\012`, so a file whose name contains `\012`
//!   reads as if it contained a newline; and it has no build IDs.
//! - No input text makes it panic. A [`Snapshot`] takes 64 bytes for each line, and the
//!   names: 128 MB for two million lines, in one pass.
//!
//! # What it costs
//! Measured on one machine: opening takes 1 µs, with the
//! [directory](OpenOptions::directory) 2 µs; a query 0.2 µs, with the name 0.3 µs, with
//! the build ID 1.2 µs; the text 0.2 µs for each VMA. So the text is faster only if more
//! than about half of all VMAs are needed. A query allocates nothing once the [`NameBuf`]
//! has room.
//!
//! # What it does not do
//! It opens no mapped files, reads no process memory and knows no symbols. It keeps no
//! cache of VMAs, as only the kernel's answer is current. It reports no kernel addresses,
//! with one exception: `[vsyscall]`.
//!
//! `docs/procmap-query.md` in the repository describes what the kernel does, with a
//! command that shows each statement.

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
#[expect(unsafe_code, reason = "descriptors are sent and received as numbers")]
mod message;
mod name;
mod open;
mod pass_fd;
mod query;
mod snapshot;
#[expect(unsafe_code, reason = "the ioctl")]
mod sys;
mod text;
mod text_walk;
mod thread;
mod vma;
mod vsyscall;
mod walk;

pub use backsight_types::{AbsAddr, AbsRange, BuildId, Device, FileOffset, Perms};

pub use backend::{Backend, Probe, probe};
pub use cursor::Cursor;
pub use error::{Error, FileError, Result};
pub use maps::ProcMaps;
pub use name::{NameBuf, VmaName};
pub use open::OpenOptions;
pub use query::{Filter, Query};
pub use snapshot::{NamedVma, Snapshot};
pub use thread::start_ticks;
pub use vma::Vma;
pub use walk::Vmas;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
