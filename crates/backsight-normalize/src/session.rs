//! One process, asked again and again.

use backsight_types::{AbsAddr, AbsRange, Outcome};
use vma_query::{Backend, Error, FileError, NameBuf, ProcMaps};

use crate::batch::BatchRun;
use crate::image::NormalizedModule;
use crate::live::LiveVmas;
use crate::modules::ModuleTable;
use crate::options::Options;
use crate::packing::Packed;
use crate::process::{OpenProcess, Root};
use crate::shared_modules::{Modules, SharedModules};
use crate::vma_cache::VmaCache;

/// One process, asked again and again.
///
/// It holds the process's address space open: it never answers for another
/// process that got the same pid, nor for the program that the process turned
/// into by `exec`. What it learnt of VMAs and modules it keeps; how far it relies
/// on that is [`Options::trust`]:
///
/// - [`Trust::Recheck`](crate::Trust::Recheck) asks the kernel once in each call about every VMA and gap
///   that an address falls into. Its answers are as fresh as a first call's; what it
///   saves is opening, names, build IDs and files. A VMA with the same range, file
///   offset, permissions, device and inode as before is taken for the same mapping.
/// - [`Trust::UntilTold`](crate::Trust::UntilTold) asks about nothing twice. A caller that sees the process's
///   mappings change, as a profiler that receives mmap events does, tells by
///   [`on_mmap`](Self::on_mmap) and its siblings; between such words the answers are
///   those of the moment when each range was first asked about.
#[derive(Debug)]
pub struct Session {
    maps: ProcMaps,
    options: Options,
    root: Root,
    modules: Modules,
    cache: VmaCache,
    name: NameBuf,
    pending: Vec<Packed>,
    /// The process was said to have exited.
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

    /// Keeps its modules among those that other sessions share. To be called before
    /// the first address is normalized: what was learnt until then is forgotten.
    #[must_use]
    pub fn sharing(mut self, modules: &SharedModules) -> Self {
        self.modules = Modules::Shared(modules.clone());
        self.cache.clear();
        self
    }

    /// Puts one outcome for each address into `outcomes`, in the order of `addrs`,
    /// in place of what was there.
    ///
    /// Sorted addresses are the fastest; others need not be sorted for it. A session
    /// that knows the modules allocates nothing when `outcomes` has the room.
    ///
    /// When the process ends on the way, the addresses that were still pending have
    /// the reason [`ProcessGone`](backsight_types::Reason::ProcessGone).
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
        };
        BatchRun {
            source,
            cache,
            pending,
        }
        .run(addrs, outcomes)
    }

    /// Returns all modules met so far. An index, once given, stays. Those of a session
    /// that [shares](Self::sharing) are read from the [`SharedModules`], not here.
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.own()
    }

    /// Returns the backend in use, `Auto` before the first query.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.maps.backend()
    }

    /// Forgets what is known of these addresses: they are asked about again.
    pub fn invalidate(&mut self, range: AbsRange) {
        self.cache.remove(range);
    }

    /// Takes note that the process mapped something here.
    pub fn on_mmap(&mut self, range: AbsRange) {
        self.invalidate(range);
    }

    /// Takes note that the process unmapped what was here, or changed what it allows.
    pub fn on_munmap(&mut self, range: AbsRange) {
        self.invalidate(range);
    }

    /// Takes note that the process runs another program now, and opens its new
    /// address space. The modules stay, with their indices.
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when it has ended meanwhile, and when the session has
    /// not kept the process's directory: then nothing proves that a process of the
    /// same pid is still the same.
    pub fn on_exec(&mut self) -> Result<(), Error> {
        self.cache.clear();
        // A new program may live in another root.
        self.root = Root::default();
        let directory = self.maps.directory().ok_or(Error::ProcessGone)?;
        let directory = directory.try_clone_to_owned().map_err(|error| {
            let operation = "duplicate the descriptor of the process's directory";
            Error::Io(FileError::new(operation, None, error))
        })?;
        self.maps = self.options.open().open_dir(directory)?;
        Ok(())
    }

    /// Takes note that the process has ended: from now on every call says
    /// [`Error::ProcessGone`], without asking the kernel.
    pub fn on_exit(&mut self) {
        self.cache.clear();
        self.exited = true;
    }

    /// Gives up the session for its modules.
    pub(crate) fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_own()
    }
}
