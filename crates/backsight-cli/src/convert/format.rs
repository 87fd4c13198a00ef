//! Which format a file has: by what is in it, else by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::{folded, legacy, perf_script};
use clap::ValueEnum;

use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::foreign;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Input {
    /// What `backsight normalize` and `convert` write, one JSON object a line
    Ndjson,
    /// A stack a line, as stackcollapse-perf.pl writes
    Folded,
    /// profile.proto, packed by gzip or not
    Pprof,
    /// OpenTelemetry's profiles in protobuf, packed by gzip or not
    #[cfg(feature = "otlp")]
    Otlp,
    /// What `perf record` writes
    Perf,
    /// What `perf script` prints
    PerfScript,
    /// What gperftools, tcmalloc, jemalloc and Go (debug=1) write
    Legacy,
}

/// A format that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One JSON object a line
    Ndjson,
    /// A stack a line, as flamegraph.pl reads
    Folded,
    /// A flame graph for a browser
    Svg,
    /// profile.proto, packed by gzip: for go tool pprof
    Pprof,
    /// profile.proto as it is
    Pb,
    /// The Firefox Profiler's JSON, for profiler.firefox.com
    Firefox,
    /// OpenTelemetry's profiles in protobuf
    #[cfg(feature = "otlp")]
    Otlp,
    /// The same, packed by gzip
    #[cfg(feature = "otlp")]
    OtlpGz,
}

/// How names end, longest first where one is the end of another.
const INPUTS: &[(&str, Input)] = &[
    ("perf.data", Input::Perf),
    (".perf", Input::PerfScript),
    #[cfg(feature = "otlp")]
    (".otlp", Input::Otlp),
    #[cfg(feature = "otlp")]
    (".otlp.gz", Input::Otlp),
    (".pb.gz", Input::Pprof),
    (".pprof", Input::Pprof),
    (".pb", Input::Pprof),
    (".ndjson", Input::Ndjson),
    (".jsonl", Input::Ndjson),
    (".folded", Input::Folded),
    (".collapsed", Input::Folded),
    // The same, packed.
    ("perf.data.gz", Input::Perf),
    (".perf.gz", Input::PerfScript),
    (".ndjson.gz", Input::Ndjson),
    (".jsonl.gz", Input::Ndjson),
    (".folded.gz", Input::Folded),
    (".collapsed.gz", Input::Folded),
];

const OUTPUTS: &[(&str, Output)] = &[
    #[cfg(feature = "otlp")]
    (".otlp", Output::Otlp),
    #[cfg(feature = "otlp")]
    (".otlp.gz", Output::OtlpGz),
    (".json", Output::Firefox),
    (".pb.gz", Output::Pprof),
    (".pprof", Output::Pprof),
    (".pb", Output::Pb),
    (".ndjson", Output::Ndjson),
    (".jsonl", Output::Ndjson),
    (".folded", Output::Folded),
    (".collapsed", Output::Folded),
    (".svg", Output::Svg),
];

impl Input {
    /// Returns the format of a file that begins so when it is unpacked. What was asked for
    /// goes first.
    pub(crate) fn of(
        path: &Path,
        asked: Option<Self>,
        begin: &[u8],
        is_packed: bool,
    ) -> Result<Self> {
        if let Some(asked) = asked {
            return Ok(asked);
        }
        if let Some((what, way_out)) = foreign::known(begin) {
            let packed = if is_packed { "packed by gzip, " } else { "" };
            return Err(Failure::of(
                Shown(path),
                format_args!("{packed}{what}: {way_out}"),
            ));
        }
        let found = Self::of_content(begin)
            .or_else(|| by_name(path, INPUTS))
            .or_else(|| folded::is_one(begin).then_some(Self::Folded))
            // Most that is packed by gzip and no text is this.
            .or_else(|| is_packed.then_some(Self::Pprof));
        found.ok_or_else(|| {
            let cause = "neither its name nor its content tells its format: give --from";
            Failure::of(Shown(path), cause)
        })
    }

    /// Knows those that begin with what no other begins with.
    fn of_content(begin: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 3] = [
            (b"{\"", Self::Ndjson),
            (b"PERFILE2", Self::Perf),
            // In the other byte order.
            (b"2ELIFREP", Self::Perf),
        ];
        let found = known.iter().find(|(magic, _)| begin.starts_with(magic));
        let found = found.map(|(_, format)| *format);
        #[cfg(feature = "otlp")]
        let found = match otlp::is_json(begin) {
            true => Some(Self::Otlp),
            false => found,
        };
        let found = found.or_else(|| legacy::is_one(begin).then_some(Self::Legacy));
        found.or_else(|| perf_script::is_one(begin).then_some(Self::PerfScript))
    }
}

impl Output {
    /// Returns the format that a file is to have. What was asked for goes first.
    pub(crate) fn of(path: &Path, asked: Option<Self>) -> Result<Self> {
        let found = asked.or_else(|| by_name(path, OUTPUTS));
        found.ok_or_else(|| {
            let known: Vec<&str> = OUTPUTS.iter().map(|(end, _)| *end).collect();
            Failure::Usage(format!(
                "{}: its name tells no format: end it in {}, or give --to",
                Shown(path),
                known.join(", ")
            ))
        })
    }

    /// Returns whether samples have room for one value alone.
    pub(crate) fn has_one_type(self) -> bool {
        matches!(self, Self::Folded | Self::Svg | Self::Firefox)
    }

    /// Returns whether each sample stands for itself, with its time.
    pub(crate) fn has_time(self) -> bool {
        match self {
            Self::Ndjson | Self::Firefox => true,
            #[cfg(feature = "otlp")]
            Self::Otlp | Self::OtlpGz => true,
            Self::Folded | Self::Svg | Self::Pprof | Self::Pb => false,
        }
    }
}

fn by_name<T: Copy>(path: &Path, known: &[(&str, T)]) -> Option<T> {
    let name = path.file_name().map(OsStr::as_bytes)?;
    let found = known.iter().find(|(end, _)| name.ends_with(end.as_bytes()));
    found.map(|(_, format)| *format)
}
