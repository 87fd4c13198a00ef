//! pprof: `profile.proto`, packed by gzip or not, in and out.
//!
//! What is written needs no process to be understood. The address of a location is the
//! file's own, a virtual offset where the program headers were known and a file offset
//! where not, and its mapping says where the file's bytes stand on the same scale.
//! `pprof` finds symbols by that, and merges captures of several processes or hosts.
//!
//! | in the model | in the file |
//! |---|---|
//! | a return address | one less: pprof wants an address inside of the call |
//! | frames of a location | lines, innermost first; all but the last are inlined |
//! | a module without symbols | an address in its mapping, without lines: `pprof` can symbolize it later |
//! | a reason without a module | a function `[reason]` at the address, if it is known |
//! | process, thread | labels `pid`, `comm`, `tid`, `thread_comm`, as `perf_to_profile` has them |
//! | time of a sample | label `timestamp_ns`, when asked for; else equal samples are one |
//! | virtual offsets | a comment, see below |
//!
//! The comment [`VIRTUAL_OFFSETS`] says that addresses are virtual offsets; one that
//! begins with [`FILE_OFFSETS`] excepts the mappings of one file name. Without the first
//! of them a file is taken for an ordinary one, of Go for example, whose addresses are
//! those of a process: file offsets follow from the mappings.
//!
//! Not kept: segments, the address a function begins at, reasons of locations in modules,
//! `is_folded`, the times of processes and mappings. A text that is not UTF-8 is read with
//! � for what is not; a path is read as it is, and written with `\xNN` for that.

mod comments;
mod labels;
mod proto;
mod read;
mod write;

pub use crate::protobuf::{Error, Limits};
pub use comments::{FILE_OFFSETS, VIRTUAL_OFFSETS};
pub use read::read;
pub use write::{Options, write};
