//! Traces of Perfetto: their stacks are read, and symbols are written that are appended to them.
//!
//! A trace is a series of packets in protobuf. Stacks are interned: packets of one writer (a
//! sequence) refer to strings, mappings, frames and callstacks that earlier ones of the same
//! sequence introduced.
//!
//! | packets | are read as |
//! |---|---|
//! | `PerfSample` (`linux.perf`) | samples, by process, thread and time |
//! | `ProfilePacket` (`android.heapprofd`) | what was allocated and is in use, by process and heap. Dumps are cumulative, so the last one of a stack counts |
//! | `StreamingProfilePacket` (Chrome) | samples |
//! | `StackSample` | samples, and their weight |
//! | `ModuleSymbols` | functions and lines of addresses, in place of the names that the recorder had |
//! | `ProcessTree` | names of processes and threads |
//!
//! Packets may be compressed (deflate, zstd), and the whole file, too (gzip). Packets of other data
//! are counted only.
//!
//! - An address (`rel_pc`) is one of the file's symbols: a virtual offset. Callers' addresses are
//!   those of the call, because the recorder has moved them there. Only the tables inside of a
//!   `ProfilePacket` (Android 10) can have a wrong load bias; there the file offset follows from
//!   the address and that load bias, whether it is right or wrong.
//! - A sample whose stack is not in the trace, because packets were lost, has no stack, and is
//!   counted as a flaw. A trace that was cut off is read up to there.
//!
//! [`read_for_symbols`] leaves out the names that the recorder had, so that all addresses are looked
//! up, and [`write_symbols`] writes those that were found. The result is appended to the trace:
//! `cat TRACE SYMBOLS > SYMBOLIZED`.
//!
//! Source: `protos/perfetto/trace` of github.com/google/perfetto.

mod begin;
mod counters;
mod fields;
mod heap;
mod interned;
mod packed;
mod packet;
mod packets;
mod places;
mod samples;
mod sequence;
mod stacks;
mod symbols;
mod symbols_out;
mod tasks;
mod trace;

pub use self::begin::is_one;
pub use self::places::SymbolPlaces;
pub use self::symbols_out::write_symbols;
pub use crate::protobuf::{Error, Limits};

use std::io::Read;

use backsight_profile::Profile;

use self::places::Names;
use crate::flaws::Flaws;

/// Reads the stacks of a trace, gzipped or not. Returns the profile, and counts of its flaws.
///
/// Memory is needed for the stacks and one packet at a time, not for the other data of the trace. A
/// malformed part is left out, or read as far as possible.
///
/// # Errors
///
/// [`Error::Io`] if reading the input fails; [`Error::Malformed`] if it is not a trace;
/// [`Error::TooLarge`] if a limit is exceeded.
pub fn read(input: impl Read, limits: &Limits) -> Result<(Profile, Flaws), Error> {
    let trace = trace::read(input, limits, Names::Recorded)?;
    Ok((trace.profile, trace.flaws))
}

/// Like [`read`], but without the names that the recorder had for addresses in files. Also returns
/// which addresses the trace has no symbols for.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_for_symbols(
    input: impl Read,
    limits: &Limits,
) -> Result<(Profile, Flaws, SymbolPlaces), Error> {
    let trace = trace::read(input, limits, Names::LookedUp)?;
    Ok((trace.profile, trace.flaws, trace.places))
}
