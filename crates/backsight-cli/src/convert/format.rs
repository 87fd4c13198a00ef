//! Recognizes the format of a file by its content, or else by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::{cpuprofile, folded, legacy, perf_script, perfetto, speedscope};
use clap::ValueEnum;

use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::foreign;

/// An input format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// NDJSON of `backsight normalize` and `convert`, one JSON object per line
    Ndjson,
    /// Folded stacks, one per line, as written by stackcollapse-perf.pl
    Folded,
    /// profile.proto, gzipped or not
    Pprof,
    /// OpenTelemetry profiles in protobuf, gzipped or not
    #[cfg(feature = "otlp")]
    Otlp,
    /// The output of `perf record`
    Perf,
    /// The output of `perf script`
    PerfScript,
    /// Profiles of gperftools, tcmalloc, jemalloc and Go (debug=1)
    Legacy,
    /// speedscope's JSON
    Speedscope,
    /// The JSON of V8: `node --cpu-prof`, Chrome
    Cpuprofile,
    /// A trace of Perfetto
    Perfetto,
}

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// NDJSON, one object per line
    Ndjson,
    /// Folded stacks, one per line, as read by flamegraph.pl
    Folded,
    /// A flame graph for a browser
    Svg,
    /// A page for a browser, with flame graphs and tables of all events and threads
    Html,
    /// profile.proto, gzipped: for go tool pprof
    Pprof,
    /// profile.proto, not compressed
    Pb,
    /// Firefox Profiler JSON, for profiler.firefox.com
    Firefox,
    /// speedscope's JSON, for speedscope.app
    Speedscope,
    /// OpenTelemetry profiles in protobuf
    #[cfg(feature = "otlp")]
    Otlp,
    /// OpenTelemetry profiles in protobuf, gzipped
    #[cfg(feature = "otlp")]
    OtlpGz,
    /// Of a trace of Perfetto: symbols, which are appended to it
    PerfettoSymbols,
}

/// File name endings. If one is the end of another, the longer one comes first.
const INPUTS: &[(&str, InputFormat)] = &[
    ("perf.data", InputFormat::Perf),
    (".perf", InputFormat::PerfScript),
    #[cfg(feature = "otlp")]
    (".otlp", InputFormat::Otlp),
    #[cfg(feature = "otlp")]
    (".otlp.gz", InputFormat::Otlp),
    (".pb.gz", InputFormat::Pprof),
    (".pprof", InputFormat::Pprof),
    (".pb", InputFormat::Pprof),
    (".ndjson", InputFormat::Ndjson),
    (".jsonl", InputFormat::Ndjson),
    (".folded", InputFormat::Folded),
    (".collapsed", InputFormat::Folded),
    (".speedscope.json", InputFormat::Speedscope),
    (".cpuprofile", InputFormat::Cpuprofile),
    (".perfetto-trace", InputFormat::Perfetto),
    (".pftrace", InputFormat::Perfetto),
    // Gzipped forms of the same.
    ("perf.data.gz", InputFormat::Perf),
    (".perf.gz", InputFormat::PerfScript),
    (".ndjson.gz", InputFormat::Ndjson),
    (".jsonl.gz", InputFormat::Ndjson),
    (".folded.gz", InputFormat::Folded),
    (".collapsed.gz", InputFormat::Folded),
    (".speedscope.json.gz", InputFormat::Speedscope),
    (".cpuprofile.gz", InputFormat::Cpuprofile),
    (".perfetto-trace.gz", InputFormat::Perfetto),
    (".pftrace.gz", InputFormat::Perfetto),
];

const OUTPUTS: &[(&str, Output)] = &[
    #[cfg(feature = "otlp")]
    (".otlp", Output::Otlp),
    #[cfg(feature = "otlp")]
    (".otlp.gz", Output::OtlpGz),
    (".speedscope.json", Output::Speedscope),
    (".json", Output::Firefox),
    (".pb.gz", Output::Pprof),
    (".pprof", Output::Pprof),
    (".pb", Output::Pb),
    (".ndjson", Output::Ndjson),
    (".jsonl", Output::Ndjson),
    (".folded", Output::Folded),
    (".collapsed", Output::Folded),
    (".svg", Output::Svg),
    (".html", Output::Html),
    (".perfetto-symbols", Output::PerfettoSymbols),
];

impl InputFormat {
    /// Returns the format of a file. `begin` is the start of its content, decompressed. `asked`
    /// overrides content and name.
    pub(crate) fn of(
        path: &Path,
        asked: Option<Self>,
        begin: &[u8],
        is_packed: bool,
    ) -> Result<Self> {
        if let Some(asked) = asked {
            return Ok(asked);
        }
        if let Some(found) = Self::of_json(begin) {
            return Ok(found);
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
            // A gzipped file that is neither text nor named otherwise is most likely a pprof
            // profile.
            .or_else(|| is_packed.then_some(Self::Pprof));
        found.ok_or_else(|| {
            let cause = "its format is not recognized by name or content: give --from";
            Failure::of(Shown(path), cause)
        })
    }

    /// Recognizes the formats that are one JSON object by its members.
    fn of_json(begin: &[u8]) -> Option<Self> {
        match begin {
            _ if speedscope::is_one(begin) => Some(Self::Speedscope),
            _ if cpuprofile::is_one(begin) => Some(Self::Cpuprofile),
            _ => None,
        }
    }

    /// Recognizes formats by a magic number or first line that no other format has.
    fn of_content(begin: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 3] = [
            (b"{\"", Self::Ndjson),
            (b"PERFILE2", Self::Perf),
            // Written on a machine with the other byte order.
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
        let found = found.or_else(|| perfetto::is_one(begin).then_some(Self::Perfetto));
        found.or_else(|| perf_script::is_one(begin).then_some(Self::PerfScript))
    }
}

impl Output {
    /// Returns the format of an output file. `asked` overrides its name.
    pub(crate) fn of(path: &Path, asked: Option<Self>) -> Result<Self> {
        let found = asked.or_else(|| by_name(path, OUTPUTS));
        found.ok_or_else(|| {
            let known: Vec<&str> = OUTPUTS.iter().map(|(end, _)| *end).collect();
            Failure::Usage(format!(
                "{}: its format is not recognized by name: end the name in {}, or give --to",
                Shown(path),
                known.join(", ")
            ))
        })
    }

    /// Refuses a format that is no profile.
    pub(crate) fn check_profile(self, path: &Path) -> Result<()> {
        match self {
            Self::PerfettoSymbols => Err(Failure::Usage(format!(
                "{}: symbols are written for a trace of Perfetto: `backsight convert TRACE {}`",
                Shown(path),
                Shown(path)
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the end of the names of such files.
    pub(crate) fn ending(self) -> &'static str {
        let named = OUTPUTS.iter().find(|(_, format)| *format == self);
        named.map_or("", |(end, _)| end)
    }

    /// Whether samples have room for only one value.
    pub(crate) fn has_one_type(self) -> bool {
        matches!(
            self,
            Self::Folded | Self::Svg | Self::Firefox | Self::Speedscope
        )
    }

    /// Whether the format says which files the addresses are of.
    pub(crate) fn has_build_ids(self) -> bool {
        !matches!(
            self,
            Self::Folded | Self::Svg | Self::Html | Self::Speedscope | Self::PerfettoSymbols
        )
    }

    /// Whether samples have labels.
    pub(crate) fn has_labels(self) -> bool {
        match self {
            #[cfg(feature = "otlp")]
            Self::Otlp | Self::OtlpGz => true,
            _ => matches!(self, Self::Ndjson | Self::Pprof | Self::Pb),
        }
    }

    /// Whether samples keep their times, so that equal ones are not summed.
    pub(crate) fn has_time(self) -> bool {
        match self {
            Self::Ndjson | Self::Firefox | Self::Speedscope => true,
            #[cfg(feature = "otlp")]
            Self::Otlp | Self::OtlpGz => true,
            Self::Folded
            | Self::Svg
            | Self::Html
            | Self::Pprof
            | Self::Pb
            | Self::PerfettoSymbols => false,
        }
    }
}

fn by_name<T: Copy>(path: &Path, known: &[(&str, T)]) -> Option<T> {
    let name = path.file_name().map(OsStr::as_bytes)?;
    let found = known.iter().find(|(end, _)| name.ends_with(end.as_bytes()));
    found.map(|(_, format)| *format)
}
