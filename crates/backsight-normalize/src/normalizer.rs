//! The entry points: one call, or a session that remembers what it learnt.

use backsight_types::{AbsAddr, FileOffset, ModuleIdx, Outcome, Reason, VirtOffset};
use vma_query::{Backend, Cursor, Error, NameBuf, ProcMaps, Snapshot};

use crate::batch::Pass;
use crate::module_file::FileFinder;
use crate::modules::{ModuleTable, NormalizedModule, Process};
use crate::options::Options;

/// How often a batch is run again because the maps text came out torn.
const RUNS: usize = 5;

/// What one call found.
#[derive(Debug)]
pub struct Normalized {
    /// The modules that outcomes name, each once.
    pub modules: Vec<NormalizedModule>,
    /// One outcome for each address, in the caller's order.
    pub outcomes: Vec<Outcome>,
    /// The backend that answered; `Text` for a saved text.
    pub backend: Backend,
}

impl Normalized {
    /// Returns the ELF virtual offset of a place in one of the modules; `None`
    /// when the module's segments are not known or do not cover it.
    #[must_use]
    pub fn virt_offset(&self, module: ModuleIdx, offset: FileOffset) -> Option<VirtOffset> {
        self.modules
            .get(module.as_usize())?
            .module
            .virt_offset_of(offset)
    }
}

/// Normalizes addresses of process `pid`.
///
/// # Errors
/// As [`Session::open`] and [`Session::normalize`].
pub fn normalize(pid: u32, addrs: &[AbsAddr], options: Options) -> Result<Normalized, Error> {
    Session::open(pid, options)?.into_normalized(addrs)
}

/// Normalizes addresses against a saved maps text: one that was copied from
/// another machine, or in an earlier hour. No file is opened, so modules have
/// neither build ID nor segments.
///
/// # Errors
/// None today; the type leaves room for texts that are read as they stream in.
pub fn normalize_snapshot(maps: &Snapshot, addrs: &[AbsAddr]) -> Result<Normalized, Error> {
    let mut modules = ModuleTable::default();
    let mut outcomes = Vec::new();
    let mut scratch = Scratch::default();
    run(addrs, &mut outcomes, &mut scratch, &mut modules, || {
        (maps.cursor(), None)
    })?;
    Ok(Normalized {
        modules: modules.into_vec(),
        outcomes,
        backend: Backend::Text,
    })
}

/// One process, asked again and again.
///
/// It holds the process's address space open: it never answers for another
/// process that got the same pid, nor for the program that the process turned
/// into by `exec`. Every call asks the kernel again about every VMA it meets, so
/// its answers are as fresh as a first call's; what it saves is opening, names,
/// build IDs and files. A VMA that has the same range, file offset, permissions,
/// device and inode as before is taken for the same mapping of the same file.
#[derive(Debug)]
pub struct Session {
    maps: ProcMaps,
    options: Options,
    files: FileFinder,
    modules: ModuleTable,
    scratch: Scratch,
}

impl Session {
    /// Opens process `pid`.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Denied`], [`Error::ProcessGone`] and
    /// [`Error::Io`], as [`vma_query::OpenOptions::open`] documents them.
    pub fn open(pid: u32, options: Options) -> Result<Self, Error> {
        Ok(Self::new(options.open().open(pid)?, options))
    }

    /// Opens the calling process.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_self(options: Options) -> Result<Self, Error> {
        Ok(Self::new(options.open().open_self()?, options))
    }

    /// Takes a process that is open already, with the backend it was opened with.
    /// One without its [directory](vma_query::OpenOptions::directory), such as a
    /// maps file that was passed over a socket, gives the kernel's build IDs, but
    /// no segments and images.
    #[must_use]
    pub fn new(maps: ProcMaps, options: Options) -> Self {
        let (files, modules, scratch) = Default::default();
        Self {
            maps,
            options,
            files,
            modules,
            scratch,
        }
    }

    /// Puts one outcome for each address into `outcomes`, in the order of `addrs`,
    /// in place of what was there. Sorted addresses are merged with the VMAs in one
    /// pass; others are sorted first.
    ///
    /// When the process ends on the way, the addresses that were still open have
    /// the reason [`Reason::ProcessGone`].
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when it had ended before the first answer,
    /// [`Error::Unsupported`] when the ioctl is forced and not there; by text
    /// [`Error::Torn`] and [`Error::Malformed`].
    pub fn normalize(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        let Self {
            maps,
            options,
            files,
            modules,
            scratch,
        } = self;
        let process = Process {
            maps,
            files,
            options,
        };
        run(addrs, outcomes, scratch, modules, || {
            (maps.cursor(), Some(&process))
        })
    }

    /// Returns all modules met so far. An index, once given, stays.
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.as_slice()
    }

    /// Returns the backend in use, `Auto` before the first query.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.maps.backend()
    }

    fn into_normalized(mut self, addrs: &[AbsAddr]) -> Result<Normalized, Error> {
        let mut outcomes = Vec::new();
        self.normalize(addrs, &mut outcomes)?;
        let backend = self.backend();
        Ok(Normalized {
            modules: self.modules.into_vec(),
            outcomes,
            backend,
        })
    }
}

/// What calls use again instead of allocating it anew.
#[derive(Debug, Default)]
struct Scratch {
    name: NameBuf,
    /// The places of the addresses, in the order of the addresses.
    order: Vec<usize>,
}

/// Runs a batch, again with a new cursor when the text was torn.
fn run<'p>(
    addrs: &[AbsAddr],
    outcomes: &mut Vec<Outcome>,
    scratch: &'p mut Scratch,
    modules: &'p mut ModuleTable,
    source: impl Fn() -> (Cursor<'p>, Option<&'p Process<'p>>),
) -> Result<(), Error> {
    outcomes.clear();
    outcomes.resize(addrs.len(), Outcome::Unresolved(Reason::ProcessGone));
    let Scratch { name, order } = scratch;
    let sorted = addrs.is_sorted();
    if !sorted {
        order.clear();
        order.extend(0..addrs.len());
        order.sort_unstable_by_key(|place| addrs.get(*place));
    }
    let mut run_once = || {
        let (cursor, process) = source();
        let pass = Pass {
            cursor,
            process,
            modules,
            name,
            ahead: None,
        };
        if sorted {
            pass.run(addrs.iter().copied().enumerate(), outcomes)
        } else {
            let upwards = order
                .iter()
                .filter_map(|place| Some((*place, *addrs.get(*place)?)));
            pass.run(upwards, outcomes)
        }
    };
    for _ in 1..RUNS {
        match run_once() {
            Err(Error::Torn) => {}
            done => return done,
        }
    }
    run_once()
}
