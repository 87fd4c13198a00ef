//! pprof: `profile.proto`, gzipped or not, read and written.
//!
//! The written files do not depend on addresses of a process. The address of a location is an
//! offset of the file: the virtual offset if the program headers were known, or else the file
//! offset. Its mapping gives the position of the file's bytes in the same address space. With that,
//! `pprof` can look up symbols, and can merge captures of several processes or hosts.
//!
//! | in the model | in the file |
//! |---|---|
//! | a return address | one less: pprof wants an address inside the call |
//! | frames of a location | lines, innermost first; all but the last are inlined |
//! | a module without symbols | an address in its mapping, without lines: `pprof` can symbolize it later |
//! | a reason without a module | a function `[reason]` at the address, if it is known |
//! | process, thread | labels `pid`, `comm`, `tid`, `thread_comm`, as written by `perf_to_profile` |
//! | time of a sample | label `timestamp_ns` if requested; otherwise samples that differ only in time are summed |
//! | virtual offsets | a comment, see below |
//!
//! The comment [`VIRTUAL_OFFSETS`] says that addresses are virtual offsets. A comment that starts
//! with [`FILE_OFFSETS`] exempts the mappings of one file name. A file without the first comment is
//! by another tool, such as Go: its addresses are those of a process, and file offsets are computed
//! from the mappings.
//!
//! Not kept: segments, start addresses of functions, reasons of locations in modules, `is_folded`,
//! the times of processes and mappings. Bytes that are not UTF-8 are read as � in texts. In paths
//! they are kept, and written as `\xNN`.

mod comments;
mod labels;
mod proto;
mod read;
mod write;

pub use crate::protobuf::{Error, Limits};
pub use comments::{FILE_OFFSETS, VIRTUAL_OFFSETS};
pub use read::read;
pub use write::{Options, write};
