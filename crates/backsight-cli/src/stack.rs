//! `backsight stack`: prints the whole stacks of live processes.

mod refused;
mod shown;

use std::io::Write;

use backsight::{LiveOptions, LiveStacks, StackOptions};

use crate::args::{Format, Pids, all_pids, parse_pid, parse_pids, parse_size};
use crate::failure::{Done, Failure, Result, each_process};
use crate::jit_maps::JitMaps;
use crate::palette::Palette;
use crate::sink::{Layout, Sink};
use crate::symbolize::{LiveProcess, Symbols, failed};

use shown::ShownStacks;

/// Print the whole stack of every thread of live processes
///
/// As pstack and eu-stack do. Each thread is stopped for some tens of microseconds, one after the
/// other, and runs on before its stack is looked at, also if this command is killed.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("processes").required(true).multiple(true))]
pub(crate) struct StackCommand {
    /// Live processes: `-p 1,2`, `-p 1 2`, `-p $(pidof name)`
    #[arg(short, long, value_name = "PID", value_parser = parse_pids, group = "processes")]
    pid: Vec<Pids>,

    /// The same
    #[arg(value_name = "PID", value_parser = parse_pids, group = "processes")]
    more: Vec<Pids>,

    /// Only this thread
    #[arg(long, value_name = "TID", value_parser = parse_pid)]
    tid: Option<u32>,

    /// How many frames of a stack to show, the innermost ones; 0 shows all
    #[arg(short = 'n', long, value_name = "N", default_value = "1024")]
    max_depth: usize,

    /// How much of a stack to copy
    #[arg(long, value_name = "SIZE", default_value = "8M", value_parser = parse_size)]
    max_stack: u64,

    /// Leave out frames in code that was made at run time, which perf maps and jitdumps name; how
    /// many is said
    #[arg(long, conflicts_with = "jit_maps")]
    native_only: bool,

    #[command(flatten)]
    symbols: Symbols,

    /// How to print the stacks
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Exit with code 3 if a thread has no stack, a stack is cut, or a frame has no name
    #[arg(long)]
    strict: bool,
}

impl StackCommand {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        self.symbols.use_jobs()?;
        let checked = self.symbols.check();
        let mut pids = all_pids(&self.pid);
        pids.extend(all_pids(&self.more));
        let mut seen = std::collections::HashSet::new();
        pids.retain(|pid| seen.insert(*pid));
        let symbols = match self.native_only {
            true => self.symbols.clone().with_jit_maps(JitMaps::None),
            false => self.symbols.clone(),
        };
        let mut sink = Sink::new(
            out,
            match self.format {
                Format::Text => Layout::Text(Palette::of_stdout()),
                Format::Json => Layout::Json,
            },
        );
        let is_one = pids.len() == 1;
        let done = each_process(&pids, |pid| self.process(pid, is_one, &symbols, &mut sink))?;
        Ok(done.and(checked))
    }

    fn options(&self) -> StackOptions {
        let max_depth = match self.max_depth {
            0 => usize::MAX,
            depth => depth,
        };
        StackOptions::default()
            .with_tid(self.tid)
            .with_max_frames(max_depth)
            .with_max_stack_bytes(usize::try_from(self.max_stack).unwrap_or(usize::MAX))
    }

    fn process(
        &self,
        pid: u32,
        is_one: bool,
        symbols: &Symbols,
        sink: &mut Sink<impl Write>,
    ) -> Result {
        // First the process that addresses are looked up in: it notices if the process ID is
        // used again.
        let mut live = LiveProcess::open(pid, LiveOptions::default(), symbols)?;
        let mut stacks = LiveStacks::open(pid, symbols.options()).map_err(failed)?;
        let threads = stacks.read(&self.options()).map_err(failed)?;
        if let (Some(tid), []) = (self.tid, &*threads) {
            let cause = format!("it has no thread {tid}: `ls /proc/{pid}/task` lists its threads");
            return Err(Failure::of(format_args!("process {pid}"), cause));
        }
        if let Some(message) = refused::message(pid, &threads) {
            return Err(Failure::Failed(message));
        }
        if !is_one {
            sink.begin_process(pid)?;
        }
        let shown = ShownStacks {
            pid,
            threads: &threads,
            is_native_only: self.native_only,
            is_verbose: symbols.verbose,
        };
        let gaps = shown.write(&mut live, sink)?;
        sink.flush()?;
        Ok(Done::under(self.strict, gaps))
    }
}
