//! The Firefox Profiler's JSON: open it on <https://profiler.firefox.com>.
//!
//! This is the *processed profile format*, version 66. The page reads the file in the browser and
//! uploads nothing. Tables are stored as columns; all but the samples are those of all threads:
//!
//! ```text
//!   samples ──▶ stackTable ───▶ frameTable ──▶ funcTable ──▶ resourceTable ──▶ libs
//!   time, weight   prefixOffset  address, line   name           name           build ID
//!                                inlineDepth ──▶ nativeSymbols   └─▶ sources
//! ```
//!
//! - An address is relative to the lowest virtual address of the library's segments. It is the
//!   address that is looked up: for a return address, the byte before it.
//! - An inlined function has the address of the function it was inlined into, and a greater
//!   `inlineDepth`. Both refer to the same native symbol.
//! - The `codeId` of a library is its build ID. Its `breakpadId` is the first 16 bytes of the build
//!   ID in Breakpad's notation, followed by 0.
//! - Times are milliseconds since the first sample. Samples without times are placed one sampling
//!   interval apart.
//!
//! - Of `cpu-clock`, `task-clock` and Go's `cpu`, the processor time since the sample before is known
//!   (`threadCPUDelta`). `interval` is the period of the profile, or else the median of these times,
//!   or of the times between the samples of each thread.
//! - What the comments of a profile say of the command, the host and the system is in `meta`.
//!
//! Not written: labels, mappings, and values of other sample types than the requested one. The
//! weight of a sample is exact up to 2^53.
//!
//! Source: the output of the crate `fxprof-processed-profile`, which is by authors of the profiler,
//! and `docs-developer/CHANGELOG-formats.md` of github.com/firefox-devtools/profiler for what
//! changed since its version, 55. A test compares the keys. That crate cannot write lines, files and
//! inlined functions.

mod libs;
mod meta;
mod shared;
mod tables;
mod thread;
mod value;

use std::collections::BTreeMap;
use std::io::{self, Write};

use backsight_profile::{Profile, ThreadIdx};
use serde::Serialize;

use libs::Libs;
use meta::{Clock, Meta};
use shared::SharedTables;
use thread::ThreadWriter;
use value::{cpu_type, value_of};

/// Writes a profile. `sample_type` is the index of the sample type that gives the samples' weights;
/// samples whose weight is 0 are left out.
///
/// # Errors
/// Those of the output.
pub fn write(profile: &Profile, sample_type: usize, out: &mut impl Write) -> io::Result<()> {
    let libs = Libs::new(profile);
    let threads = samples_of_threads(profile, sample_type);
    let clock = Clock::new(profile, intervals(profile, &threads));
    out.write_all(b"{\"meta\":")?;
    json(out, &Meta::new(profile, &clock))?;
    out.write_all(b",\"libs\":")?;
    json(out, &libs.rows)?;
    out.write_all(b",\"threads\":[")?;
    let mut tables = SharedTables::new(profile, &libs);
    let mut writer = ThreadWriter::new(profile, &clock, sample_type);
    for (nth, (thread, samples)) in threads.iter().enumerate() {
        if nth > 0 {
            out.write_all(b",")?;
        }
        json(out, &writer.thread(*thread, samples, &mut tables))?;
    }
    out.write_all(b"],\"shared\":")?;
    json(out, &tables.into_json())?;
    out.write_all(b",\"pages\":[],\"profilerOverhead\":[],\"counters\":[]}\n")
}

/// Returns what the samples of the threads say of the sampling interval, in nanoseconds: the
/// processor time of each, or else the times between them.
fn intervals(profile: &Profile, threads: &BTreeMap<Option<ThreadIdx>, Vec<usize>>) -> Vec<u64> {
    if let Some(cpu) = cpu_type(profile) {
        let values = profile.samples.iter();
        let values = values.filter_map(|(sample, values, _)| {
            let used = u64::try_from(value_of(sample, values, cpu)).ok()?;
            used.checked_div(profile.sample_count(&sample, values))
        });
        return values.filter(|used| *used > 0).collect();
    }
    let time = |at: &usize| {
        let (sample, ..) = profile.samples.get(*at)?;
        sample.time_ns
    };
    let of_thread = threads.values().flat_map(|samples| {
        let pairs = samples.iter().zip(samples.iter().skip(1));
        pairs.filter_map(|(before, after)| time(after)?.checked_sub(time(before)?))
    });
    of_thread.collect()
}

/// Returns the indices of each thread's samples, by time.
fn samples_of_threads(
    profile: &Profile,
    sample_type: usize,
) -> BTreeMap<Option<ThreadIdx>, Vec<usize>> {
    let mut threads: BTreeMap<Option<ThreadIdx>, Vec<usize>> = BTreeMap::new();
    for (at, (sample, values, _)) in profile.samples.iter().enumerate() {
        if value_of(sample, values, sample_type) != 0 {
            // A sample whose thread does not exist has no thread.
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
