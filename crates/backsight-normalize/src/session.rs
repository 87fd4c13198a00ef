//! A session: many calls for one process, with a cache.

use std::os::fd::OwnedFd;

use backsight_types::trace::Mmap;
use backsight_types::{AbsAddr, AbsRange, Outcome, Reason};
use vma_query::{Backend, Error, FileError, NameBuf, ProcMaps};

use crate::batch::BatchRun;
use crate::image::NormalizedModule;
use crate::live::LiveVmas;
use crate::modules::ModuleTable;
use crate::options::{Options, Trust};
use crate::packing::Packed;
use crate::process::{OpenProcess, Root};
use crate::recorded::{RecordedVmas, Records};
use crate::remapped_text::Neighbours;
use crate::shared_modules::{Modules, SharedModules};
use crate::span::{PENDING, Span};
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
/// - [`Trust::UntilInvalidated`](crate::Trust::UntilInvalidated) queries nothing twice. A caller that
///   observes changes of the mappings, such as a profiler that receives mmap events,
///   reports them with [`on_mmap`](Self::on_mmap) and the similar methods. Until then,
///   the answers are those of the time when each range was first queried.
///
/// # Processes that end
///
/// What the caller reports with [`on_mmap`](Self::on_mmap) is kept. While the process lives, the
/// kernel is asked, and its answer confirms and completes the report. When it has ended, the
/// reports answer, and what was found before. So a process that lives for a few milliseconds
/// can be normalized after its end:
///
/// ```
/// use backsight_normalize::{Mmap, Options, Session};
/// use backsight_types::{AbsAddr, AbsRange, FileOffset, Outcome, Perms};
///
/// # fn main() -> Result<(), backsight_normalize::Error> {
/// let mut session = Session::of_records(Options::default());
/// session.on_mmap(&Mmap {
///     range: AbsRange { start: AbsAddr(0x1000), end: AbsAddr(0x2000) },
///     offset: FileOffset(0x3000),
///     perms: Perms::READ | Perms::EXECUTE,
///     inode: 42,
///     name: b"/bin/short".to_vec(),
///     ..Mmap::default()
/// });
/// session.on_exit();
/// let mut outcomes = Vec::new();
/// session.normalize(&[AbsAddr(0x1010)], &mut outcomes)?;
/// assert!(matches!(outcomes[0], Outcome::Located { file_offset: FileOffset(0x3010), .. }));
/// # Ok(())
/// # }
/// ```
///
/// | record of perf | call |
/// |---|---|
/// | `MMAP2`, `MMAP` | [`on_mmap`](Self::on_mmap) |
/// | `COMM` with `MISC_COMM_EXEC` | [`on_exec`](Self::on_exec) |
/// | `FORK` of another process ID | [`on_fork`](Self::on_fork) |
/// | `EXIT` of the last thread | [`on_exit`](Self::on_exit) |
///
/// perf reports neither `munmap` nor `mremap`. Report records in the order of their times: each
/// processor has a buffer of its own, and records of one process may be in several.
#[derive(Debug)]
pub struct Session {
    /// `None` when the process has ended.
    maps: Option<ProcMaps>,
    options: Options,
    root: Root,
    modules: Modules,
    cache: VmaCache,
    records: Records,
    name: NameBuf,
    pending: Vec<Packed>,
    /// How often modules had been removed at the start of the last call.
    removals: u64,
    /// Whether the caller reported a mapping, a fork or the end.
    is_told: bool,
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

    /// Returns the memory map of the process, for other questions about it; `None` when the
    /// process has ended.
    #[must_use]
    pub fn maps(&self) -> Option<&ProcMaps> {
        self.maps.as_ref()
    }

    /// Opens the calling process.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_self(options: Options) -> Result<Self, Error> {
        Ok(Self::new(options.open().open_self()?, options))
    }

    /// Uses a process that is already open, with the backend it was opened with. Without its
    /// [directory](vma_query::OpenOptions::directory), as when its maps file was received, modules
    /// have the kernel's build IDs, and segments and images only by the [root](Self::with_root).
    #[must_use]
    pub fn new(maps: ProcMaps, options: Options) -> Self {
        Self {
            cache: VmaCache::new(options.trust),
            maps: Some(maps),
            is_told: false,
            ..Self::of_records(options)
        }
    }

    /// Finds the files of the process in its root directory, which was received with its maps
    /// file ([`vma_query::OpenOptions::receive_with_root`]). As always, a file must be proven
    /// to be the mapped one: by inode and build ID or, by text, by inode and device.
    #[must_use]
    pub fn with_root(mut self, root: OwnedFd) -> Self {
        self.root = Root::of(root);
        self
    }

    /// Starts a session of a process that cannot be opened any more, or not by this user. What
    /// the caller reports is all that is known of it.
    #[must_use]
    pub fn of_records(options: Options) -> Self {
        Self {
            // There is nobody to ask again.
            cache: VmaCache::new(Trust::UntilInvalidated),
            maps: None,
            options,
            root: Root::default(),
            modules: Modules::Own(ModuleTable::default()),
            records: Records::default(),
            name: NameBuf::new(),
            pending: Vec::new(),
            removals: 0,
            is_told: true,
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
    /// If the process ends during the call, or has ended, addresses of which nothing is known
    /// get the reason [`ProcessGone`](backsight_types::Reason::ProcessGone).
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when the process ended before the first answer and the caller has
    /// reported nothing about it; [`Error::Unsupported`] when [`Backend::Ioctl`] was chosen and
    /// the kernel lacks the ioctl; by text [`Error::Torn`] and [`Error::Malformed`].
    pub fn normalize(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        outcomes.clear();
        let removals = self.modules.begin();
        if removals != self.removals {
            self.removals = removals;
            self.cache.clear();
        }
        match self.normalize_live(addrs, outcomes) {
            Some(Err(Error::ProcessGone)) if self.is_told => {
                self.ended();
                outcomes.clear();
            }
            Some(Err(Error::ProcessGone)) if !outcomes.is_empty() => {
                outcomes.resize(addrs.len(), PENDING);
                return Ok(());
            }
            Some(done) => return done,
            None => {}
        }
        let Self {
            modules,
            cache,
            records,
            pending,
            ..
        } = self;
        let source = RecordedVmas { records, modules };
        BatchRun {
            source,
            cache,
            pending,
        }
        .run(addrs, outcomes)
    }

    /// Asks the kernel; `None` when the process is known to have ended.
    #[inline]
    fn normalize_live(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Option<Result<(), Error>> {
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
        let maps = maps.as_ref()?;
        let process = OpenProcess {
            maps,
            root,
            options,
        };
        let cursor = maps.cursor();
        let source = LiveVmas {
            cursor,
            process: Some(&process),
            modules,
            name,
            ahead: None,
            expects_code: true,
            identifies: options.asks_kernel(),
            neighbours: Neighbours::of(&process),
        };
        let run = BatchRun {
            source,
            cache,
            pending,
        };
        Some(run.run(addrs, outcomes))
    }

    /// Returns all modules found so far. The index of a module never changes. If the
    /// session [shares](Self::sharing) its modules, this is empty: read them from
    /// [`shared_modules`](Self::shared_modules).
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.own()
    }

    /// Returns the table that the session's modules are in, if it is
    /// [shared](Self::sharing).
    #[must_use]
    pub fn shared_modules(&self) -> Option<&SharedModules> {
        match &self.modules {
            Modules::Shared(shared) => Some(shared),
            Modules::Own(_) => None,
        }
    }

    /// Drops the bytes and open files of all modules but the `keep` that were added last, as
    /// [`SharedModules::release_images`] does. Returns how many it dropped.
    pub fn release_images(&mut self, keep: usize) -> usize {
        self.modules.release_images(keep)
    }

    /// Returns the backend in use, `Auto` before the first query and for a process that has
    /// ended.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.maps.as_ref().map_or(Backend::Auto, ProcMaps::backend)
    }

    /// Removes these addresses from the cache, so that they are queried again.
    pub fn invalidate(&mut self, range: AbsRange) {
        self.cache.remove(range);
    }

    /// Reports that the process mapped memory: what an `MMAP2` record says. The kernel is asked
    /// when an address in it is normalized; if the process has ended by then, the report is the
    /// answer. A report without a name, as when only the range is known, is for a file with that
    /// inode or build ID, or for memory without a file.
    pub fn on_mmap(&mut self, mapping: &Mmap) {
        self.invalidate(mapping.range);
        self.records.map(mapping);
        self.is_told = true;
    }

    /// Reports that the process unmapped this range, or changed its permissions.
    pub fn on_munmap(&mut self, range: AbsRange) {
        self.invalidate(range);
        self.records.unmap(range);
        if self.maps.is_none() {
            let unmapped = Outcome::Unresolved(Reason::Unmapped);
            self.cache.insert(Span::of(range, unmapped));
        }
    }

    /// Reports that the process called exec, and opens its new address space. The modules
    /// keep their indices.
    ///
    /// If the process has ended meanwhile, the session goes on with what is reported of the new
    /// program from now on.
    ///
    /// # Errors
    /// [`Error::ProcessGone`] when it has ended meanwhile and nothing was ever reported of it;
    /// and when the session has not kept the process's directory: then nothing proves that a
    /// process with this pid is the same one.
    pub fn on_exec(&mut self) -> Result<(), Error> {
        self.cache.clear();
        self.records = Records::default();
        // The root directory may have changed.
        self.root = Root::default();
        let Some(maps) = &self.maps else {
            return Ok(());
        };
        let directory = maps.directory().ok_or(Error::ProcessGone)?;
        let directory = directory.try_clone_to_owned().map_err(|error| {
            let operation = "duplicate the descriptor of the process's directory";
            Error::Io(FileError::new(operation, None, error))
        })?;
        match self.options.open().open_dir(directory) {
            Ok(maps) => self.maps = Some(maps),
            Err(Error::ProcessGone | Error::NoSuchProcess) if self.is_told => self.ended(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reports that the process forked, and returns a session of the child `pid` with what is
    /// known of its parent, which the child has, too. If the child has ended already, the
    /// session has that and what is reported from now on.
    ///
    /// If the parent [shares](Self::sharing) its modules, so does the child; otherwise the child
    /// gets a copy, and modules that one of them finds later are not those of the other.
    ///
    /// # Errors
    /// [`Error::Denied`], if this user may not open the child; [`Error::Io`].
    pub fn on_fork(&self, pid: u32) -> Result<Self, Error> {
        let maps = match self.maps {
            None => None,
            Some(_) => match self.options.open().open(pid) {
                Ok(maps) => Some(maps),
                Err(Error::NoSuchProcess | Error::ProcessGone) => None,
                Err(error) => return Err(error),
            },
        };
        let mut child = Self {
            cache: self.cache.fork(self.options.trust),
            modules: self.modules.clone(),
            records: self.records.clone(),
            removals: self.removals,
            ..Self::of_records(self.options.clone())
        };
        match maps {
            Some(maps) => child.maps = Some(maps),
            None => child.ended(),
        }
        Ok(child)
    }

    /// Reports that the process has ended, and closes its descriptors. From now on no system
    /// call is made. What was found and reported so far still answers, since samples of the
    /// process may arrive after its end. Drop the session when none are expected any more.
    pub fn on_exit(&mut self) {
        self.is_told = true;
        self.ended();
    }

    /// Goes on with what is known.
    fn ended(&mut self) {
        self.maps = None;
        self.root = Root::default();
        self.cache.freeze();
    }

    /// Returns the modules of the session.
    pub(crate) fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_own()
    }
}
