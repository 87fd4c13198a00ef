//! The table of modules, by file identity. Each module is read once.

use std::borrow::Borrow;

use backsight_types::{Device, FileOffset, Module, ModuleIdx};
use vma_query::Vma;

use crate::executable_vma::{Candidate, ExecutableVma};
use crate::image::NormalizedModule;
use crate::module_identity::{
    FileKey, Group, build_id_key, covers, digest, file_key, has_key, is_file, is_same_file,
    offset_in, shown, start_of,
};
use crate::process::OpenProcess;

/// All modules found so far. A shared table counts references to each, so that readers need not
/// lock it.
#[derive(Clone, Debug)]
pub(crate) struct ModuleTable<M = NormalizedModule> {
    modules: Vec<M>,
    /// Where the first modules are mapped from: a copy of the few bytes that a session compares
    /// for each VMA in each call. A process may have thousands of modules.
    origins: Vec<Origin>,
    /// All modules, sorted by [`digest`]; empty up to [`LINEAR_MAX`] modules. A device
    /// and inode can occur more than once: btrfs gives the same inode number to files of
    /// different subvolumes, one file can be mapped by several paths, and the inode
    /// number of a deleted file is reused. A module with an inode and a build ID is listed by
    /// both.
    by_file: Vec<(u64, ModuleIdx)>,
    /// The number of modules at the start of the call.
    before_call: usize,
    /// How often modules were removed.
    removals: u64,
    /// The number of modules, from the first on, whose images were released.
    without_image: usize,
}

/// The file that a module is mapped from, and where in it the module begins, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    inode: u64,
    start: u64,
    device: Device,
}

impl Origin {
    fn of(known: &NormalizedModule) -> Self {
        Self {
            inode: known.module.inode,
            start: start_of(known),
            device: known.module.device,
        }
    }
}

impl<M> Default for ModuleTable<M> {
    fn default() -> Self {
        Self {
            modules: Vec::new(),
            origins: Vec::new(),
            by_file: Vec::new(),
            before_call: 0,
            removals: 0,
            without_image: 0,
        }
    }
}

/// Up to this many modules, the search is linear. Most one-shot batches have no more
/// modules, and save an allocation.
const LINEAR_MAX: usize = 8;

/// The number of modules from which on the search is binary.
const BINARY_MIN: usize = LINEAR_MAX + 1;

/// The initial capacity, chosen for the sizes that the C library allocates fastest.
const FIRST_MODULES: usize = 6;

impl<M: Borrow<NormalizedModule> + From<NormalizedModule>> ModuleTable<M> {
    pub(crate) fn as_slice(&self) -> &[M] {
        &self.modules
    }

    pub(crate) fn into_vec(self) -> Vec<M> {
        self.modules
    }

    /// Starts a call: the modules known so far must be verified again.
    pub(crate) fn begin(&mut self) {
        self.before_call = self.modules.len();
        let new = self.modules.get(self.origins.len()..).unwrap_or_default();
        let new = new.iter().map(|known| Origin::of(known.borrow()));
        self.origins.extend(new);
    }

    /// Replaces a module.
    fn set(&mut self, index: ModuleIdx, module: NormalizedModule) {
        if let Some(origin) = self.origins.get_mut(index.as_usize()) {
            *origin = Origin::of(&module);
        }
        if let Some(slot) = self.modules.get_mut(index.as_usize()) {
            *slot = M::from(module);
        }
    }

    fn get(&self, index: ModuleIdx) -> Option<&NormalizedModule> {
        self.modules.get(index.as_usize()).map(Borrow::borrow)
    }

    /// Returns the module of an executable VMA, and adds it if it is new. Returns `None`
    /// if there are 2^32 modules already.
    pub(crate) fn module_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<(ModuleIdx, FileOffset)> {
        let known = self.candidate(&mapped);
        if let Some(known) = known.filter(|known| known.is_still(&mapped, process)) {
            return Some((known.index, known.offset?));
        }
        self.add(mapped.read(process), mapped.vma)
    }

    /// Returns the latest module with the same device, inode and name as a VMA, in which the VMA
    /// is.
    pub(crate) fn candidate(&self, mapped: &ExecutableVma<'_>) -> Option<Candidate> {
        let (path, deleted) = shown(mapped.raw_name);
        let key = mapped.key();
        self.same_key(key, self.place_of(key))
            .filter(|(_, known)| known.module.deleted == deleted)
            .filter(|(_, known)| covers(known, path, mapped.vma.offset))
            .last()
            .map(|(index, known)| Candidate {
                index,
                offset: offset_in(known, mapped.vma),
                build_id: known.module.build_id,
                is_of_this_call: index.as_usize() >= self.before_call,
            })
    }

    /// Returns whether a VMA's device and inode are those of this module, and its first byte is
    /// at this offset of the module.
    #[inline]
    pub(crate) fn is_at(&self, module: ModuleIdx, offset: FileOffset, vma: &Vma) -> bool {
        let origin = self.origins.get(module.as_usize()).copied();
        let origin = origin.or_else(|| self.get(module).map(Origin::of));
        origin.is_some_and(|origin| {
            origin.inode == vma.inode
                && origin.device == vma.device
                && vma.offset.0.checked_sub(origin.start) == Some(offset.0)
        })
    }

    /// Adds the module of a VMA that was read. It may be known already: by another path (a hard
    /// link, a bind mount), from an earlier call if only reading the file could prove it, or
    /// because another session has added it meanwhile.
    pub(crate) fn add(
        &mut self,
        learnt: NormalizedModule,
        vma: &Vma,
    ) -> Option<(ModuleIdx, FileOffset)> {
        let index = self.add_read(learnt)?;
        Some((index, offset_in(self.get(index)?, vma)?))
    }

    /// Adds a module that was read, and returns its index. Returns `None` if there are 2^32
    /// modules already.
    pub(crate) fn add_read(&mut self, learnt: NormalizedModule) -> Option<ModuleIdx> {
        let key = file_key(&learnt.module);
        let is_this = |known: &NormalizedModule| {
            known.member == learnt.member && is_same_file(&known.module, &learnt.module)
        };
        let met = {
            let mut alike = self.same_key(key, self.place_of(key));
            alike.find(|(_, known)| is_this(known)).map(|(met, _)| met)
        };
        if met.is_some() {
            return met;
        }
        // A record of this file has named it without its inode, or before it was read.
        if let Some(recorded) = self.only_recorded(&learnt) {
            let old_key = self.get(recorded).map(|known| file_key(&known.module));
            self.set(recorded, learnt);
            if old_key != Some(key) {
                self.list(key, recorded);
            }
            return Some(recorded);
        }
        self.push(learnt, key)
    }

    /// Returns the module of a file that only a record has named so far.
    fn only_recorded(&self, learnt: &NormalizedModule) -> Option<ModuleIdx> {
        let key = build_id_key(learnt.module.build_id.filter(|_| is_file(&learnt.module))?);
        let mut alike = self.same_key(key, self.place_of(key));
        let is_it = |known: &NormalizedModule| {
            is_bare(&known.module) && is_recorded_as(&known.module, &learnt.module)
        };
        alike.find(|(_, known)| is_it(known)).map(|(met, _)| met)
    }

    /// Returns the index of a file from a record, and adds it if it is new.
    pub(crate) fn add_recorded(&mut self, recorded: &Module) -> Option<ModuleIdx> {
        let key = file_key(recorded);
        let keys = [Some(key), recorded.build_id.map(build_id_key)];
        for key in keys.into_iter().flatten() {
            let mut alike = self.same_key(key, self.place_of(key));
            let is_it = |known: &NormalizedModule| is_recorded_as(recorded, &known.module);
            if let Some((met, _)) = alike.find(|(_, known)| is_it(known)) {
                return Some(met);
            }
        }
        let module = NormalizedModule {
            module: recorded.clone(),
            member: None,
            problem: None,
            image: None,
        };
        self.push(module, key)
    }

    /// Drops the bytes and open files of all modules but the latest `keep`. Returns how many
    /// were dropped.
    pub(crate) fn release_images(&mut self, keep: usize) -> usize {
        let end = self.modules.len().saturating_sub(keep);
        let mut count = 0_usize;
        for at in self.without_image..end {
            let Some(slot) = self.modules.get_mut(at) else {
                break;
            };
            let known: &NormalizedModule = (*slot).borrow();
            if known.image.is_some() {
                let without = NormalizedModule {
                    module: known.module.clone(),
                    member: known.member.clone(),
                    problem: known.problem.clone(),
                    image: None,
                };
                *slot = M::from(without);
                count = count.saturating_add(1);
            }
        }
        self.without_image = self.without_image.max(end);
        count
    }

    /// Forgets a module. Its index is not used again.
    pub(crate) fn remove(&mut self, module: ModuleIdx) -> bool {
        if module.as_usize() >= self.modules.len() {
            return false;
        }
        let nothing = NormalizedModule {
            module: Module::default(),
            member: None,
            problem: None,
            image: None,
        };
        self.set(module, nothing);
        self.by_file.retain(|(_, at)| *at != module);
        self.removals = self.removals.wrapping_add(1);
        true
    }

    /// Returns how often modules were removed.
    pub(crate) fn removals(&self) -> u64 {
        self.removals
    }

    /// Returns the position in `by_file` of the first module with this key, or where one would
    /// be inserted.
    fn place_of(&self, key: FileKey) -> usize {
        let wanted = digest(key);
        self.by_file.partition_point(|(known, _)| *known < wanted)
    }

    /// Returns the modules with this key; `place` is from [`Self::place_of`].
    fn same_key(
        &self,
        key: FileKey,
        place: usize,
    ) -> impl Iterator<Item = (ModuleIdx, &NormalizedModule)> {
        let few = match self.by_file.is_empty() {
            true => self.modules.as_slice(),
            false => &[],
        };
        let few = (0..).map(ModuleIdx).zip(few.iter().map(Borrow::borrow));
        let wanted = digest(key);
        let after = self.by_file.get(place..).unwrap_or_default().iter();
        let sorted = after.take_while(move |(known, _)| *known == wanted);
        let sorted = sorted.filter_map(|(_, at)| Some((*at, self.get(*at)?)));
        few.chain(sorted)
            .filter(move |(_, known)| has_key(&known.module, key))
    }

    fn push(&mut self, learnt: NormalizedModule, key: FileKey) -> Option<ModuleIdx> {
        let index = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        let also = also_by(&learnt.module, key);
        make_room(&mut self.modules, FIRST_MODULES);
        self.modules.push(M::from(learnt));
        match self.modules.len() {
            ..=LINEAR_MAX => {}
            BINARY_MIN => {
                let all = (0..).map(ModuleIdx).zip(&self.modules);
                let keys = all.flat_map(|(at, known)| {
                    let module = &Borrow::<NormalizedModule>::borrow(known).module;
                    let key = file_key(module);
                    let both = std::iter::once(key).chain(also_by(module, key));
                    both.map(move |key| (digest(key), at))
                });
                self.by_file = keys.collect();
                self.by_file.sort_unstable();
            }
            _ => {
                self.list(key, index);
                if let Some(also) = also {
                    self.list(also, index);
                }
            }
        }
        Some(index)
    }

    /// Lists a module by a key, if the search is binary.
    fn list(&mut self, key: FileKey, index: ModuleIdx) {
        if self.by_file.is_empty() {
            return;
        }
        let new = (digest(key), index);
        let at = self.by_file.partition_point(|known| *known < new);
        self.by_file.insert(at, new);
    }
}

/// Returns the second key of a module: by its build ID, if it has an inode, too.
fn also_by(module: &Module, key: FileKey) -> Option<FileKey> {
    let id = module.build_id.filter(|_| key.0 == Group::File)?;
    Some(build_id_key(id))
}

/// Returns whether a module has nothing but what a record says.
fn is_bare(module: &Module) -> bool {
    module.segments.is_none() && module.unreadable.is_none() && module.arch.is_none()
}

/// Returns whether a record that named a file so can be of this module: it has the path, and the
/// build ID and inode do not contradict.
fn is_recorded_as(recorded: &Module, known: &Module) -> bool {
    let agrees = |a: u64, b: u64| a == b || a == 0 || b == 0;
    recorded.path == known.path
        && recorded.kind == known.kind
        && (recorded.build_id.is_none() || recorded.build_id == known.build_id)
        && agrees(recorded.inode, known.inode)
}

/// Makes room for one more element. The initial capacity is `first`. The first growth
/// adds ten times as much, since each growth moves all elements; later ones double the
/// capacity.
#[inline]
pub(crate) fn make_room<T>(list: &mut Vec<T>, first: usize) {
    if list.capacity() == 0 {
        *list = Vec::with_capacity(first);
    } else if list.len() == list.capacity() {
        let factor = if list.len() == first { 10 } else { 1 };
        list.reserve(list.len().saturating_mul(factor));
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;
    use vma_query::Snapshot;

    use super::LINEAR_MAX;
    use crate::{Outcome, normalize_snapshot};

    #[test]
    fn a_file_mapped_again_is_the_same_module_among_few_and_among_many() {
        let files = 3 * LINEAR_MAX as u64;
        // Each inode number has two files, as two hard links or files of two subvolumes
        // have.
        let line = |nth: u64| {
            let (start, file) = (0x1000 + nth * 0x1000, nth % files);
            let (end, inode) = (start + 0x1000, 100 + (file * 7) % files / 2);
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
            assert_eq!(module.as_usize(), nth % (3 * LINEAR_MAX), "VMA {nth}");
        }
    }
}
