//! The modules of a trace, from its records, each file once.

use std::collections::{HashMap, HashSet};

use backsight_types::trace::{KERNEL_PID, Mmap, MovedText};
use backsight_types::{BuildId, Device, FileOffset, Module, ModuleIdx, ModuleKind};
use vma_query::{Vma, VmaName};

use crate::address_space::Mapped;
use crate::image::NormalizedModule;
use crate::module_identity::shown;

/// A file's identity in a record: name, device, inode, build ID, inferred. A record with a build ID
/// may have neither device nor inode, so the name is needed to distinguish files.
type RecordedIdentity = (Vec<u8>, Device, u64, Option<BuildId>, bool);

/// The modules in the order in which they first occur in records.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceModules {
    modules: Vec<NormalizedModule>,
    by_identity: HashMap<RecordedIdentity, ModuleIdx>,
}

impl TraceModules {
    pub(crate) fn as_slice(&self) -> &[NormalizedModule] {
        &self.modules
    }

    pub(crate) fn into_vec(self) -> Vec<NormalizedModule> {
        self.modules
    }

    /// Returns a mapping with its module. It has no module if it has no file, or if there
    /// are 2^32 modules already.
    pub(crate) fn mapped(&mut self, pid: u32, mapping: &Mmap) -> Mapped {
        let is_kernel = pid == KERNEL_PID;
        let Mmap {
            range,
            offset,
            perms,
            device,
            inode,
            ..
        } = *mapping;
        let vma = Vma {
            start: range.start,
            end: range.end,
            // The running kernel is not laid out like its file.
            offset: if is_kernel { FileOffset(0) } else { offset },
            perms,
            device,
            inode,
        };
        Mapped {
            vma,
            module: self.module_of(is_kernel, mapping),
            is_other_code: mapping.moved == MovedText::Denied,
        }
    }

    /// Returns the module of a mapping that was added before.
    pub(crate) fn find(&self, mapping: &Mmap) -> Option<ModuleIdx> {
        self.by_identity.get(&identity(mapping)).copied()
    }

    /// Forgets all modules but these. Returns the new index of each; `None` if it was forgotten.
    pub(crate) fn retain(&mut self, kept: &HashSet<ModuleIdx>) -> Vec<Option<ModuleIdx>> {
        let mut next = (0..).map(ModuleIdx);
        let old = (0..).map(ModuleIdx).take(self.modules.len());
        let moved = old.map(|index| kept.contains(&index).then(|| next.next()).flatten());
        let moved: Vec<Option<ModuleIdx>> = moved.collect();
        let mut news = moved.iter();
        self.modules
            .retain(|_| news.next().is_some_and(Option::is_some));
        self.by_identity.retain(|_, index| {
            let new = moved.get(index.as_usize()).copied().flatten();
            *index = new.unwrap_or(*index);
            new.is_some()
        });
        self.modules.shrink_to_fit();
        self.by_identity.shrink_to_fit();
        moved
    }

    fn module_of(&mut self, is_kernel: bool, mapping: &Mmap) -> Option<ModuleIdx> {
        let kind = match VmaName::new(&mapping.name) {
            _ if is_kernel => ModuleKind::Kernel,
            VmaName::Vdso => ModuleKind::Vdso,
            // perf writes `//anon` for memory without a file.
            VmaName::Path {
                path: b"//anon", ..
            } => return None,
            VmaName::Path { .. } | VmaName::Memfd { .. } => ModuleKind::File,
            _ if mapping.inode != 0 || mapping.build_id.is_some() => ModuleKind::File,
            _ => return None,
        };
        let Mmap {
            device,
            inode,
            build_id,
            ..
        } = *mapping;
        let next = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        let index = *self.by_identity.entry(identity(mapping)).or_insert(next);
        if index == next {
            let (path, deleted) = shown(&mapping.name);
            let path = path.to_vec();
            let module = Module::default()
                .with_kind(kind)
                .with_path(path)
                .with_deleted(deleted)
                .with_device(device)
                .with_inode(inode)
                .with_build_id(build_id)
                .with_inferred(mapping.moved == MovedText::Moved);
            self.modules.push(NormalizedModule {
                module,
                member: None,
                problem: None,
                image: None,
            });
        }
        Some(index)
    }
}

fn identity(mapping: &Mmap) -> RecordedIdentity {
    let Mmap {
        device,
        inode,
        build_id,
        moved,
        ..
    } = *mapping;
    let inferred = moved == MovedText::Moved;
    (mapping.name.clone(), device, inode, build_id, inferred)
}
