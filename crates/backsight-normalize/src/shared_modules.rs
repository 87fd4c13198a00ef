//! Modules of one session, or of many that share them.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use backsight_types::ModuleIdx;
use vma_query::Vma;

use crate::image::NormalizedModule;
use crate::modules::{ExecutableVma, ModuleTable};
use crate::process::OpenProcess;

/// Modules that several sessions share: an agent reads the build ID of a library
/// once for all processes that map it, and an index means the same in all of them.
///
/// A clone is another handle to the same modules. A module that one session learnt
/// is taken for another session's file of the same device, inode and path only when
/// the kernel's build ID, too, is the same; where no build IDs are asked for, device,
/// inode and path are all that is compared.
#[derive(Clone, Debug, Default)]
pub struct SharedModules(Arc<RwLock<ModuleTable>>);

impl SharedModules {
    /// Starts without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all modules met so far. Sessions that meet new ones wait as long as
    /// the result is held.
    #[must_use]
    pub fn read(&self) -> ModulesRef<'_> {
        ModulesRef(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A look at the modules met so far. An index, once given, stays.
#[derive(Debug)]
pub struct ModulesRef<'m>(RwLockReadGuard<'m, ModuleTable>);

impl Deref for ModulesRef<'_> {
    type Target = [NormalizedModule];

    fn deref(&self) -> &[NormalizedModule] {
        self.0.as_slice()
    }
}

/// Where a session keeps its modules.
#[derive(Debug)]
pub(crate) enum Modules {
    Own(ModuleTable),
    Shared(SharedModules),
}

impl Modules {
    /// Returns the modules of this session alone.
    pub(crate) fn own(&self) -> &[NormalizedModule] {
        match self {
            Self::Own(table) => table.as_slice(),
            Self::Shared(_) => &[],
        }
    }

    /// Returns the modules that nobody else has a handle to.
    pub(crate) fn into_own(self) -> Vec<NormalizedModule> {
        match self {
            Self::Own(table) => table.into_vec(),
            Self::Shared(_) => Vec::new(),
        }
    }

    /// Begins a call. Shared modules may have been met in another process, and long
    /// ago, so they prove themselves each time a session meets them anew.
    pub(crate) fn begin(&mut self) {
        if let Self::Own(table) = self {
            table.begin();
        }
    }

    /// As [`ModuleTable::is_of`].
    #[inline]
    pub(crate) fn is_of(&self, module: ModuleIdx, vma: &Vma) -> bool {
        match self {
            Self::Own(table) => table.is_of(module, vma),
            Self::Shared(shared) => shared.read().0.is_of(module, vma),
        }
    }

    /// As [`ModuleTable::module_of`].
    pub(crate) fn module_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<ModuleIdx> {
        match self {
            Self::Own(table) => table.module_of(mapped, process),
            Self::Shared(SharedModules(table)) => {
                let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
                table.begin();
                table.module_of(mapped, process)
            }
        }
    }
}
