//! `symbolize -p`: addresses of a live process.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use backsight::{LiveError, LiveOptions};
use backsight_formats::ndjson::{AddressLine, HeaderLine};
use backsight_types::{AbsAddr, Lookup, Module, Outcome, Reason};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::accounted::Accounted;
use super::symbols::Symbols;
use crate::account::LiveListReport;
use crate::archive_problems::ArchiveProblems;
use crate::args::{AutoOrNever, backend_name, kernel_root_of};
use crate::failure::{self, Done, Failure, Result, complain, each_process};
use crate::input::Addresses;
use crate::kernel_shortfalls;
use crate::sink::Sink;
use crate::tool::TOOL;

/// The requested processes.
#[derive(Debug)]
pub(super) struct Processes<'s> {
    pub(super) pids: Vec<u32>,
    pub(super) proc_root: Option<PathBuf>,
    pub(super) remapped_text: AutoOrNever,
    pub(super) symbols: &'s Symbols,
}

impl Processes<'_> {
    /// Symbolizes the processes, and returns the number of malformed entries of input.
    pub(super) fn run(
        mut self,
        addresses: Addresses,
        sink: &mut Sink<impl Write>,
    ) -> Result<(Done, u64)> {
        if let [pid] = *self.pids {
            let mut live = self.open(pid)?;
            let more = match addresses.is_empty() {
                true => Vec::new(),
                false => self.further_pids(&mut live, &addresses)?,
            };
            if more.is_empty() {
                return Ok((Done::Fully, answer(&mut live, addresses, sink)?));
            }
            self.pids.extend(more);
        } else if !addresses.is_empty() {
            let message =
                "addresses can be given only with one process: give one -p, or no addresses";
            return Err(Failure::Usage(message.to_owned()));
        }
        let done = each_process(&self.pids, |pid| {
            let mut live = self.open(pid)?;
            // Fails for a process without memory, with a message that names it.
            live.normalize(&[AbsAddr(0)])?;
            sink.begin_process(pid)?;
            live.threads(sink)?;
            Ok(Done::Fully)
        })?;
        Ok((done, 0))
    }

    fn open(&self, pid: u32) -> Result<LiveProcess> {
        let options = LiveOptions::default()
            .with_proc_root(self.proc_root.clone())
            .with_remapped_text(self.remapped_text == AutoOrNever::Auto);
        LiveProcess::open(pid, options, self.symbols)
    }

    /// Returns the arguments after `-p PID` if they are process IDs rather than addresses, as a
    /// shell produces from `-p $(pidof name)`: all must be decimal numbers of existing
    /// processes, and the process must have nothing mapped at any of them.
    fn further_pids(&self, live: &mut LiveProcess, addresses: &Addresses) -> Result<Vec<u32>> {
        let proc_root = self.proc_root.as_deref().unwrap_or(Path::new("/proc"));
        let pids = addresses.as_pids().unwrap_or_default();
        let runs = |pid: &u32| proc_root.join(pid.to_string()).exists();
        if !pids.iter().all(runs) {
            return Ok(Vec::new());
        }
        let outcomes = live.normalize(&addresses.all().unwrap_or_default())?;
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        if outcomes.iter().any(|outcome| *outcome != unmapped) {
            return Ok(Vec::new());
        }
        if let Some(first) = pids.first() {
            complain(format_args!(
                "{first} and the following arguments are taken as process IDs: to give an address, write \
                 0x{first}"
            ));
        }
        Ok(pids)
    }
}

/// Symbolizes one process, and returns the number of malformed entries of input.
fn answer(
    live: &mut LiveProcess,
    addresses: Addresses,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    if addresses.is_empty() {
        live.threads(sink)?;
        return Ok(0);
    }
    sink.set_end_mark(addresses.end_mark.as_deref());
    addresses.each_batch(|batch| {
        sink.begin_batch(&batch.marks);
        live.answer(batch.iter(), sink)?;
        Ok(sink.flush()?)
    })
}

/// A live process, and whether its header was written.
#[derive(Debug)]
pub(crate) struct LiveProcess {
    pid: u32,
    live: Accounted<backsight::Live>,
    begun: bool,
    lists: LiveListReport,
    kernel_was_said: bool,
    archive_problems: ArchiveProblems,
}

impl LiveProcess {
    /// Opens a process as `options` say, with the kernel beside its `/proc`, and looks for symbols
    /// as these flags say.
    pub(crate) fn open(pid: u32, options: LiveOptions, symbols: &Symbols) -> Result<Self> {
        let kernel_root = kernel_root_of(options.proc_root.as_deref());
        let options = options
            .with_kernel_root(Some(kernel_root))
            .with_symbols(symbols.options())
            .with_vmlinux(symbols.vmlinux())
            .with_maps_of(symbols.maps_of());
        allow_open_files();
        let live = backsight::Live::open_with(pid, options).map_err(failed)?;
        Ok(Self {
            pid,
            live: Accounted::new(live, symbols),
            begun: false,
            lists: LiveListReport::default(),
            kernel_was_said: false,
            archive_problems: ArchiveProblems::default(),
        })
    }

    /// Symbolizes each address, in order.
    pub(crate) fn answer(
        &mut self,
        asked: impl Iterator<Item = (AbsAddr, Lookup)>,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        self.answer_each(asked, sink, |sink, answer, module| {
            Ok(sink.answer(answer, module)?)
        })
    }

    /// Symbolizes the program counter of each thread.
    fn threads(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        let pid = self.pid;
        // The kernel shows the thread of a zombie as running, so first check whether the process
        // has memory.
        self.normalize(&[AbsAddr(0)])?;
        let threads = self.live.threads().map_err(failed)?;
        let standing = threads.iter().filter_map(|thread| thread.pc);
        let asked = standing.map(|pc| (pc, Lookup::Exact));
        let mut left = threads.iter().peekable();
        self.answer_each(asked, sink, |sink, answer, module| {
            while let Some(running) = left.next_if(|thread| thread.pc.is_none()) {
                sink.begin_thread(running)?;
                sink.end_thread(pid, running)?;
            }
            if let Some(thread) = left.next() {
                sink.begin_thread(thread)?;
                sink.answer(answer, module)?;
                sink.end_thread(pid, thread)?;
            }
            Ok(())
        })?;
        for running in left {
            sink.begin_thread(running)?;
            sink.end_thread(pid, running)?;
        }
        Ok(())
    }

    /// Symbolizes each address, and calls `write` with the answers in order.
    pub(crate) fn answer_each<W: Write>(
        &mut self,
        asked: impl Iterator<Item = (AbsAddr, Lookup)>,
        sink: &mut Sink<W>,
        mut write: impl FnMut(&mut Sink<W>, &AddressLine<'_>, Option<&Module>) -> Result<()>,
    ) -> Result<()> {
        let batch = self.live.begin(asked).map_err(failed)?;
        self.begin(sink)?;
        let live = &self.live;
        live.answer(batch, |answer| write(sink, answer, live.module_of(answer)))?;
        self.archive_problems.report(self.live.archive_problems());
        self.lists.say(self.pid, self.live.jit());
        self.say_kernel();
        Ok(())
    }

    /// Says once what is not known of the kernel that the process has addresses in.
    fn say_kernel(&mut self) {
        if let Some(kernel) = self.live.kernel()
            && !std::mem::replace(&mut self.kernel_was_said, true)
        {
            match kernel {
                Ok(kernel) => kernel_shortfalls::report(kernel),
                Err(error) => kernel_shortfalls::report_none(self.pid, error),
            }
        }
    }

    fn normalize(&mut self, addrs: &[AbsAddr]) -> Result<&[Outcome]> {
        self.live.normalize(addrs).map_err(failed)
    }

    /// Writes the header. The backend is known after the first query.
    fn begin(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        sink.header(&HeaderLine {
            pid: Some(self.pid),
            backend: backend_name(self.live.backend()).map(str::to_owned),
            ..HeaderLine::new(TOOL)
        })?;
        Ok(())
    }
}

/// Raises this process's soft limit of open files to the hard limit. Each module keeps a file
/// open, and the usual limit of 1,024 is too low for some processes.
fn allow_open_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If this fails, modules whose files cannot be opened are reported.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Returns the failure of reading a process.
pub(crate) fn failed(error: LiveError) -> Failure {
    match error {
        LiveError::Process { pid, error } => failure::process(pid, &error),
        LiveError::Threads { pid, error }
            if error.error().kind() == ErrorKind::PermissionDenied =>
        {
            Failure::Failed(format!(
                "process {pid}: permission denied to read the program counters of its threads, \
                 which needs more than reading its memory map: run as root or with CAP_SYS_PTRACE, or as the \
                 same user with kernel.yama.ptrace_scope=0"
            ))
        }
        LiveError::Threads { pid, error } => Failure::io(
            format_args!("process {pid}: cannot read where its threads are"),
            error.error(),
        ),
        other => Failure::Failed(other.to_string()),
    }
}
