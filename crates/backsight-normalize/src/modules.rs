//! The table of modules, by file identity. Each module is read once.

use backsight_files::ArchiveMember;
use backsight_types::{BuildId, Device, FileOffset, Module, ModuleIdx, ModuleKind, Reason};
use vma_query::{Vma, VmaName};

use crate::build_id;
use crate::image::NormalizedModule;
use crate::module_file;
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

/// All modules found so far.
#[derive(Debug, Default)]
pub(crate) struct ModuleTable {
    modules: Vec<NormalizedModule>,
    /// All modules, sorted by [`digest`]; empty up to [`LINEAR_MAX`] modules. A device
    /// and inode can occur more than once: btrfs gives the same inode number to files of
    /// different subvolumes, one file can be mapped by several paths, and the inode
    /// number of a deleted file is reused.
    by_file: Vec<(u64, ModuleIdx)>,
    /// The number of modules at the start of the call.
    before_call: usize,
}

/// Up to this many modules, the search is linear. Most one-shot batches have no more
/// modules, and save an allocation.
const LINEAR_MAX: usize = 8;

/// The number of modules from which on the search is binary.
const BINARY_MIN: usize = LINEAR_MAX + 1;

/// The initial capacity, chosen for the sizes that the C library allocates fastest.
const FIRST_MODULES: usize = 6;

/// The group of modules, the inode, and the device.
type FileKey = (Group, u64, Device);

/// Modules of one group only are compared by inode and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    File,
    /// It has neither inode nor device.
    Vdso,
    /// Files whose code is in anonymous memory.
    Inferred,
}

impl ModuleTable {
    pub(crate) fn as_slice(&self) -> &[NormalizedModule] {
        &self.modules
    }

    pub(crate) fn into_vec(self) -> Vec<NormalizedModule> {
        self.modules
    }

    /// Starts a call: the modules known so far must be verified again.
    pub(crate) fn begin(&mut self) {
        self.before_call = self.modules.len();
    }

    /// Returns the module of an executable VMA, and adds it if it is new. Returns `None`
    /// if there are 2^32 modules already.
    pub(crate) fn module_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<(ModuleIdx, FileOffset)> {
        let module = self.index_of(mapped, process)?;
        let known = self.modules.get(module.as_usize())?;
        Some((module, offset_in(known, mapped.vma)?))
    }

    fn index_of(
        &mut self,
        mapped: ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> Option<ModuleIdx> {
        let group = match mapped.backing {
            Backing::File => Group::File,
            Backing::Vdso => Group::Vdso,
        };
        let key = (group, mapped.vma.inode, mapped.vma.device);
        let shown = shown(mapped.raw_name);
        let place = self.place_of(key);
        match self.known(key, place, shown, mapped.vma.offset) {
            Some(known) if self.is_still(known, &mapped, process) => Some(known),
            _ => self.learn(&mapped, key, place, shown, process),
        }
    }

    /// Returns whether a VMA's device and inode are those of this module, and its first byte is
    /// at this offset of the module.
    #[inline]
    pub(crate) fn is_at(&self, module: ModuleIdx, offset: FileOffset, vma: &Vma) -> bool {
        self.modules.get(module.as_usize()).is_some_and(|known| {
            known.module.inode == vma.inode
                && known.module.device == vma.device
                && offset_in(known, vma) == Some(offset)
        })
    }

    /// Returns the position in `by_file` of the first module with this device and inode,
    /// or where one would be inserted.
    fn place_of(&self, key: FileKey) -> usize {
        let wanted = digest(key);
        self.by_file.partition_point(|(known, _)| *known < wanted)
    }

    /// Returns the modules with this device and inode; `place` is from
    /// [`Self::place_of`].
    fn same_inode(
        &self,
        key: FileKey,
        place: usize,
    ) -> impl Iterator<Item = (ModuleIdx, &NormalizedModule)> {
        let few = match self.by_file.is_empty() {
            true => self.modules.as_slice(),
            false => &[],
        };
        let few = (0..).map(ModuleIdx).zip(few);
        let wanted = digest(key);
        let after = self.by_file.get(place..).unwrap_or_default().iter();
        let sorted = after.take_while(move |(known, _)| *known == wanted);
        let sorted = sorted.filter_map(|(_, at)| Some((*at, self.modules.get(at.as_usize())?)));
        few.chain(sorted)
            .filter(move |(_, known)| file_key(&known.module) == key)
    }

    /// Returns the latest module with the same device, inode and name, in which a VMA with this
    /// file offset is.
    fn known(
        &self,
        key: FileKey,
        place: usize,
        (path, deleted): (&[u8], bool),
        offset: FileOffset,
    ) -> Option<ModuleIdx> {
        self.same_inode(key, place)
            .filter(|(_, known)| known.module.deleted == deleted && covers(known, path, offset))
            .map(|(at, _)| at)
            .last()
    }

    /// Returns whether the file of a VMA is the module with the same device, inode and
    /// name, and not a later file that reuses the inode of a deleted one.
    ///
    /// A file that was found in this call is still mapped, so its inode is not reused.
    /// For a file found earlier, the kernel's build ID is compared. If no build IDs are
    /// requested, only device, inode and name are compared.
    fn is_still(
        &self,
        known: ModuleIdx,
        mapped: &ExecutableVma<'_>,
        process: Option<&OpenProcess<'_>>,
    ) -> bool {
        let Some(process) = process.filter(|it| it.options.build_ids != BuildIds::None) else {
            return true;
        };
        let module = self
            .modules
            .get(known.as_usize())
            .map(|known| &known.module);
        known.as_usize() >= self.before_call
            || mapped
                .by_kernel(process)
                .is_some_and(|now| module.is_some_and(|module| module.build_id == Some(now)))
    }

    fn learn(
        &mut self,
        mapped: &ExecutableVma<'_>,
        key: FileKey,
        place: usize,
        (path, deleted): (&[u8], bool),
        process: Option<&OpenProcess<'_>>,
    ) -> Option<ModuleIdx> {
        let vma = mapped.vma;
        let is_vdso = mapped.backing == Backing::Vdso;
        let kind = if is_vdso {
            ModuleKind::Vdso
        } else {
            ModuleKind::File
        };
        let mut learnt = NormalizedModule {
            module: Module::default()
                .with_kind(kind)
                .with_path(path.to_vec())
                .with_deleted(deleted)
                .with_device(vma.device)
                .with_inode(vma.inode),
            member: None,
            image: None,
        };
        if let Some(process) = process.filter(|process| process.options.reads_modules()) {
            if is_vdso {
                vdso::learn(process, vma, &mut learnt);
            } else {
                let asks = process.options.asks_kernel();
                let by_kernel = asks.then(|| mapped.by_kernel(process)).flatten();
                module_file::learn(process, vma, by_kernel, &mut learnt);
            }
            // It may be known already: by another path (a hard link, a bind mount), or
            // from an earlier call if only reading the file could prove it.
            let is_this = |known: &NormalizedModule| {
                known.member == learnt.member && is_same_file(&known.module, &learnt.module)
            };
            let mut alike = self.same_inode(key, place);
            if let Some((met, _)) = alike.find(|(_, known)| is_this(known)) {
                return Some(met);
            }
        }
        self.push(learnt, key, place)
    }

    /// Returns the index of a module whose code is in anonymous memory, and adds it if it is
    /// new. Returns `None` if there are 2^32 modules already.
    pub(crate) fn add_inferred(&mut self, learnt: NormalizedModule) -> Option<ModuleIdx> {
        let key = file_key(&learnt.module);
        let place = self.place_of(key);
        let met = self
            .same_inode(key, place)
            .find(|(_, known)| is_same_file(&known.module, &learnt.module))
            .map(|(met, _)| met);
        met.or_else(|| self.push(learnt, key, place))
    }

    fn push(&mut self, learnt: NormalizedModule, key: FileKey, place: usize) -> Option<ModuleIdx> {
        let index = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        make_room(&mut self.modules, FIRST_MODULES);
        self.modules.push(learnt);
        match self.modules.len() {
            ..=LINEAR_MAX => {}
            BINARY_MIN => {
                let all = (0..).map(ModuleIdx).zip(&self.modules);
                let all = all.map(|(at, known)| (digest(file_key(&known.module)), at));
                self.by_file = all.collect();
                self.by_file.sort_unstable();
            }
            _ => {
                let new = (digest(key), index);
                let after = self.by_file.get(place..).unwrap_or_default();
                let alike = after.iter().take_while(|known| **known < new).count();
                self.by_file.insert(place.saturating_add(alike), new);
            }
        }
        Some(index)
    }
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

/// Returns whether two files with the same device and inode, found at different times,
/// are the same: by build ID, or without one by all other fields.
fn is_same_file(known: &Module, now: &Module) -> bool {
    match (known.build_id, now.build_id) {
        (Some(known), Some(now)) => known == now,
        (None, None) => known == now,
        _ => false,
    }
}

/// Returns the offset in the module of the first byte of a VMA: that in its file, unless the
/// module is the member of an archive. `None` if the VMA begins before it.
#[inline]
fn offset_in(known: &NormalizedModule, vma: &Vma) -> Option<FileOffset> {
    let start = known.member.as_ref().map_or(0, |range| range.start);
    vma.offset.0.checked_sub(start).map(FileOffset)
}

/// Returns whether a module of the same device and inode has this path, and a VMA with this file
/// offset is in it.
fn covers(known: &NormalizedModule, path: &[u8], offset: FileOffset) -> bool {
    match &known.member {
        Some(range) => range.contains(&offset.0) && is_member_of(&known.module.path, path),
        // An archive with nothing at one offset may have a member at another. So what could not
        // be read is read again.
        None => known.module.path == path && known.module.unreadable != Some(Reason::Unreadable),
    }
}

/// Returns whether `path` is that of a member of this archive.
fn is_member_of(path: &[u8], archive: &[u8]) -> bool {
    ArchiveMember::split(path).is_some_and(|(of, _)| of == archive)
}

fn file_key(module: &Module) -> FileKey {
    let group = match module.kind {
        ModuleKind::Vdso => Group::Vdso,
        _ if module.inferred => Group::Inferred,
        _ => Group::File,
    };
    (group, module.inode, module.device)
}

/// Returns a hash of a file's key.
fn digest((group, inode, device): FileKey) -> u64 {
    let device = u64::from(device.major).rotate_left(20) ^ u64::from(device.minor);
    (inode ^ device.rotate_left(32)).wrapping_add(u64::from(group != Group::File))
}

/// Returns the path for display, and whether it was marked as deleted.
pub(crate) fn shown(raw_name: &[u8]) -> (&[u8], bool) {
    match VmaName::new(raw_name) {
        VmaName::Path { path, deleted } => (path, deleted),
        // A memfd never has a path, so ` (deleted)` has no meaning for it.
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
