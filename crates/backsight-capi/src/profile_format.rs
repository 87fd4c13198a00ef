//! The formats of profiles, by number.

use backsight::ProfileFormat;

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

/// Every number with its format.
const FORMATS: [(u32, ProfileFormat); 11] = [
    (BACKSIGHT_FORMAT_PERF, ProfileFormat::Perf),
    (BACKSIGHT_FORMAT_PPROF, ProfileFormat::Pprof),
    (BACKSIGHT_FORMAT_PPROF_RAW, ProfileFormat::PprofRaw),
    (BACKSIGHT_FORMAT_NDJSON, ProfileFormat::Ndjson),
    (BACKSIGHT_FORMAT_FOLDED, ProfileFormat::Folded),
    (BACKSIGHT_FORMAT_LEGACY, ProfileFormat::Legacy),
    (BACKSIGHT_FORMAT_PERF_SCRIPT, ProfileFormat::PerfScript),
    (BACKSIGHT_FORMAT_SPEEDSCOPE, ProfileFormat::Speedscope),
    (BACKSIGHT_FORMAT_CPUPROFILE, ProfileFormat::Cpuprofile),
    (BACKSIGHT_FORMAT_PERFETTO, ProfileFormat::Perfetto),
    (BACKSIGHT_FORMAT_FIREFOX, ProfileFormat::Firefox),
];

/// Returns the format of a number; `None` if it is to be recognized.
pub(crate) fn of_number(asked: u32) -> Result<Option<ProfileFormat>> {
    if asked == BACKSIGHT_FORMAT_AUTO {
        return Ok(None);
    }
    let known = FORMATS.iter().find(|(number, _)| *number == asked);
    let (_, format) = known.ok_or_else(|| {
        Failure::new(
            BACKSIGHT_ERROR_FORMAT,
            format!("no format has number {asked}"),
        )
    })?;
    Ok(Some(*format))
}

#[cfg(test)]
mod tests {
    use backsight::ProfileFormat;

    use super::FORMATS;

    #[test]
    fn each_format_has_a_number() {
        let formats = FORMATS.map(|(_, format)| format);
        assert!(ProfileFormat::ALL.iter().all(|it| formats.contains(it)));
        // Without gaps: a number that was given away is not given up.
        assert!((1..).zip(FORMATS).all(|(at, (number, _))| at == number));
    }
}
