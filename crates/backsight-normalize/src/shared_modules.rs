//! The modules of one session, or of several sessions that share them.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use backsight_types::{FileOffset, Module, ModuleIdx};
use vma_query::Vma;

use crate::executable_vma::ExecutableVma;
use crate::image::NormalizedModule;
use crate::modules::ModuleTable;
use crate::process::OpenProcess;

/// A table whose modules can be read while it grows.
type SharedTable = ModuleTable<Arc<NormalizedModule>>;

/// Modules that several sessions share. An agent reads the build ID of a library once for
/// all processes that map it, and a module has the same index in all of them.
///
/// A clone is another handle to the same modules. A module that one session added is used
/// for another session's file with the same device, inode and path only if the kernel's
/// build ID is also the same. If no build IDs are requested, only device, inode and path
/// are compared.
///
/// No file is opened or parsed while others wait: a session reads the file of a new module
/// first, and adds the module then. If two sessions read the same file at once, it is still one
/// module.
#[derive(Clone, Debug, Default)]
pub struct SharedModules(Arc<RwLock<Arc<SharedTable>>>);

impl SharedModules {
    /// Returns an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all modules found so far. Nobody waits while the result is held: modules that are
    /// added meanwhile are in the next one.
    #[must_use]
    pub fn read(&self) -> ModulesRef {
        ModulesRef(self.table())
    }

    /// Drops the bytes and open files of all modules but the `keep` that were added last, and
    /// returns how many it dropped. A file is closed when nobody else has it, such as a
    /// symbolizer that was given it, or a [`ModulesRef`]. Everything else of the modules is kept.
    pub fn release_images(&self, keep: usize) -> usize {
        self.change(|table| table.release_images(keep))
    }

    /// Forgets a module, for example of a program that was replaced. Returns `false` if there is
    /// no such module. Its index is not used again; what is left in its place is an empty
    /// [`Module`]. Sessions that have cached addresses in it ask for them again in their next
    /// call.
    pub fn remove(&self, module: ModuleIdx) -> bool {
        self.change(|table| table.remove(module))
    }

    fn table(&self) -> Arc<SharedTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the table. If somebody reads it at the moment, it is copied before, which takes
    /// one reference for each module.
    fn change<T>(&self, change: impl FnOnce(&mut SharedTable) -> T) -> T {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut table))
    }
}

/// The modules found up to the time of [`SharedModules::read`]. The index of a module never
/// changes.
#[derive(Clone, Debug)]
pub struct ModulesRef(Arc<SharedTable>);

impl Deref for ModulesRef {
    type Target = [Arc<NormalizedModule>];

    fn deref(&self) -> &[Arc<NormalizedModule>] {
        self.0.as_slice()
    }
}

/// The modules of a session: its own, or shared ones.
#[derive(Clone, Debug)]
pub(crate) enum Modules {
    Own(ModuleTable),
    Shared(SharedModules),
}

impl Modules {
    /// Returns the session's own modules; empty if they are shared.
    pub(crate) fn own(&self) -> &[NormalizedModule] {
        match self {
            Self::Own(table) => table.as_slice(),
            Self::Shared(_) => &[],
        }
    }

    /// Returns the session's own modules; empty if they are shared.
    pub(crate) fn into_own(self) -> Vec<NormalizedModule> {
        match self {
            Self::Own(table) => table.into_vec(),
            Self::Shared(_) => Vec::new(),
        }
    }

    /// Starts a call, and returns how often modules were removed so far. Shared modules may have
    /// been found in another process and long ago, so they are verified at each use instead.
    pub(crate) fn begin(&mut self) -> u64 {
        match self {
            Self::Own(table) => {
                table.begin();
                table.removals()
            }
            Self::Shared(shared) => {
                let table = shared.0.read().unwrap_or_else(PoisonError::into_inner);
                table.removals()
            }
        }
    }

    /// As [`ModuleTable::is_at`].
    #[inline]
    pub(crate) fn is_at(&self, module: ModuleIdx, offset: FileOffset, vma: &Vma) -> bool {
        match self {
            Self::Own(table) => table.is_at(module, offset, vma),
            Self::Shared(shared) => {
                let table = shared.0.read().unwrap_or_else(PoisonError::into_inner);
                table.is_at(module, offset, vma)
            }
        }
    }

    /// As [`ModuleTable::module_of`].
    pub(crate) fn module_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<(ModuleIdx, FileOffset)> {
        let shared = match self {
            Self::Own(table) => return table.module_of(mapped, process),
            Self::Shared(shared) => shared,
        };
        let known = {
            let table = shared.0.read().unwrap_or_else(PoisonError::into_inner);
            table.candidate(&mapped)
        };
        // Whoever found it may have done so long ago.
        let known = known.map(|known| known.of_earlier_call());
        if let Some(known) = known.filter(|known| known.is_still(&mapped, process)) {
            return Some((known.index, known.offset?));
        }
        let learnt = mapped.read(process);
        shared.change(|table| table.add(learnt, mapped.vma))
    }

    /// As [`ModuleTable::add_recorded`].
    pub(crate) fn add_recorded(&mut self, recorded: &Module) -> Option<ModuleIdx> {
        match self {
            Self::Own(table) => table.add_recorded(recorded),
            Self::Shared(shared) => shared.change(|table| table.add_recorded(recorded)),
        }
    }

    /// As [`ModuleTable::add_read`].
    pub(crate) fn add_inferred(&mut self, module: NormalizedModule) -> Option<ModuleIdx> {
        match self {
            Self::Own(table) => table.add_read(module),
            Self::Shared(shared) => shared.change(|table| table.add_read(module)),
        }
    }

    /// As [`ModuleTable::release_images`].
    pub(crate) fn release_images(&mut self, keep: usize) -> usize {
        match self {
            Self::Own(table) => table.release_images(keep),
            Self::Shared(shared) => shared.release_images(keep),
        }
    }
}
