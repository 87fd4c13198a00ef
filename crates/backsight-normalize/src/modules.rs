//! File identity to module: who was met, and what was learnt of them once.

use std::fs::File;
use std::sync::Arc;

use backsight_types::{AbsAddr, Device, Module, ModuleIdx, ModuleKind};
use vma_query::{Vma, VmaName};

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

/// Whether it is the vDSO, which has neither inode nor device; inode; device.
type FileKey = (bool, u64, Device);

impl ModuleTable {
    pub(crate) fn as_slice(&self) -> &[NormalizedModule] {
        &self.modules
    }

    pub(crate) fn into_vec(self) -> Vec<NormalizedModule> {
        self.modules
    }

    /// Returns whether a VMA was met that covered `addr`.
    pub(crate) fn has_met_at(&self, addr: AbsAddr) -> bool {
        let above = self.met.partition_point(|(met, _)| met.start <= addr);
        let below = above.checked_sub(1).and_then(|last| self.met.get(last));
        below.is_some_and(|(met, _)| met.contains(addr))
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
        let module = match self.known(vma, backing, raw_name) {
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

    /// Returns the modules with this device and inode.
    fn same_inode(&self, key: FileKey) -> impl Iterator<Item = (ModuleIdx, &Module)> {
        let first = self.by_file.partition_point(|(known, _)| *known < key);
        let behind = self.by_file.get(first..).unwrap_or_default().iter();
        let same = behind.take_while(move |(known, _)| *known == key);
        same.filter_map(|(_, at)| Some((*at, &self.modules.get(at.as_usize())?.module)))
    }

    /// Returns the module with the same device, inode and name.
    fn known(&self, vma: &Vma, backing: Backing, raw_name: &[u8]) -> Option<ModuleIdx> {
        let (path, deleted) = shown(raw_name);
        let mut same = self.same_inode(file_key(vma, backing));
        same.find(|(_, module)| module.path == path && module.deleted == deleted)
            .map(|(at, _)| at)
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
        let key = file_key(vma, backing);
        // Another path to a file that was met: a hard link, a bind mount.
        let is_this = |module: &Module| {
            module.build_id.is_some() && module.build_id == learnt.module.build_id
        };
        if let Some((met, _)) = self.same_inode(key).find(|(_, module)| is_this(module)) {
            return Some(met);
        }
        self.modules.push(learnt);
        let place = self.by_file.partition_point(|known| *known < (key, index));
        self.by_file.insert(place, (key, index));
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
