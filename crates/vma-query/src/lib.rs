//! The VMAs of a Linux process: the same answers from the `PROCMAP_QUERY` ioctl
//! and from the text of `/proc/PID/maps`.
//!
//! A *VMA* is a range of a process's memory with one backing and one set of
//! permissions: the code of a library, the heap, a stack. Linux 6.11 brought a
//! binary question for it: which VMA covers this address? It costs 0.2–0.4 µs,
//! however many VMAs the process has, where the text costs about 0.2 µs for *each*
//! VMA. This crate asks the ioctl where the kernel knows it and reads the text where
//! it does not; the caller need not care.
//!
//! | you have | you want | ask |
//! |---|---|---|
//! | one address | its VMA | [`ProcMaps::query`] |
//! | one address | its VMA and what that is called | [`ProcMaps::query_named`] |
//! | many addresses, sorted | their VMAs | [`ProcMaps::cursor`] |
//! | nothing yet | all VMAs, or all code | [`ProcMaps::vmas`] |
//! | a file's VMA | the file's build ID | [`ProcMaps::query_build_id`] |
//! | many addresses, no order, one moment | their VMAs | [`ProcMaps::snapshot`] |
//! | a saved maps text | the same questions | [`Snapshot::parse`] |
//! | no right to look | somebody who has it | [`ProcMaps::receive_from`] |
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
//! // Where in the file this code stands: what a symbol table wants to know, once
//! // the program headers have turned it into an ELF virtual offset.
//! assert!(vma.file_offset_of(here).is_some());
//!
//! // `None` is an answer too: nothing is mapped there.
//! assert_eq!(maps.query(Query::covering(AbsAddr(0)))?, None);
//! # Ok(())
//! # }
//! ```
//!
//! # Many sorted addresses
//! A [`Cursor`] walks upwards. Each step returns the VMA at the address *or the next
//! above*: so one answer settles all addresses up to that VMA's end, those in the gap
//! below it too. By ioctl that is one query for each VMA that is needed, by text one
//! pass that stops where the last address is found.
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
//! A [`Filter`] is for walks. For addresses, ask without one and look at the answer:
//! filtered, "in memory that does not pass" looks like "in no memory", and a kernel
//! that passes over thousands of VMAs takes milliseconds for one answer.
//!
//! # Names
//! A [`NameBuf`] is used again for each VMA; [`VmaName`] says what its bytes mean.
//! They are bytes, not UTF-8: a path may hold anything but a NUL, newlines too. It is
//! a path of the *process's* mount namespace, and for show: to know a file, compare
//! [device and inode](Vma), or better the build ID. A VMA may have a file without a
//! path that exists: shared memory, memfds, System V segments and huge pages.
//!
//! Three names deceive, by both backends: a file whose name really ends in
//! ` (deleted)` looks deleted; so does a file called like a memfd; and by text `\012`
//! may be a newline or those four characters.
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
//! The kernel reads it from the mapped file itself. It costs five queries: once for
//! each file, not for each address.
//!
//! # Handing a process over
//! Access is checked when the maps file is opened, never again. So a helper that may
//! look into a process can hand the open file to a worker that may not:
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
//!
//! # Old kernels
//! [`Backend::Auto`] asks the ioctl first; if the kernel refuses it (before 6.11, or
//! under gVisor, qemu's user mode, a seccomp filter), it reads the text from then on.
//! [`ProcMaps::backend`] tells, and [`probe`] with which errno. [`Backend::Ioctl`] gives [`Error::Unsupported`]
//! instead. Newer kernels answer too: the question has its size in it, and a kernel
//! answers no more than it was asked for.
//!
//! # What it guarantees
//! - One answer is consistent in itself; nothing holds between two answers, as the
//!   process goes on mapping and unmapping. Only stopped processes stand still.
//! - A text that was torn by such a change is read again, up to five times; then
//!   [`Error::Torn`] says so.
//! - An open [`ProcMaps`] stays bound to the address space it was opened on. It
//!   never answers for another process that got the same pid: after the process
//!   ended or exec'd, every call says [`Error::ProcessGone`].
//! - Both backends give the same VMAs and the same names, with two exceptions
//!   that come from the text itself: it prints a newline in a name as `\012`, so
//!   a file really called `\012` reads as a newline; and it carries no build IDs.
//! - No bytes of a text, however broken, make it panic. A [`Snapshot`] takes 64 bytes
//!   for each line and the names: 128 MB for two million lines, in one pass.
//!
//! # What it costs
//! On one machine: to open 1 µs, with the [directory](OpenOptions::directory) 2; a
//! query 0.2 µs, with the name 0.3, with the build ID 1.2; the text 0.2 µs for each
//! VMA. So the text pays only for who wants more than about half of all VMAs.
//! Nothing is allocated for a query once the [`NameBuf`] has room.
//!
//! # What it does not do
//! It opens no mapped file, reads no memory and knows no symbols. It keeps no cache
//! of VMAs: the kernel's answer is the only one that is fresh. The kernel's own half
//! of the addresses is not a process's, with one exception: `[vsyscall]`.
//!
//! What the kernel does, with a command that shows each: `docs/procmap-query.md` in
//! the repository.

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

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
