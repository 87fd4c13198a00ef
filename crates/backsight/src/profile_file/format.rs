//! The formats of profiles, by content and name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_formats::{cpuprofile, folded, legacy, perf_script, perfetto, speedscope};

/// The format of a profile in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProfileFormat {
    /// The file or directory that `perf record` writes. Read alone.
    Perf,
    /// profile.proto, packed by gzip when it is written.
    Pprof,
    /// profile.proto, not packed when it is written.
    PprofRaw,
    /// NDJSON of the command `backsight`.
    Ndjson,
    /// Folded stacks, one a line.
    Folded,
    /// Profiles of gperftools, tcmalloc, jemalloc and Go (debug=1). Read alone.
    Legacy,
    /// The text of `perf script`. Read alone.
    PerfScript,
    /// speedscope's JSON.
    Speedscope,
    /// The JSON of V8. Read alone.
    Cpuprofile,
    /// A trace of Perfetto. Read alone.
    Perfetto,
    /// The JSON of the Firefox Profiler. Written alone.
    Firefox,
}

/// The formats that are written, and how their names end; the longer of two ends comes first.
const OUTPUTS: [(&str, ProfileFormat); 9] = [
    (".speedscope.json", ProfileFormat::Speedscope),
    (".json", ProfileFormat::Firefox),
    (".pb.gz", ProfileFormat::Pprof),
    (".pprof", ProfileFormat::Pprof),
    (".pb", ProfileFormat::PprofRaw),
    (".ndjson", ProfileFormat::Ndjson),
    (".jsonl", ProfileFormat::Ndjson),
    (".folded", ProfileFormat::Folded),
    (".collapsed", ProfileFormat::Folded),
];

/// The formats that are read, and how their names end.
const INPUTS: [(&str, ProfileFormat); 13] = [
    ("perf.data", ProfileFormat::Perf),
    (".perf", ProfileFormat::PerfScript),
    (".pb.gz", ProfileFormat::Pprof),
    (".pprof", ProfileFormat::Pprof),
    (".pb", ProfileFormat::Pprof),
    (".ndjson", ProfileFormat::Ndjson),
    (".jsonl", ProfileFormat::Ndjson),
    (".folded", ProfileFormat::Folded),
    (".collapsed", ProfileFormat::Folded),
    (".speedscope.json", ProfileFormat::Speedscope),
    (".cpuprofile", ProfileFormat::Cpuprofile),
    (".perfetto-trace", ProfileFormat::Perfetto),
    (".pftrace", ProfileFormat::Perfetto),
];

impl ProfileFormat {
    /// Every format.
    pub const ALL: [Self; 11] = [
        Self::Perf,
        Self::Pprof,
        Self::PprofRaw,
        Self::Ndjson,
        Self::Folded,
        Self::Legacy,
        Self::PerfScript,
        Self::Speedscope,
        Self::Cpuprofile,
        Self::Perfetto,
        Self::Firefox,
    ];

    /// Returns its name: `perf`, `pprof`, `perf-script` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Pprof => "pprof",
            Self::PprofRaw => "pprof-raw",
            Self::Ndjson => "ndjson",
            Self::Folded => "folded",
            Self::Legacy => "legacy",
            Self::PerfScript => "perf-script",
            Self::Speedscope => "speedscope",
            Self::Cpuprofile => "cpuprofile",
            Self::Perfetto => "perfetto",
            Self::Firefox => "firefox",
        }
    }

    /// Whether it is read.
    #[must_use]
    pub fn is_read(self) -> bool {
        !matches!(self, Self::PprofRaw | Self::Firefox)
    }

    /// Whether it is written.
    #[must_use]
    pub fn is_written(self) -> bool {
        OUTPUTS.iter().any(|(_, format)| *format == self)
    }

    /// Whether its samples have times.
    #[must_use]
    pub const fn has_times(self) -> bool {
        matches!(self, Self::Ndjson | Self::Firefox | Self::Speedscope)
    }

    /// Returns the format of an input, which its begin or else its name shows.
    #[must_use]
    pub fn of_input(path: &Path, begin: &[u8]) -> Option<Self> {
        let shown = match begin {
            _ if speedscope::is_one(begin) => Some(Self::Speedscope),
            _ if cpuprofile::is_one(begin) => Some(Self::Cpuprofile),
            _ if begin.starts_with(b"PERFILE2") || begin.starts_with(b"2ELIFREP") => {
                Some(Self::Perf)
            }
            _ if begin.starts_with(b"{\"") => Some(Self::Ndjson),
            _ if legacy::is_one(begin) => Some(Self::Legacy),
            _ if perfetto::is_one(begin) => Some(Self::Perfetto),
            _ if perf_script::is_one(begin) => Some(Self::PerfScript),
            _ => None,
        };
        shown.or_else(|| by_name(path, &INPUTS)).or(match begin {
            _ if folded::is_one(begin) => Some(Self::Folded),
            // gzip: what else is packed is unpacked by the caller.
            _ if begin.starts_with(&[0x1f, 0x8b]) => Some(Self::Pprof),
            _ => None,
        })
    }

    /// Returns the format of an output, whose name ends in one of [`ends`](Self::ends).
    #[must_use]
    pub fn of_output(path: &Path) -> Option<Self> {
        by_name(path, &OUTPUTS)
    }

    /// Returns how names of outputs end.
    #[must_use]
    pub fn ends() -> [&'static str; 9] {
        OUTPUTS.map(|(end, _)| end)
    }
}

fn by_name(path: &Path, known: &[(&str, ProfileFormat)]) -> Option<ProfileFormat> {
    let name = path.file_name().map(OsStr::as_bytes)?;
    let found = known.iter().find(|(end, _)| name.ends_with(end.as_bytes()));
    found.map(|(_, format)| *format)
}
