//! The flags of `record`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backsight_agent::SamplingOptions;

use super::target_flags::{TargetFlags, Whom};
use crate::account::AccountFlags;
use crate::convert::Output;
use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::symbolize::Symbols;

/// Sample running processes, and write a profile with functions and lines
///
/// Records a command, processes with all that they start, a cgroup, or the whole machine, until
/// it ends, for --duration, or until Ctrl-C. The format follows from the name of the output file,
/// as for convert. What costs least is the default: 99 samples a second, stacks by frame pointers.
#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    #[command(flatten)]
    pub(super) target: TargetFlags,

    /// Stop after this time: seconds, or a number with ms, s, m or h, at least 10ms [default: when
    /// the processes end, or at Ctrl-C]
    #[arg(short, long, value_name = "TIME", value_parser = parse_time)]
    pub(super) duration: Option<Duration>,

    /// Also record the time that threads do not run: sleeping, waiting for locks and input. Where
    /// the format has room for one value (.folded, .svg, .json), it goes to a second file:
    /// flame.svg and flame.off-cpu.svg
    #[arg(long)]
    pub(super) off_cpu: bool,

    /// No labels of processes: cgroup, container.id, and the attributes that a process publishes as
    /// OpenTelemetry says (OTEL_CTX), such as service.name. .pb.gz, .ndjson and .otlp have room for
    /// them
    #[arg(long)]
    pub(super) no_labels: bool,

    /// The output file, written completely or not at all [default: profile.pb.gz]; with --every,
    /// the directory of the output files
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The format of the output; overrides its name
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) to: Option<Output>,

    /// Write a file each time that this time has passed, named by when it began
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) every: Option<Duration>,

    /// Record only build IDs and offsets, and open no file of the processes: functions are looked
    /// up later, by convert, here or on another machine
    #[arg(long)]
    pub(super) normalize_only: bool,

    #[command(flatten)]
    pub(super) symbols: Symbols,

    #[command(flatten)]
    pub(super) account: AccountFlags,

    /// Words that stand where no word belongs: a command without `--`
    #[arg(hide = true)]
    stray: Vec<OsString>,

    /// The command to record, after `--`, with its arguments
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["pid", "all", "cgroup"])]
    command: Vec<OsString>,
}

impl Record {
    /// Returns whom to record.
    pub(super) fn whom(&self) -> Result<Whom<'_>> {
        if !self.stray.is_empty() {
            let words = self.stray.iter().chain(&self.command);
            let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
            let usage = format!(
                "a command stands after `--`: backsight record -- {}",
                words.join(" ")
            );
            return Err(Failure::Usage(usage));
        }
        if !self.command.is_empty() {
            return Ok(Whom::Command(&self.command));
        }
        self.target.whom().ok_or_else(|| {
            let usage = "what to record? -p PID, --cgroup DIR, -a for the whole machine, or \
                         -- COMMAND";
            Failure::Usage(usage.to_owned())
        })
    }

    /// Returns where the output goes: a file, or a directory with `--every`.
    pub(super) fn place(&self) -> Result<PathBuf> {
        match (&self.output, self.every) {
            (Some(path), Some(_)) if path == Path::new("-") => {
                let usage = "--every writes many files: name their directory with -o DIR, not -";
                Err(Failure::Usage(usage.to_owned()))
            }
            (Some(path), _) => Ok(path.clone()),
            (None, None) => Ok(PathBuf::from("profile.pb.gz")),
            (None, Some(_)) => {
                let usage = "--every writes many files: name their directory with -o DIR";
                Err(Failure::Usage(usage.to_owned()))
            }
        }
    }

    /// Checks what cannot be with `--normalize-only`.
    pub(super) fn check_normalize_only(&self, to: Output, place: &Path) -> Result<()> {
        if !self.normalize_only {
            return Ok(());
        }
        // No reader takes offsets back from the Firefox Profiler's JSON.
        if !to.has_build_ids() || to == Output::Firefox {
            let usage = "--normalize-only records build IDs, which this format has no room for: \
                         write .ndjson, .pb.gz or .otlp";
            return Err(Failure::Usage(match self.to {
                // The name may say another format.
                Some(_) => format!("--to: {usage}"),
                None => format!("{}: {usage}", Shown(place)),
            }));
        }
        if self.target.needs_files() {
            let usage = "--call-graph dwarf finds callers by the unwinding tables of files, and \
                         --normalize-only opens none: record with --call-graph fp, or without \
                         --normalize-only";
            return Err(Failure::Usage(usage.to_owned()));
        }
        Ok(())
    }

    pub(super) fn sampling(&self) -> SamplingOptions {
        self.target.sampling().with_off_cpu(self.off_cpu)
    }
}

/// Parses a time for clap: `10`, `1.5`, `500ms`, `60s`, `5m`, `1h`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let with_unit = |(unit, seconds): (&str, f64)| Some((text.strip_suffix(unit)?, seconds));
    let (number, unit) = units.into_iter().find_map(with_unit).unwrap_or((text, 1.0));
    let number: Option<f64> = number.trim().parse().ok();
    let time = number.and_then(|number| Duration::try_from_secs_f64(number * unit).ok());
    let time = time.filter(|time| *time >= Duration::from_millis(10));
    time.ok_or_else(|| {
        "a time is a number of seconds, or a number with ms, s, m or h, at least 10ms".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_time;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        for (text, want) in [
            ("10", Some(10_000)),
            ("1.5", Some(1500)),
            ("60s", Some(60_000)),
            ("500ms", Some(500)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0", None),
            ("-1", None),
            ("", None),
            ("NaN", None),
            ("inf", None),
            ("1d", None),
        ] {
            let want = want.map(Duration::from_millis);
            assert_eq!(parse_time(text).ok(), want, "{text}");
        }
    }
}
