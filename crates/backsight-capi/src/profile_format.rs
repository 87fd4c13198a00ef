//! The formats of profiles, by number, content and name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_formats::{cpuprofile, folded, legacy, perf_script, perfetto, speedscope};

use crate::failure::{Failure, Result};
use crate::status::BACKSIGHT_ERROR_FORMAT;

/// Recognized by content or else by name when reading, and by name when writing.
pub const BACKSIGHT_FORMAT_AUTO: u32 = 0;
/// The file or directory that `perf record` writes. Read alone.
pub const BACKSIGHT_FORMAT_PERF: u32 = 1;
/// profile.proto, packed by gzip when it is written.
pub const BACKSIGHT_FORMAT_PPROF: u32 = 2;
/// profile.proto, not packed when it is written.
pub const BACKSIGHT_FORMAT_PPROF_RAW: u32 = 3;
/// NDJSON of the command `backsight`.
pub const BACKSIGHT_FORMAT_NDJSON: u32 = 4;
/// Folded stacks, one a line.
pub const BACKSIGHT_FORMAT_FOLDED: u32 = 5;
/// Profiles of gperftools, tcmalloc, jemalloc and Go (debug=1). Read alone.
pub const BACKSIGHT_FORMAT_LEGACY: u32 = 6;
/// The text of `perf script`. Read alone.
pub const BACKSIGHT_FORMAT_PERF_SCRIPT: u32 = 7;
/// speedscope's JSON.
pub const BACKSIGHT_FORMAT_SPEEDSCOPE: u32 = 8;
/// The JSON of V8. Read alone.
pub const BACKSIGHT_FORMAT_CPUPROFILE: u32 = 9;
/// A trace of Perfetto. Read alone.
pub const BACKSIGHT_FORMAT_PERFETTO: u32 = 10;
/// The JSON of the Firefox Profiler. Written alone.
pub const BACKSIGHT_FORMAT_FIREFOX: u32 = 11;

/// The formats that are written, and how their names end; the longer of two ends comes first.
const OUTPUTS: [(&str, u32); 9] = [
    (".speedscope.json", BACKSIGHT_FORMAT_SPEEDSCOPE),
    (".json", BACKSIGHT_FORMAT_FIREFOX),
    (".pb.gz", BACKSIGHT_FORMAT_PPROF),
    (".pprof", BACKSIGHT_FORMAT_PPROF),
    (".pb", BACKSIGHT_FORMAT_PPROF_RAW),
    (".ndjson", BACKSIGHT_FORMAT_NDJSON),
    (".jsonl", BACKSIGHT_FORMAT_NDJSON),
    (".folded", BACKSIGHT_FORMAT_FOLDED),
    (".collapsed", BACKSIGHT_FORMAT_FOLDED),
];

/// The formats that are read, and how their names end.
const INPUTS: [(&str, u32); 13] = [
    ("perf.data", BACKSIGHT_FORMAT_PERF),
    (".perf", BACKSIGHT_FORMAT_PERF_SCRIPT),
    (".pb.gz", BACKSIGHT_FORMAT_PPROF),
    (".pprof", BACKSIGHT_FORMAT_PPROF),
    (".pb", BACKSIGHT_FORMAT_PPROF),
    (".ndjson", BACKSIGHT_FORMAT_NDJSON),
    (".jsonl", BACKSIGHT_FORMAT_NDJSON),
    (".folded", BACKSIGHT_FORMAT_FOLDED),
    (".collapsed", BACKSIGHT_FORMAT_FOLDED),
    (".speedscope.json", BACKSIGHT_FORMAT_SPEEDSCOPE),
    (".cpuprofile", BACKSIGHT_FORMAT_CPUPROFILE),
    (".perfetto-trace", BACKSIGHT_FORMAT_PERFETTO),
    (".pftrace", BACKSIGHT_FORMAT_PERFETTO),
];

/// Returns the format of an input: the one that is asked for, or that its begin or else its name
/// shows.
pub(crate) fn of_input(path: &Path, asked: u32, begin: &[u8]) -> Result<u32> {
    match asked {
        BACKSIGHT_FORMAT_AUTO => {}
        BACKSIGHT_FORMAT_PERF..=BACKSIGHT_FORMAT_PERFETTO => return Ok(asked),
        other => {
            return Err(unknown(format!(
                "no format that is read has number {other}"
            )));
        }
    }
    let shown = match begin {
        _ if speedscope::is_one(begin) => Some(BACKSIGHT_FORMAT_SPEEDSCOPE),
        _ if cpuprofile::is_one(begin) => Some(BACKSIGHT_FORMAT_CPUPROFILE),
        _ if begin.starts_with(b"PERFILE2") || begin.starts_with(b"2ELIFREP") => {
            Some(BACKSIGHT_FORMAT_PERF)
        }
        _ if begin.starts_with(b"{\"") => Some(BACKSIGHT_FORMAT_NDJSON),
        _ if legacy::is_one(begin) => Some(BACKSIGHT_FORMAT_LEGACY),
        _ if perfetto::is_one(begin) => Some(BACKSIGHT_FORMAT_PERFETTO),
        _ if perf_script::is_one(begin) => Some(BACKSIGHT_FORMAT_PERF_SCRIPT),
        _ => None,
    };
    let found = shown.or_else(|| by_name(path, &INPUTS)).or(match begin {
        _ if folded::is_one(begin) => Some(BACKSIGHT_FORMAT_FOLDED),
        // gzip: what else is packed is unpacked by the caller.
        _ if begin.starts_with(&[0x1f, 0x8b]) => Some(BACKSIGHT_FORMAT_PPROF),
        _ => None,
    });
    found.ok_or_else(|| {
        unknown(format!(
            "{}: its format is not recognized by content or name: set `format`",
            path.display()
        ))
    })
}

/// Returns the format of an output: the one that is asked for, or that its name ends in.
pub(crate) fn of_output(path: &Path, asked: u32) -> Result<u32> {
    if asked == BACKSIGHT_FORMAT_AUTO {
        return by_name(path, &OUTPUTS).ok_or_else(|| {
            let ends = OUTPUTS.map(|(end, _)| end).join(", ");
            let path = path.display();
            unknown(format!(
                "{path}: its format is not recognized by name: end it in {ends}, or set `format`"
            ))
        });
    }
    let is_one = OUTPUTS.iter().any(|(_, format)| *format == asked);
    match is_one {
        true => Ok(asked),
        false => Err(unknown(format!(
            "no format that is written has number {asked}"
        ))),
    }
}

/// Whether samples of this format have times.
pub(crate) fn has_time(format: u32) -> bool {
    matches!(
        format,
        BACKSIGHT_FORMAT_NDJSON | BACKSIGHT_FORMAT_FIREFOX | BACKSIGHT_FORMAT_SPEEDSCOPE
    )
}

fn by_name(path: &Path, known: &[(&str, u32)]) -> Option<u32> {
    let name = path.file_name().map(OsStr::as_bytes)?;
    let found = known.iter().find(|(end, _)| name.ends_with(end.as_bytes()));
    found.map(|(_, format)| *format)
}

fn unknown(message: String) -> Failure {
    Failure::new(BACKSIGHT_ERROR_FORMAT, message)
}
