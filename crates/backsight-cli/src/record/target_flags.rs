//! The flags that say what is sampled, and how.

use std::ffi::OsString;
use std::path::PathBuf;

use backsight_agent::{CallGraph, SamplingOptions};
use clap::ValueEnum;

use crate::args::{Pids, all_pids, parse_pids};

/// What is sampled, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetFlags {
    /// Record these processes (`-p 1,2`, `-p $(pidof name)`): all threads, and all threads and
    /// processes that they start
    #[arg(short, long, value_name = "PID", value_parser = parse_pids, num_args = 1..)]
    #[arg(conflicts_with_all = ["all", "cgroup"])]
    pid: Vec<Pids>,

    /// Record everything on all processors
    #[arg(short, long, conflicts_with = "cgroup")]
    all: bool,

    /// Record the processes of a cgroup and of those below it, by its directory
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,

    /// Samples a second of each processor, at most kernel.perf_event_max_sample_rate
    #[arg(short = 'F', long, value_name = "HZ", default_value = "99")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) frequency: u64,

    /// How the callers of a function are found
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    call_graph: CallGraphArg,

    /// Do not record the kernel
    #[arg(long)]
    no_kernel: bool,
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
pub(crate) enum Whom<'a> {
    Processes(Vec<u32>),
    Everyone,
    Cgroup(&'a PathBuf),
    Command(&'a [OsString]),
}

impl TargetFlags {
    /// Returns whom to record; `None` if no flag says it.
    pub(crate) fn whom(&self) -> Option<Whom<'_>> {
        match self {
            Self { all: true, .. } => Some(Whom::Everyone),
            Self {
                cgroup: Some(cgroup),
                ..
            } => Some(Whom::Cgroup(cgroup)),
            Self { pid, .. } if !pid.is_empty() => Some(Whom::Processes(all_pids(pid))),
            _ => None,
        }
    }

    /// Whether callers are found by the tables of files.
    pub(crate) fn needs_files(&self) -> bool {
        self.call_graph == CallGraphArg::Dwarf
    }

    pub(crate) fn sampling(&self) -> SamplingOptions {
        let call_graph = match self.call_graph {
            CallGraphArg::Fp => CallGraph::FramePointers,
            CallGraphArg::Dwarf => CallGraph::DWARF,
        };
        SamplingOptions::default()
            .with_frequency(self.frequency)
            .with_call_graph(call_graph)
            .with_kernel(!self.no_kernel)
    }
}
