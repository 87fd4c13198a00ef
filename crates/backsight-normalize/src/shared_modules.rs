//! The modules of one session, or of several sessions that share them.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use backsight_types::{FileOffset, ModuleIdx};
use vma_query::Vma;

use crate::image::NormalizedModule;
use crate::modules::{ExecutableVma, ModuleTable};
use crate::process::OpenProcess;

/// Modules that several sessions share. An agent reads the build ID of a library once for
/// all processes that map it, and a module has the same index in all of them.
///
/// A clone is another handle to the same modules. A module that one session added is used
/// for another session's file with the same device, inode and path only if the kernel's
/// build ID is also the same. If no build IDs are requested, only device, inode and path
/// are compared.
#[derive(Clone, Debug, Default)]
pub struct SharedModules(Arc<RwLock<ModuleTable>>);

impl SharedModules {
    /// Returns an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all modules found so far. Sessions that add modules wait while the result
    /// is held.
    #[must_use]
    pub fn read(&self) -> ModulesRef<'_> {
        ModulesRef(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A read lock on the modules found so far. The index of a module never changes.
#[derive(Debug)]
pub struct ModulesRef<'m>(RwLockReadGuard<'m, ModuleTable>);

impl Deref for ModulesRef<'_> {
    type Target = [NormalizedModule];

    fn deref(&self) -> &[NormalizedModule] {
        self.0.as_slice()
    }
}

/// The modules of a session: its own, or shared ones.
#[derive(Debug)]
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

    /// Starts a call. Shared modules may have been found in another process and long ago,
    /// so they are verified at each use instead: see [`Self::module_of`].
    pub(crate) fn begin(&mut self) {
        if let Self::Own(table) = self {
            table.begin();
        }
    }

    /// As [`ModuleTable::is_at`].
    #[inline]
    pub(crate) fn is_at(&self, module: ModuleIdx, offset: FileOffset, vma: &Vma) -> bool {
        match self {
            Self::Own(table) => table.is_at(module, offset, vma),
            Self::Shared(shared) => shared.read().0.is_at(module, offset, vma),
        }
    }

    /// As [`ModuleTable::module_of`].
    pub(crate) fn module_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<(ModuleIdx, FileOffset)> {
        match self {
            Self::Own(table) => table.module_of(mapped, process),
            Self::Shared(SharedModules(table)) => {
                let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
                table.begin();
                table.module_of(mapped, process)
            }
        }
    }

    /// As [`ModuleTable::add_inferred`].
    pub(crate) fn add_inferred(&mut self, module: NormalizedModule) -> Option<ModuleIdx> {
        match self {
            Self::Own(table) => table.add_inferred(module),
            Self::Shared(SharedModules(table)) => {
                let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
                table.add_inferred(module)
            }
        }
    }
}
