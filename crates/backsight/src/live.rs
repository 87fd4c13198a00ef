//! Symbolizes a live process, with the files it has mapped.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use backsight_formats::ndjson::AddressLine;
use backsight_normalize::{Backend, ModuleImage, NormalizedModule, Session};
use backsight_symbolize::{ModuleInput, Symbolizer};
use backsight_types::{AbsAddr, Lookup, Module, Outcome, Reason};
use vma_query::FileError;

use crate::descriptors;
use crate::jit::live::LiveJit;
use crate::jit::options::MapsOf;
use crate::kernel::{KernelError, RunningKernel};
use crate::live_kernel::LiveKernelNames;
use crate::live_options::LiveOptions;
use crate::lookup::{Known, Lookups};
use crate::threads::{self, Failure, LiveThread};

/// Why a live process cannot be symbolized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The process does not exist or has exited, or its memory map cannot be read.
    #[error("process {pid}: {error}")]
    Process {
        /// The PID as given by the caller.
        pid: u32,
        /// The cause.
        error: vma_query::Error,
    },
    /// The program counters of its threads cannot be read. That needs more permissions than
    /// reading its memory map.
    #[error("process {pid}: cannot read where its threads are: {error}")]
    Threads {
        /// The PID as given by the caller.
        pid: u32,
        /// The operation, the file or directory, and the cause.
        error: FileError,
    },
}

/// A live process, and the symbols of the files that it has mapped.
///
/// A file is open for each module that was not looked up yet, at most as many as
/// [`Budget::open_files`](backsight_symbolize::Budget::open_files) and a quarter of `ulimit -n`
/// say. If one batch is the first of more modules than this process may open files, the remaining
/// ones get [`Reason::Unreadable`].
///
/// ```
/// use backsight::Live;
/// use backsight::types::AbsAddr;
///
/// fn here() {}
///
/// let mut names = Vec::new();
/// let mut live = Live::of_this()?;
/// live.stack(&[AbsAddr(here as fn() as usize as u64)], |answer, _| {
///     names.extend(answer.frames.iter().filter_map(|frame| frame.function.as_deref().map(str::to_owned)));
/// })?;
/// assert!(names.iter().any(|name| name.ends_with("here")), "{names:?}");
/// # Ok::<(), backsight::LiveError>(())
/// ```
#[derive(Debug)]
pub struct Live {
    pid: u32,
    proc_root: Option<PathBuf>,
    session: Session,
    symbolizer: Symbolizer,
    /// One for each module of the session.
    known: Vec<Known>,
    outcomes: Vec<Outcome>,
    /// The names of code that it made at run time.
    made: LiveJit,
    kernel: LiveKernelNames,
}

impl Live {
    /// Opens a process, and looks for debug files in the usual places.
    ///
    /// # Errors
    /// If there is no such process, or its memory map may not be read.
    pub fn open(pid: u32) -> Result<Self, LiveError> {
        Self::open_with(pid, LiveOptions::default())
    }

    /// Opens a process.
    ///
    /// # Errors
    /// If there is no such process, or its memory map may not be read.
    pub fn open_with(pid: u32, options: LiveOptions) -> Result<Self, LiveError> {
        let kernel = LiveKernelNames::of(options.of_kernel());
        let LiveOptions {
            proc_root,
            mut symbols,
            maps,
            remapped_text,
            ..
        } = options;
        let of_session = of_session(proc_root.clone()).with_remapped_text(remapped_text);
        let session = Session::open(pid, of_session);
        let session = session.map_err(|error| LiveError::Process { pid, error })?;
        let budget = &mut symbols.budget;
        budget.open_files = budget.open_files.min(descriptors::for_files());
        if symbols.roots.is_empty() {
            symbols.roots.push(root_of(pid, proc_root.as_deref()));
        }
        let made = LiveJit::new(pid, proc_root.as_deref(), maps);
        Ok(Self {
            made,
            kernel,
            ..Self::new(pid, proc_root, session, symbols)
        })
    }

    /// Opens the calling process.
    ///
    /// # Errors
    /// If `/proc` is not mounted.
    pub fn of_this() -> Result<Self, LiveError> {
        Self::of_this_with(LiveOptions::default())
    }

    /// Opens the calling process, which is in `/proc` whatever [`LiveOptions::proc_root`] says.
    ///
    /// # Errors
    /// If `/proc` is not mounted.
    pub fn of_this_with(options: LiveOptions) -> Result<Self, LiveError> {
        let pid = std::process::id();
        let of_session = of_session(None).with_remapped_text(options.remapped_text);
        let session = Session::open_self(of_session);
        let session = session.map_err(|error| LiveError::Process { pid, error })?;
        let kernel = LiveKernelNames::of(options.of_kernel());
        let LiveOptions { symbols, maps, .. } = options;
        Ok(Self {
            made: LiveJit::new(pid, None, maps),
            kernel,
            ..Self::new(pid, None, session, symbols)
        })
    }

    fn new(
        pid: u32,
        proc_root: Option<PathBuf>,
        session: Session,
        symbols: backsight_symbolize::Options,
    ) -> Self {
        Self {
            made: LiveJit::new(pid, proc_root.as_deref(), MapsOf::default()),
            kernel: LiveKernelNames::of(None),
            pid,
            proc_root,
            session,
            symbolizer: Symbolizer::new(symbols),
            known: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Symbolizes a stack, given innermost address first: a program counter, then return
    /// addresses. Calls `write` with the answer for each address, and the module it refers to.
    ///
    /// # Errors
    /// If the process has exited. An address without frames has a reason instead.
    pub fn stack(
        &mut self,
        addrs: &[AbsAddr],
        mut write: impl FnMut(&AddressLine<'_>, Option<&Module>),
    ) -> Result<(), LiveError> {
        let lookups = std::iter::once(Lookup::Exact).chain(std::iter::repeat(Lookup::Return));
        let begun = self.begin(addrs.iter().copied().zip(lookups))?;
        let never = begun.look_up(&self.symbolizer).each(|answer| {
            write(answer, self.module_of(answer));
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(()) = never;
        Ok(())
    }

    /// Normalizes addresses. Look the result up with [`symbolizer`](Self::symbolizer).
    ///
    /// # Errors
    /// If the process has exited.
    pub fn begin(
        &mut self,
        asked: impl IntoIterator<Item = (AbsAddr, Lookup)>,
    ) -> Result<Lookups<'static>, LiveError> {
        let (addrs, lookups): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        self.normalize(&addrs)?;
        LiveJit::without_file(&mut self.outcomes, self.session.modules());
        let anonymous = Outcome::Unresolved(Reason::Anonymous);
        if self.outcomes.contains(&anonymous)
            && let Some(maps) = self.session.maps()
        {
            self.made.refresh(maps);
        }
        let kernel = Outcome::Unresolved(Reason::Kernel);
        let mut batch = Lookups::default();
        for ((addr, lookup), outcome) in addrs.into_iter().zip(lookups).zip(&self.outcomes) {
            if *outcome == kernel
                && let Some((answer, known)) = self.kernel.answer(addr, lookup, &self.symbolizer)
            {
                batch.push(answer, known);
                continue;
            }
            let module = match outcome {
                Outcome::Located { module, .. } => self.session.modules().get(module.as_usize()),
                _ => None,
            };
            let module = module.map(|known| &known.module);
            let mut answer = AddressLine::normalized(addr, lookup, *outcome, module);
            self.made.name(&mut answer);
            let known = answer.module;
            let known = known.and_then(|index| self.known.get(index.as_usize()));
            batch.push(answer, known.copied());
        }
        Ok(batch)
    }

    /// Returns the modules and offsets of addresses, without symbolizing them.
    ///
    /// # Errors
    /// If the process has exited.
    pub fn normalize(&mut self, addrs: &[AbsAddr]) -> Result<&[Outcome], LiveError> {
        let normalized = self.session.normalize(addrs, &mut self.outcomes);
        let pid = self.pid;
        normalized.map_err(|error| LiveError::Process { pid, error })?;
        let new = self.session.modules().iter().skip(self.known.len());
        let known = self.known.len();
        self.known
            .extend(new.map(|module| introduce(&self.symbolizer, module)));
        if self.known.len() > known {
            // The symbolizer has them now, and closes those that it has mapped.
            self.session.release_images(0);
        }
        Ok(&self.outcomes)
    }

    /// Returns the threads of the process and their program counters, by thread ID. Threads that
    /// exit meanwhile are left out.
    ///
    /// # Errors
    /// If the process has exited, or this one lacks the permission to read program counters.
    pub fn threads(&self) -> Result<Vec<LiveThread>, LiveError> {
        let proc_root = self.proc_root.as_deref();
        let pid = self.pid;
        let threads = threads::of_process(proc_root.unwrap_or(Path::new("/proc")), pid);
        threads.map_err(|failure| match failure {
            Failure::Process(error) => LiveError::Process { pid, error },
            Failure::Unreadable(error) => LiveError::Threads { pid, error },
        })
    }

    /// Returns the module that an answer refers to.
    pub fn module_of(&self, answer: &AddressLine<'_>) -> Option<&Module> {
        let index = answer.module?;
        let known = self.session.modules().get(index.as_usize());
        known.map_or_else(|| self.kernel.module(index), |known| Some(&known.module))
    }

    /// Returns the kernel, whose shortfalls say what is not known of it; or why nothing is.
    /// `None` if no address was in it.
    pub fn kernel(&self) -> Option<Result<&RunningKernel, &KernelError>> {
        self.kernel.get()
    }

    /// Returns the archives, such as an APK, that the process runs code of and that could not be
    /// used: the path of each as the process names it, and the cause.
    pub fn archive_problems(&self) -> impl Iterator<Item = (&[u8], &backsight_files::Error)> {
        let modules = self.session.modules().iter();
        modules.filter_map(|known| Some((&*known.module.path, known.problem.as_ref()?.error())))
    }

    /// Returns the names of the code that the process made at run time, and what came of looking
    /// for them.
    pub fn jit(&self) -> &LiveJit {
        &self.made
    }

    /// Returns how the memory map is read: by ioctl or as text.
    pub fn backend(&self) -> Backend {
        self.session.backend()
    }

    /// Returns the symbolizer, which reports the files it looked for and the indexes it could
    /// not write.
    pub fn symbolizer(&self) -> &Symbolizer {
        &self.symbolizer
    }
}

fn of_session(proc_root: Option<PathBuf>) -> backsight_normalize::Options {
    backsight_normalize::Options::default()
        .with_images(true)
        .with_proc_root(proc_root)
}

/// Returns the root directory of a process. If it may not be entered, no debug files are found
/// there, and only the host's are used.
pub(crate) fn root_of(pid: u32, proc_root: Option<&Path>) -> PathBuf {
    let proc_root = proc_root.unwrap_or(Path::new("/proc"));
    proc_root.join(pid.to_string()).join("root")
}

/// Adds a module to the symbolizer with its bytes. Without bytes, its build ID may still lead to
/// a debug file.
fn introduce(symbolizer: &Symbolizer, known: &NormalizedModule) -> Known {
    let module = &known.module;
    let input = match &known.image {
        Some(ModuleImage::File(file)) => ModuleInput::File {
            file: file.clone(),
            // The path starts at the process's own root.
            path: Some(OsStr::from_bytes(&module.path).into()),
        },
        Some(ModuleImage::Bytes(bytes)) => ModuleInput::Bytes(bytes.clone()),
        _ => {
            let otherwise = module.unreadable.unwrap_or(Reason::NoSymbols);
            return Known::by_build_id(symbolizer, module, otherwise);
        }
    };
    Known::readable(symbolizer, input, module)
}
