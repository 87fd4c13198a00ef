//! The flags of `record`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backsight_agent::{CallGraph, SamplingOptions};
use clap::ValueEnum;

use crate::account::AccountFlags;
use crate::args::{Pids, all_pids, parse_pids};
use crate::convert::Output;
use crate::failure::{Failure, Result};
use crate::symbolize::Symbols;

/// Sample running processes, and write a profile with functions and lines
///
/// Records a command, processes with all that they start, a cgroup, or the whole machine, until
/// it ends, for --duration, or until Ctrl-C. The format follows from the name of the output file,
/// as for convert. What costs least is the default: 99 samples a second, stacks by frame pointers.
#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    /// Record these processes (`-p 1,2`, `-p $(pidof name)`): all threads, and all threads and
    /// processes that they start
    #[arg(short, long, value_name = "PID", value_parser = parse_pids, num_args = 1..)]
    #[arg(conflicts_with_all = ["all", "cgroup", "command"])]
    pid: Vec<Pids>,

    /// Record everything on all processors
    #[arg(short, long, conflicts_with_all = ["cgroup", "command"])]
    all: bool,

    /// Record the processes of a cgroup and of those below it, by its directory
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    cgroup: Option<PathBuf>,

    /// Samples a second of each processor, at most kernel.perf_event_max_sample_rate
    #[arg(short = 'F', long, value_name = "HZ", default_value = "99")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) frequency: u64,

    /// Stop after this time: seconds, or a number with ms, s, m or h, at least 10ms [default: when
    /// the processes end, or at Ctrl-C]
    #[arg(short, long, value_name = "TIME", value_parser = parse_time)]
    pub(super) duration: Option<Duration>,

    /// How the callers of a function are found
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    call_graph: CallGraphArg,

    /// Also record the time that threads do not run: sleeping, waiting for locks and input
    #[arg(long)]
    off_cpu: bool,

    /// Do not record the kernel
    #[arg(long)]
    no_kernel: bool,

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

    /// The command to record, after `--`, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How the callers of a function are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CallGraphArg {
    /// By frame pointers, which the kernel follows: cheap, but functions that were compiled
    /// without them are missing or hide their callers
    #[default]
    Fp,
    /// From a copy of 8 KiB of the stack, by the unwinding tables of the files: complete without
    /// frame pointers, for more processor time
    Dwarf,
}

/// Whom to record.
#[derive(Debug)]
pub(super) enum Whom<'a> {
    Processes(Vec<u32>),
    Everyone,
    Cgroup(&'a PathBuf),
    Command(&'a [OsString]),
}

impl Record {
    /// Returns whom to record.
    pub(super) fn whom(&self) -> Result<Whom<'_>> {
        Ok(match self {
            Self { all: true, .. } => Whom::Everyone,
            Self {
                cgroup: Some(cgroup),
                ..
            } => Whom::Cgroup(cgroup),
            Self { command, .. } if !command.is_empty() => Whom::Command(command),
            Self { pid, .. } if !pid.is_empty() => Whom::Processes(all_pids(pid)),
            _ => {
                let usage = "what to record? -p PID, --cgroup DIR, -a for the whole machine, or \
                             -- COMMAND";
                return Err(Failure::Usage(usage.to_owned()));
            }
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

    pub(super) fn sampling(&self) -> SamplingOptions {
        let call_graph = match self.call_graph {
            CallGraphArg::Fp => CallGraph::FramePointers,
            CallGraphArg::Dwarf => CallGraph::DWARF,
        };
        SamplingOptions::default()
            .with_frequency(self.frequency)
            .with_call_graph(call_graph)
            .with_off_cpu(self.off_cpu)
            .with_kernel(!self.no_kernel)
    }
}

/// Parses a time for clap: `10`, `1.5`, `500ms`, `60s`, `5m`, `1h`.
fn parse_time(text: &str) -> Result<Duration, String> {
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
