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
    /// All but the first [`FEW`], sorted. A device and inode can stand here more
    /// than once: btrfs gives the same inode number to files of different
    /// subvolumes, and one file can be mapped by several paths.
    by_file: Vec<(FileKey, ModuleIdx)>,
    /// Sorted by start.
    met: Vec<(Vma, ModuleIdx)>,
}

/// So many modules are looked through one by one. Most one-shot batches meet no
/// more, and save an allocation.
const FEW: usize = 8;

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
        let key = (backing == Backing::Vdso, vma.inode, vma.device);
        let shown = shown(raw_name);
        let module = match self.known(key, shown) {
            Some(module) => module,
            None => self.learn(vma, key, shown, process)?,
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
        let few = (0..).map(ModuleIdx).zip(self.modules.iter().take(FEW));
        let first = self.by_file.partition_point(|(known, _)| *known < key);
        let behind = self.by_file.get(first..).unwrap_or_default().iter();
        let others = behind.take_while(move |(known, _)| *known == key);
        few.map(|(at, known)| (at, &known.module))
            .filter(move |(_, module)| file_key(module) == key)
            .chain(
                others.filter_map(|(_, at)| Some((*at, &self.modules.get(at.as_usize())?.module))),
            )
    }

    /// Returns the module with the same device, inode and name.
    fn known(&self, key: FileKey, (path, deleted): (&[u8], bool)) -> Option<ModuleIdx> {
        self.same_inode(key)
            .find(|(_, module)| module.path == path && module.deleted == deleted)
            .map(|(at, _)| at)
    }

    fn learn(
        &mut self,
        vma: &Vma,
        key: FileKey,
        (path, deleted): (&[u8], bool),
        process: Option<&Process<'_>>,
    ) -> Option<ModuleIdx> {
        let index = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        let kind = match key {
            (true, ..) => ModuleKind::Vdso,
            (false, ..) => ModuleKind::File,
        };
        let mut learnt = NormalizedModule {
            module: Module {
                kind,
                path: path.to_vec(),
                deleted,
                device: vma.device,
                inode: vma.inode,
                ..Module::default()
            },
            image: None,
        };
        if let Some(process) = process.filter(|process| process.options.reads_modules()) {
            match kind {
                ModuleKind::File => process.files.learn(process, vma, &mut learnt),
                ModuleKind::Vdso => vdso::learn(process, vma, &mut learnt),
            }
            // Another path to a file that was met: a hard link, a bind mount.
            let build_id = learnt.module.build_id;
            let is_this = |module: &Module| build_id.is_some() && module.build_id == build_id;
            if let Some((met, _)) = self.same_inode(key).find(|(_, module)| is_this(module)) {
                return Some(met);
            }
        }
        self.modules.push(learnt);
        if index.as_usize() >= FEW {
            let place = self.by_file.partition_point(|known| *known < (key, index));
            self.by_file.insert(place, (key, index));
        }
        Some(index)
    }
}

fn file_key(module: &Module) -> FileKey {
    (module.kind == ModuleKind::Vdso, module.inode, module.device)
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

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;
    use vma_query::Snapshot;

    use super::FEW;
    use crate::{Outcome, normalize_snapshot};

    #[test]
    fn a_file_mapped_again_is_the_same_module_among_few_and_among_many() {
        let files = 3 * FEW as u64;
        let line = |nth: u64| {
            let (start, file) = (0x1000 + nth * 0x1000, nth % files);
            let (end, inode) = (start + 0x1000, 100 + (file * 7) % files);
            format!("{start:x}-{end:x} r-xp 0 08:01 {inode} /lib/{file}\n")
        };
        let text: String = (0..2 * files).map(line).collect();
        let maps = Snapshot::parse(text.as_bytes()).unwrap();
        let addrs: Vec<AbsAddr> = (0..2 * files)
            .map(|nth| AbsAddr(0x1000 + nth * 0x1000))
            .collect();
        let found = normalize_snapshot(&maps, &addrs).unwrap();
        assert_eq!(found.modules.len() as u64, files);
        for (nth, outcome) in found.outcomes.iter().enumerate() {
            let Outcome::Located { module, .. } = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(module.as_usize(), nth % (3 * FEW), "VMA {nth}");
        }
    }
}
