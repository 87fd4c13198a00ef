//! A session: many calls for one process, with a cache.

use backsight_types::{AbsAddr, AbsRange, Outcome};
use vma_query::{Backend, Error, FileError, NameBuf, ProcMaps};

use crate::batch::BatchRun;
use crate::image::NormalizedModule;
use crate::live::LiveVmas;
use crate::modules::ModuleTable;
use crate::options::Options;
use crate::packing::Packed;
use crate::process::{OpenProcess, Root};
use crate::remapped_text::Neighbours;
use crate::shared_modules::{Modules, SharedModules};
use crate::vma_cache::VmaCache;

/// Normalizes addresses of one process in many calls.
///
/// A session is bound to the process's address space: it never answers for another
/// process with the same pid, nor for another program after `exec`. It caches VMAs and
/// modules. [`Options::trust`] says whether cached data is verified:
///
/// - [`Trust::Recheck`](crate::Trust::Recheck) queries the kernel once in each call for
///   every VMA and gap that contains an address. The answers are as current as those of a
///   first call. It saves opening the process, and reading names, build IDs and files
///   again. A VMA with the same range, file offset, permissions, device and inode as
///   before counts as the same mapping.
/// - [`Trust::UntilTold`](crate::Trust::UntilTold) queries nothing twice. A caller that
///   observes changes of the mappings, such as a profiler that receives mmap events,
///   reports them with [`on_mmap`](Self::on_mmap) and the similar methods. Until then,
///   the answers are those of the time when each range was first queried.
#[derive(Debug)]
pub struct Session {
    maps: ProcMaps,
    options: Options,
    root: Root,
    modules: Modules,
    cache: VmaCache,
    name: NameBuf,
    pending: Vec<Packed>,
    /// Whether the caller reported that the process has exited.
    exited: bool,
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

    /// Returns the memory map of the process, for other questions about it.
    #[must_use]
    pub fn maps(&self) -> &ProcMaps {
        &self.maps
    }

    /// Opens the calling process.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_self(options: Options) -> Result<Self, Error> {
        Ok(Self::new(options.open().open_self()?, options))
    }

    /// Uses a process that is already open, with the backend it was opened with. Without
    /// its [directory](vma_query::OpenOptions::directory), for example if the maps file
    /// was received over a socket, modules have the kernel's build IDs, but no segments
    /// and images.
    #[must_use]
    pub fn new(maps: ProcMaps, options: Options) -> Self {
        Self {
            cache: VmaCache::new(options.trust),
            maps,
            options,
            root: Root::default(),
            modules: Modules::Own(ModuleTable::default()),
            name: NameBuf::new(),
            pending: Vec::new(),
            exited: false,
        }
    }

    /// Stores the modules in a table that several sessions share. Call this before the
    /// first address is normalized, as it clears the cache.
    #[must_use]
    pub fn sharing(mut self, modules: &SharedModules) -> Self {
        self.modules = Modules::Shared(modules.clone());
        self.cache.clear();
        self
    }

    /// Replaces the contents of `outcomes` with one outcome for each address, in the
    /// order of `addrs`.
    ///
    /// Sorted addresses are the fastest, but the caller need not sort them. A session
    /// that has all modules allocates nothing if `outcomes` has enough capacity.
    ///
    /// If the process ends during the call, the addresses without an answer get the
    /// reason [`ProcessGone`](backsight_types::Reason::ProcessGone).
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when the process ended before the first answer;
    /// [`Error::Unsupported`] when [`Backend::Ioctl`] was chosen and the kernel lacks the
    /// ioctl; by text [`Error::Torn`] and [`Error::Malformed`].
    pub fn normalize(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        outcomes.clear();
        if self.exited {
            return Err(Error::ProcessGone);
        }
        let Self {
            maps,
            options,
            root,
            modules,
            cache,
            name,
            pending,
            ..
        } = self;
        let process = OpenProcess {
            maps,
            root,
            options,
        };
        modules.begin();
        let (cursor, process) = (maps.cursor(), Some(&process));
        let source = LiveVmas {
            cursor,
            process,
            modules,
            name,
            ahead: None,
            expects_code: true,
            identifies: options.asks_kernel(),
            neighbours: Neighbours::default(),
        };
        BatchRun {
            source,
            cache,
            pending,
        }
        .run(addrs, outcomes)
    }

    /// Returns all modules found so far. The index of a module never changes. If the
    /// session [shares](Self::sharing) its modules, this is empty: read them from the
    /// [`SharedModules`].
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.own()
    }

    /// Returns the backend in use, `Auto` before the first query.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.maps.backend()
    }

    /// Removes these addresses from the cache, so that they are queried again.
    pub fn invalidate(&mut self, range: AbsRange) {
        self.cache.remove(range);
    }

    /// Reports that the process mapped memory in this range.
    pub fn on_mmap(&mut self, range: AbsRange) {
        self.invalidate(range);
    }

    /// Reports that the process unmapped this range, or changed its permissions.
    pub fn on_munmap(&mut self, range: AbsRange) {
        self.invalidate(range);
    }

    /// Reports that the process called exec, and opens its new address space. The modules
    /// keep their indices.
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when it has ended meanwhile, and when the session has not
    /// kept the process's directory: then nothing proves that a process with this pid is
    /// the same one.
    pub fn on_exec(&mut self) -> Result<(), Error> {
        self.cache.clear();
        // The root directory may have changed.
        self.root = Root::default();
        let directory = self.maps.directory().ok_or(Error::ProcessGone)?;
        let directory = directory.try_clone_to_owned().map_err(|error| {
            let operation = "duplicate the descriptor of the process's directory";
            Error::Io(FileError::new(operation, None, error))
        })?;
        self.maps = self.options.open().open_dir(directory)?;
        Ok(())
    }

    /// Reports that the process has ended. From now on every call returns
    /// [`Error::ProcessGone`] without a system call.
    pub fn on_exit(&mut self) {
        self.cache.clear();
        self.exited = true;
    }

    /// Returns the modules of the session.
    pub(crate) fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_own()
    }
}
