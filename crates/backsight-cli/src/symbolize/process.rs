//! `symbolize -p`: a live process, whose files come with their identity proven.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use backsight_formats::ndjson::{Address, Header};
use backsight_normalize::{Image, NormalizedModule, Options, Session};
use backsight_symbolize::{Source, Symbolizer};
use backsight_types::{AbsAddr, Lookup, Module, Outcome, Reason};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Symbols;
use super::lookup::{Known, Lookups};
use crate::TOOL;
use crate::args::backend_name;
use crate::failure::{self, Result};
use crate::input::Addresses;
use crate::sink::Sink;
use crate::threads;

/// Answers for a process, and returns how many lines of input were malformed.
pub(super) fn run(
    pid: u32,
    proc_root: Option<PathBuf>,
    addresses: Addresses,
    symbols: &Symbols,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    let mut live = Live::open(pid, proc_root, symbols)?;
    if addresses.is_empty() {
        live.threads(sink)?;
        return Ok(0);
    }
    addresses.each_batch(|batch| {
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
    symbolizer: Symbolizer,
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
        options
            .root
            .get_or_insert_with(|| root_of(pid, proc_root.as_deref()));
        Ok(Self {
            pid,
            proc_root,
            session: session.map_err(|error| failure::process(pid, &error))?,
            symbolizer: Symbolizer::new(options),
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
        batch.finish(&self.symbolizer, |answer| {
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
