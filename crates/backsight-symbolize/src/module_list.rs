//! The modules of a symbolizer: found by their IDs, and by what they were read from.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_files::Identity;
use backsight_types::{BuildId, Segments};

use crate::module::SymbolModule;
use crate::request::{ModuleId, ModuleInput};

/// The modules that were added and not removed.
#[derive(Debug, Default)]
pub(crate) struct ModuleList {
    slots: Vec<Slot>,
    /// Slots without a module, which are used again.
    free: Vec<u32>,
    same: HashMap<Arc<ModuleKey>, ModuleId>,
    /// Slots of modules that keep something in memory.
    keeping: HashSet<u32>,
    /// What all of them keep, as last counted.
    kept_bytes: u64,
}

#[derive(Debug)]
struct Slot {
    /// Which of the modules that had this slot: an ID of an earlier one finds nothing.
    generation: u32,
    /// How often the module was added, without the times that it was removed.
    added: usize,
    key: Option<Arc<ModuleKey>>,
    module: Option<Arc<SymbolModule>>,
    /// What it keeps in memory, as last counted.
    kept_bytes: u64,
}

/// What makes two modules the same: the same bytes, and the same places to look around in.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModuleKey {
    pub(crate) content: Content,
    pub(crate) build_id: Option<BuildId>,
    pub(crate) segments: Option<Segments>,
    pub(crate) roots: Vec<RootKey>,
}

/// Which bytes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    /// A file that was not changed meanwhile. Its path is where other files are looked for, and
    /// which member of an archive it is.
    File(Identity, Option<PathBuf>),
    Bytes(SameBytes),
    BuildId(BuildId),
}

/// Bytes at one place in memory. They are kept, so that no others take that place.
#[derive(Debug)]
pub(crate) struct SameBytes(Arc<[u8]>);

impl SameBytes {
    fn place(&self) -> (usize, usize) {
        (self.0.as_ptr().addr(), self.0.len())
    }
}

impl PartialEq for SameBytes {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for SameBytes {}

impl Hash for SameBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

/// Which root directory: several paths lead to one, such as those of the processes of a container.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum RootKey {
    Directory(u64, u64),
    /// One that cannot be looked at.
    Path(PathBuf),
}

impl Content {
    /// Returns what can be compared of an input. `None` if it is always another one.
    pub(crate) fn of(input: &ModuleInput) -> Option<Self> {
        match input {
            ModuleInput::File { file, path } => {
                Some(Self::File(Identity::of(file).ok()?, path.clone()))
            }
            ModuleInput::Bytes(bytes) => Some(Self::Bytes(SameBytes(Arc::clone(bytes)))),
            ModuleInput::BuildId(id) => Some(Self::BuildId(*id)),
            ModuleInput::Symbols(_) => None,
        }
    }
}

impl RootKey {
    pub(crate) fn of(root: &Path) -> Self {
        match std::fs::metadata(root) {
            Ok(there) => Self::Directory(there.dev(), there.ino()),
            Err(_) => Self::Path(root.to_owned()),
        }
    }
}

impl ModuleList {
    /// Returns how many numbers of slots are in use.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Returns what all modules keep in memory, as last counted.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Returns the module with this key, which was added once more.
    pub(crate) fn add_again(&mut self, key: &ModuleKey) -> Option<ModuleId> {
        let id = *self.same.get(key)?;
        let slot = self.slot_mut(id)?;
        slot.added = slot.added.saturating_add(1);
        Some(id)
    }

    /// Adds a module.
    pub(crate) fn add(&mut self, module: Arc<SymbolModule>, key: Option<ModuleKey>) -> ModuleId {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                added: 0,
                key: None,
                module: None,
                kept_bytes: 0,
            });
            // 2^32 modules do not fit into memory.
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let key = key.map(Arc::new);
        let mut id = ModuleId {
            slot: at,
            generation: 0,
        };
        if let Some(slot) = self.slots.get_mut(as_index(at)) {
            id.generation = slot.generation;
            (slot.added, slot.module, slot.key) = (1, Some(module), key.clone());
        }
        if let Some(key) = key {
            self.same.insert(key, id);
        }
        id
    }

    /// Takes one addition back. Returns whether there was such a module, and the module if it was
    /// the last one.
    pub(crate) fn remove(&mut self, id: ModuleId) -> (bool, Option<Arc<SymbolModule>>) {
        let Some(slot) = self.slot_mut(id) else {
            return (false, None);
        };
        slot.added = slot.added.saturating_sub(1);
        if slot.added > 0 {
            return (true, None);
        }
        let (module, key) = (slot.module.take(), slot.key.take());
        let kept = std::mem::take(&mut slot.kept_bytes);
        let next = slot.generation.checked_add(1);
        slot.generation = next.unwrap_or(slot.generation);
        // A slot of which no ID is left is not used again.
        if next.is_some() {
            self.free.push(id.slot);
        }
        if let Some(key) = key {
            self.same.remove(&key);
        }
        self.keeping.remove(&id.slot);
        self.kept_bytes = self.kept_bytes.saturating_sub(kept);
        (true, module)
    }

    /// Returns a module.
    #[inline]
    pub(crate) fn get(&self, id: ModuleId) -> Option<&Arc<SymbolModule>> {
        let slot = self.slots.get(as_index(id.slot))?;
        slot.module
            .as_ref()
            .filter(|_| slot.generation == id.generation)
    }

    /// Puts what `change` makes of a module in its place, and returns what was there. `None` if
    /// nothing was changed.
    pub(crate) fn replace(
        &mut self,
        id: ModuleId,
        change: impl FnOnce(&SymbolModule) -> Option<SymbolModule>,
    ) -> Option<Arc<SymbolModule>> {
        let module = self.slot_mut(id)?.module.as_mut()?;
        let anew = change(module)?;
        Some(std::mem::replace(module, Arc::new(anew)))
    }

    /// Puts a module in the place of another, and returns its ID.
    pub(crate) fn put(&mut self, id: ModuleId, module: Arc<SymbolModule>) -> ModuleId {
        if let Some(slot) = self.slot_mut(id) {
            slot.module = Some(module);
        }
        id
    }

    /// Notes what a module keeps.
    pub(crate) fn count(&mut self, id: ModuleId, kept_bytes: u64) {
        let Some(slot) = self.slot_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut slot.kept_bytes, kept_bytes);
        match kept_bytes {
            0 => self.keeping.remove(&id.slot),
            _ => self.keeping.insert(id.slot),
        };
        let others = self.kept_bytes.saturating_sub(before);
        self.kept_bytes = others.saturating_add(kept_bytes);
    }

    /// Returns the modules that keep something, as last counted.
    pub(crate) fn keeping(&self) -> Vec<(ModuleId, Arc<SymbolModule>)> {
        let all = self.keeping.iter().filter_map(|at| {
            let slot = self.slots.get(as_index(*at))?;
            Some((slot.id(*at), Arc::clone(slot.module.as_ref()?)))
        });
        all.collect()
    }

    /// Returns all modules, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ModuleId, &Arc<SymbolModule>)> {
        let all = self.slots.iter().zip(0_u32..);
        all.filter_map(|(slot, at)| Some((slot.id(at), slot.module.as_ref()?)))
    }

    fn slot_mut(&mut self, id: ModuleId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(as_index(id.slot))?;
        (slot.generation == id.generation && slot.module.is_some()).then_some(slot)
    }
}

impl Slot {
    fn id(&self, slot: u32) -> ModuleId {
        ModuleId {
            slot,
            generation: self.generation,
        }
    }
}

#[inline]
fn as_index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
