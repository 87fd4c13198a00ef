//! File identity to module: who was met, and what was learnt of them once.

use std::fs::File;
use std::sync::Arc;

use backsight_types::{Device, Module, ModuleIdx, ModuleKind};
use vma_query::{Vma, VmaName};

use crate::build_id;
use crate::module_file::FileFinder;
use crate::options::Options;
use crate::vdso;

/// A module, and its bytes where they could be had and were asked for.
#[derive(Debug)]
pub struct NormalizedModule {
    /// Its identity and layout: what is handed to another host.
    pub module: Module,
    /// Its bytes, to be handed to a symbolizer on this host.
    pub image: Option<Image>,
}

/// The bytes of a module, whose identity was proven.
#[derive(Clone, Debug)]
pub enum Image {
    /// The open file. Shared, as clones of a `File` would share its position
    /// anyway; read it by offset.
    File(Arc<File>),
    /// The vDSO's image, copied out of the process.
    Bytes(Arc<[u8]>),
}

/// The process that modules are learnt from; a saved text has none.
pub(crate) struct Process<'p> {
    pub(crate) maps: &'p vma_query::ProcMaps,
    pub(crate) files: &'p FileFinder,
    pub(crate) options: &'p Options,
}

/// What stands behind an executable VMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    File,
    Vdso,
}

/// All modules met so far, and the VMAs they were met in.
#[derive(Debug, Default)]
pub(crate) struct ModuleTable {
    modules: Vec<NormalizedModule>,
    /// Sorted. A device and inode can stand here more than once: btrfs gives the
    /// same inode number to files of different subvolumes, and one file can be
    /// mapped by several paths.
    by_file: Vec<(FileKey, ModuleIdx)>,
    /// Sorted by start.
    met: Vec<(Vma, ModuleIdx)>,
}

type FileKey = (ModuleKindKey, u64, Device);
type ModuleKindKey = bool;

impl ModuleTable {
    pub(crate) fn as_slice(&self) -> &[NormalizedModule] {
        &self.modules
    }

    pub(crate) fn into_vec(self) -> Vec<NormalizedModule> {
        self.modules
    }

    /// Returns whether any VMA was met.
    pub(crate) fn has_met_any(&self) -> bool {
        !self.met.is_empty()
    }

    /// Returns the module of a VMA that was met just as it is now.
    pub(crate) fn met(&self, vma: &Vma) -> Option<ModuleIdx> {
        let place = self
            .met
            .binary_search_by_key(&vma.start, |(met, _)| met.start)
            .ok()?;
        self.met
            .get(place)
            .filter(|(met, _)| met == vma)
            .map(|(_, module)| *module)
    }

    /// Returns the module behind an executable VMA called `raw_name`, which is
    /// learnt when it is new. `None` when there are 2^32 of them already.
    pub(crate) fn module_of(
        &mut self,
        vma: &Vma,
        backing: Backing,
        raw_name: &[u8],
        process: Option<&Process<'_>>,
    ) -> Option<ModuleIdx> {
        if let Some(module) = self.met(vma) {
            return Some(module);
        }
        let module = match self.known(vma, backing, raw_name, process) {
            Some(module) => module,
            None => self.learn(vma, backing, raw_name, process)?,
        };
        self.remember(vma, module);
        Some(module)
    }

    fn remember(&mut self, vma: &Vma, module: ModuleIdx) {
        match self
            .met
            .binary_search_by_key(&vma.start, |(met, _)| met.start)
        {
            Ok(place) => {
                if let Some(met) = self.met.get_mut(place) {
                    *met = (*vma, module);
                }
            }
            Err(place) => self.met.insert(place, (*vma, module)),
        }
    }

    /// Returns the module with the same device, inode and name; or the one with
    /// another name whose build ID, too, is the same.
    fn known(
        &self,
        vma: &Vma,
        backing: Backing,
        raw_name: &[u8],
        process: Option<&Process<'_>>,
    ) -> Option<ModuleIdx> {
        let key = file_key(vma, backing);
        let first = self.by_file.partition_point(|(known, _)| *known < key);
        let same_file = || {
            let behind = self.by_file.get(first..).unwrap_or_default().iter();
            behind
                .take_while(|(known, _)| *known == key)
                .map(|(_, module)| *module)
        };
        let of = |module: &ModuleIdx| self.modules.get(module.as_usize()).map(|m| &m.module);
        let (path, deleted) = shown(raw_name);
        let by_name = |m: &Module| m.path == path && m.deleted == deleted;
        if let Some(known) = same_file().find(|module| of(module).is_some_and(by_name)) {
            return Some(known);
        }
        same_file().next()?;
        let build_id = build_id::by_kernel(process?, vma)?;
        same_file().find(|module| of(module).is_some_and(|m| m.build_id == Some(build_id)))
    }

    fn learn(
        &mut self,
        vma: &Vma,
        backing: Backing,
        raw_name: &[u8],
        process: Option<&Process<'_>>,
    ) -> Option<ModuleIdx> {
        let index = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        let (path, deleted) = shown(raw_name);
        let mut learnt = NormalizedModule {
            module: Module {
                kind: match backing {
                    Backing::File => ModuleKind::File,
                    Backing::Vdso => ModuleKind::Vdso,
                },
                path: path.to_vec(),
                deleted,
                device: vma.device,
                inode: vma.inode,
                ..Module::default()
            },
            image: None,
        };
        if let Some(process) = process {
            match backing {
                Backing::File => process.files.learn(process, vma, &mut learnt),
                Backing::Vdso => vdso::learn(process, vma, &mut learnt),
            }
        }
        self.modules.push(learnt);
        let key = (file_key(vma, backing), index);
        let place = self.by_file.partition_point(|known| *known < key);
        self.by_file.insert(place, key);
        Some(index)
    }
}

fn file_key(vma: &Vma, backing: Backing) -> FileKey {
    (backing == Backing::Vdso, vma.inode, vma.device)
}

/// Returns the path for show, and whether it was marked deleted.
fn shown(raw_name: &[u8]) -> (&[u8], bool) {
    match VmaName::new(raw_name) {
        VmaName::Path { path, deleted } => (path, deleted),
        // A memfd never had a path, so ` (deleted)` says nothing of it.
        VmaName::Memfd { .. } => (
            raw_name.strip_suffix(b" (deleted)").unwrap_or(raw_name),
            false,
        ),
        _ => (raw_name, false),
    }
}
