//! `symbolize -p`: a live process, whose files come with their identity proven.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use backsight::{Known, Lookups};
use backsight_formats::ndjson::{Address, Header};
use backsight_normalize::{Image, NormalizedModule, Options, Session};
use backsight_symbolize::{Source, Symbolizer};
use backsight_types::{AbsAddr, Lookup, Module, Outcome, Reason};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Symbols;
use super::accounted::Accounted;
use crate::TOOL;
use crate::args::backend_name;
use crate::failure::{self, Done, Failure, Result, complain, each_process};
use crate::input::Addresses;
use crate::sink::Sink;
use crate::threads;

/// Processes that are asked about.
#[derive(Debug)]
pub(super) struct Asked<'s> {
    pub(super) pids: Vec<u32>,
    pub(super) proc_root: Option<PathBuf>,
    pub(super) symbols: &'s Symbols,
}

impl Asked<'_> {
    /// Answers for the processes, and returns how many entries of input were malformed.
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
            let message = "addresses belong to one process: give one -p, or none of them";
            return Err(Failure::Usage(message.to_owned()));
        }
        let done = each_process(&self.pids, |pid| {
            let mut live = self.open(pid)?;
            // One that has no memory is named by its failure.
            live.normalize(&[AbsAddr(0)])?;
            sink.begin_process(pid)?;
            live.threads(sink)?;
            Ok(Done::Fully)
        })?;
        Ok((done, 0))
    }

    fn open(&self, pid: u32) -> Result<Live> {
        Live::open(pid, self.proc_root.clone(), self.symbols)
    }

    /// Returns what stands behind `-p PID` as addresses and can only be meant for
    /// further processes, as a shell makes it of `-p $(pidof name)`: all are decimal
    /// numbers that processes have, and the process has nothing mapped at any of them.
    fn further_pids(&self, live: &mut Live, addresses: &Addresses) -> Result<Vec<u32>> {
        let proc_root = self.proc_root.as_deref().unwrap_or(Path::new("/proc"));
        let pids = addresses.as_pids().unwrap_or_default();
        let runs = |pid: &u32| proc_root.join(pid.to_string()).exists();
        if !pids.iter().all(runs) {
            return Ok(Vec::new());
        }
        live.normalize(&addresses.all().unwrap_or_default())?;
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        if live.outcomes.iter().any(|outcome| *outcome != unmapped) {
            return Ok(Vec::new());
        }
        if let Some(first) = pids.first() {
            complain(format_args!(
                "{first} and what follows it are taken for process IDs: as an address, write \
                 0x{first}"
            ));
        }
        Ok(pids)
    }
}

/// Answers for one process, and returns how many entries of input were malformed.
fn answer(live: &mut Live, addresses: Addresses, sink: &mut Sink<impl Write>) -> Result<u64> {
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

/// A process, and the symbols of the files it has mapped.
#[derive(Debug)]
pub(crate) struct Live {
    pid: u32,
    proc_root: Option<PathBuf>,
    session: Session,
    symbolizer: Accounted,
    /// One for each module of the session.
    known: Vec<Known>,
    outcomes: Vec<Outcome>,
    begun: bool,
}

impl Live {
    /// Opens a process, found in `proc_root` instead of `/proc` if there is one.
    pub(crate) fn open(pid: u32, proc_root: Option<PathBuf>, symbols: &Symbols) -> Result<Self> {
        let options = Options {
            images: true,
            proc_root: proc_root.clone(),
            ..Options::default()
        };
        allow_open_files();
        let session = Session::open(pid, options);
        let mut options = symbols.options();
        if options.roots.is_empty() {
            options.roots.push(root_of(pid, proc_root.as_deref()));
        }
        Ok(Self {
            pid,
            proc_root,
            session: session.map_err(|error| failure::process(pid, &error))?,
            symbolizer: Accounted::new(Symbolizer::new(options), symbols),
            known: Vec::new(),
            outcomes: Vec::new(),
            begun: false,
        })
    }

    /// Answers for every address, in order.
    pub(crate) fn answer(
        &mut self,
        asked: impl Iterator<Item = (AbsAddr, Lookup)>,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        self.answer_each(asked, sink, |sink, answer, module| {
            Ok(sink.answer(answer, module)?)
        })
    }

    /// Answers where each thread stands.
    fn threads(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        let pid = self.pid;
        // The kernel calls the thread of a zombie running: ask whether the process
        // has memory at all.
        self.normalize(&[AbsAddr(0)])?;
        let threads = threads::of_process(self.proc_root.as_deref(), pid)?;
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

    fn answer_each<W: Write>(
        &mut self,
        asked: impl Iterator<Item = (AbsAddr, Lookup)>,
        sink: &mut Sink<W>,
        mut write: impl FnMut(&mut Sink<W>, &Address<'_>, Option<&Module>) -> Result<()>,
    ) -> Result<()> {
        let (addrs, lookups): (Vec<_>, Vec<_>) = asked.unzip();
        self.normalize(&addrs)?;
        self.begin(sink)?;
        let mut batch = Lookups::default();
        for ((addr, lookup), outcome) in addrs.into_iter().zip(lookups).zip(&self.outcomes) {
            let module = module_of(&self.session, *outcome);
            let answer = Address::normalized(addr, lookup, *outcome, module);
            let known = answer
                .module
                .and_then(|index| self.known.get(index.as_usize()));
            batch.push(answer, known.copied());
        }
        let modules = self.session.modules();
        self.symbolizer.answer(batch, |answer| {
            let known = answer
                .module
                .and_then(|index| modules.get(index.as_usize()));
            write(sink, answer, known.map(|known| &known.module))
        })
    }

    fn normalize(&mut self, addrs: &[AbsAddr]) -> Result<()> {
        let normalized = self.session.normalize(addrs, &mut self.outcomes);
        normalized.map_err(|error| failure::process(self.pid, &error))?;
        let new = self.session.modules().iter().skip(self.known.len());
        self.known
            .extend(new.map(|module| introduce(&self.symbolizer, module)));
        Ok(())
    }

    /// The backend is known once something was asked.
    fn begin(&mut self, sink: &mut Sink<impl Write>) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        sink.header(&Header {
            pid: Some(self.pid),
            backend: backend_name(self.session.backend()).map(str::to_owned),
            ..Header::new(TOOL)
        })?;
        Ok(())
    }
}

/// Returns the root directory of a process. One that may not be entered holds no
/// debug files, and the host's are left.
fn root_of(pid: u32, proc_root: Option<&Path>) -> PathBuf {
    let proc_root = proc_root.unwrap_or(Path::new("/proc"));
    proc_root.join(pid.to_string()).join("root")
}

/// Raises this process's limit of open files as far as it may: a file stays open for
/// each module, and the usual limit of 1,024 is less than some processes have.
fn allow_open_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Refused, it is as before; a module that cannot be opened says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn module_of(session: &Session, outcome: Outcome) -> Option<&Module> {
    let Outcome::Located { module, .. } = outcome else {
        return None;
    };
    let known = session.modules().get(module.as_usize());
    known.map(|known| &known.module)
}

/// Hands a module's bytes to the symbolizer. Without them, its build ID may still
/// lead to a debug file.
fn introduce(symbolizer: &Symbolizer, known: &NormalizedModule) -> Known {
    let module = &known.module;
    let source = match &known.image {
        Some(Image::File(file)) => Source::File {
            file: file.clone(),
            // As the process names it: it begins at the process's root.
            path: Some(OsStr::from_bytes(&module.path).into()),
        },
        Some(Image::Bytes(bytes)) => Source::Bytes(bytes.clone()),
        _ => {
            let otherwise = module.unreadable.unwrap_or(Reason::NoSymbols);
            return Known::by_build_id(symbolizer, module, otherwise);
        }
    };
    Known::readable(symbolizer, source, module)
}
