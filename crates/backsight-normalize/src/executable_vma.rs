//! An executable VMA, and the module that it maps.

use backsight_types::{BuildId, FileOffset, Module, ModuleIdx, ModuleKind};
use vma_query::Vma;

use crate::build_id;
use crate::image::NormalizedModule;
use crate::module_file;
use crate::module_identity::{FileKey, Group, shown};
use crate::options::BuildIds;
use crate::process::OpenProcess;
use crate::vdso;

/// What backs an executable VMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    File,
    Vdso,
}

/// An executable VMA that was found.
#[derive(Clone, Copy)]
pub(crate) struct ExecutableVma<'m> {
    pub(crate) vma: &'m Vma,
    pub(crate) backing: Backing,
    pub(crate) raw_name: &'m [u8],
    /// The build ID that the kernel reads from its file; `None` if it was not queried.
    pub(crate) by_kernel: Option<Option<BuildId>>,
}

impl ExecutableVma<'_> {
    /// Returns the build ID that the kernel reads from its file, and queries it if that
    /// was not done before.
    fn by_kernel(&self, process: &OpenProcess<'_>) -> Option<BuildId> {
        let ask = || build_id::by_kernel(process, self.vma);
        self.by_kernel.unwrap_or_else(ask)
    }
}

/// A module that may be the one of a VMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) index: ModuleIdx,
    /// The offset in the module of the first byte of the VMA.
    pub(crate) offset: Option<FileOffset>,
    pub(crate) build_id: Option<BuildId>,
    pub(crate) is_of_this_call: bool,
}

impl Candidate {
    /// Returns it as one that was found in an earlier call.
    pub(crate) fn of_earlier_call(self) -> Self {
        Self {
            is_of_this_call: false,
            ..self
        }
    }

    /// Returns whether the file of a VMA is this module, with the same device, inode and
    /// name, and not a later file that reuses the inode of a deleted one.
    ///
    /// A file that was found in this call is still mapped, so its inode is not reused.
    /// For a file found earlier, the kernel's build ID is compared. If no build IDs are
    /// requested, only device, inode and name are compared.
    pub(crate) fn is_still(
        &self,
        mapped: &ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> bool {
        let Some(process) = process.filter(|it| it.options.build_ids != BuildIds::None) else {
            return true;
        };
        let is_it = |now| self.build_id == Some(now);
        self.is_of_this_call || mapped.by_kernel(process).is_some_and(is_it)
    }
}

impl ExecutableVma<'_> {
    /// Returns the key of its file in the table of modules.
    pub(crate) fn key(&self) -> FileKey {
        let group = match self.backing {
            Backing::File => Group::File,
            Backing::Vdso => Group::Vdso,
        };
        (group, self.vma.inode, self.vma.device)
    }

    /// Reads the module of this VMA: opens its file, if the options request anything of it.
    pub(crate) fn read(&self, process: Option<&OpenProcess<'_>>) -> NormalizedModule {
        let (vma, is_vdso) = (self.vma, self.backing == Backing::Vdso);
        let kind = match is_vdso {
            true => ModuleKind::Vdso,
            false => ModuleKind::File,
        };
        let (path, deleted) = shown(self.raw_name);
        let mut learnt = NormalizedModule {
            module: Module::default()
                .with_kind(kind)
                .with_path(path.to_vec())
                .with_deleted(deleted)
                .with_device(vma.device)
                .with_inode(vma.inode),
            member: None,
            problem: None,
            image: None,
        };
        if let Some(process) = process.filter(|process| process.options.reads_modules()) {
            if is_vdso {
                vdso::learn(process, vma, &mut learnt);
            } else {
                let asks = process.options.asks_kernel();
                let by_kernel = asks.then(|| self.by_kernel(process)).flatten();
                module_file::learn(process, vma, by_kernel, &mut learnt);
            }
        }
        learnt
    }
}
