//! The Firefox Profiler's JSON: open it on <https://profiler.firefox.com>.
//!
//! The *processed profile format*, version 55, uploaded nowhere: the page reads the
//! file in the browser. Tables of columns, one set a thread:
//!
//! ```text
//!   samples ──▶ stackTable ──▶ frameTable ──▶ funcTable ──▶ resourceTable ──▶ libs
//!   time, weight   prefix      address, line   name, file      name           build ID
//!                              inlineDepth ──▶ nativeSymbols
//! ```
//!
//! - Addresses count from the first byte that the file wants loaded, and are those that
//!   are looked up: of a return address the byte before.
//! - An inlined function has the address of the one it was folded into and a greater
//!   `inlineDepth`; both name the same native symbol.
//! - A library's `codeId` is its build ID; its `breakpadId` the first 16 bytes of that
//!   as Breakpad spells them, with a last 0.
//! - Times are milliseconds since the first sample. Samples without time stand one
//!   interval apart.
//!
//! Not kept: labels, mappings, values of other types than the one asked for. The weight
//! of a sample is exact up to 2^53.
//!
//! Source: the output of the profiler's own people's crate `fxprof-processed-profile`,
//! whose keys a test compares; that crate itself has no place for lines, files and
//! inlined functions.

mod libs;
mod meta;
mod tables;
mod thread;
mod value;

use std::collections::BTreeMap;
use std::io::{self, Write};

use backsight_profile::{Profile, ThreadIdx};
use serde::Serialize;

use libs::Libs;
use meta::{Clock, Meta};
use thread::ThreadWriter;
use value::value_of;

/// Writes a profile. `sample_type` is a place among its sample types: what samples are
/// weighed by; those that weigh nothing are left out.
///
/// # Errors
/// Those of the output.
pub fn write(profile: &Profile, sample_type: usize, out: &mut impl Write) -> io::Result<()> {
    let libs = Libs::new(profile);
    let clock = Clock::new(profile);
    let threads = samples_of_threads(profile, sample_type);
    out.write_all(b"{\"meta\":")?;
    json(out, &Meta::new(profile, &clock))?;
    out.write_all(b",\"libs\":")?;
    json(out, &libs.rows)?;
    out.write_all(b",\"threads\":[")?;
    let mut writer = ThreadWriter::new(profile, &libs, &clock, sample_type);
    for (nth, (thread, samples)) in threads.iter().enumerate() {
        if nth > 0 {
            out.write_all(b",")?;
        }
        // One thread's tables are in memory at a time.
        json(out, &writer.thread(*thread, samples))?;
    }
    out.write_all(b"],\"pages\":[],\"profilerOverhead\":[],\"counters\":[]}\n")
}

/// Returns which samples each thread has, in order of their times.
fn samples_of_threads(
    profile: &Profile,
    sample_type: usize,
) -> BTreeMap<Option<ThreadIdx>, Vec<usize>> {
    let mut threads: BTreeMap<Option<ThreadIdx>, Vec<usize>> = BTreeMap::new();
    for (at, (sample, values, _)) in profile.samples.iter().enumerate() {
        if value_of(sample, values, sample_type) != 0 {
            // A thread that is not there counts as none.
            let thread = sample
                .thread
                .filter(|thread| profile.thread(*thread).is_some());
            threads.entry(thread).or_default().push(at);
        }
    }
    for samples in threads.values_mut() {
        samples.sort_by_key(|at| profile.samples.get(*at).map(|(sample, ..)| sample.time_ns));
    }
    threads
}

fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}
