//! What a replay keeps of modules.

use std::collections::{HashMap, HashSet};

use backsight_types::ModuleIdx;

use super::Replay;
use crate::address_space::AddressSpace;
use crate::options::Trust;
use crate::vma_cache::VmaCache;

impl Replay {
    /// Forgets the modules that no process has mapped any more, except those in `wanted`, so that
    /// the others get new indices: an agent meets new programs for as long as it runs. Returns
    /// the new index of each module so far; `None` if it was forgotten.
    pub fn forget_unmapped(&mut self, wanted: &HashSet<ModuleIdx>) -> Vec<Option<ModuleIdx>> {
        let spaces = self.processes.values().map(|process| &process.space);
        let mapped = spaces.flat_map(|space| space.iter().filter_map(|mapped| mapped.module));
        let mut kept: HashSet<ModuleIdx> = mapped.collect();
        kept.extend(wanted);
        let moved = self.modules.retain(&kept);
        // Forked processes share their mappings. The old ones live until the end, so that no place
        // has two.
        let mut done: HashMap<usize, (AddressSpace, AddressSpace)> = HashMap::new();
        for process in self.processes.values_mut() {
            let old = &process.space;
            let new = || (old.clone(), old.with_moved_modules(&moved));
            let (_, new) = done.entry(old.place()).or_insert_with(new);
            process.space = new.clone();
            process.cache = VmaCache::new(Trust::UntilInvalidated);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use backsight_types::trace::{CapturedAddrs, Mmap, ProcessChange, ProcessRecord};
    use backsight_types::{AbsAddr, AbsRange, ModuleIdx, Outcome, Perms};

    use super::Replay;

    fn record(pid: u32, change: ProcessChange) -> ProcessRecord {
        ProcessRecord {
            time_ns: 0,
            pid,
            change,
        }
    }

    fn map(pid: u32, page: u64, name: &str) -> ProcessRecord {
        let start = AbsAddr(page << 12);
        let end = AbsAddr((page + 1) << 12);
        let mapping = Mmap {
            range: AbsRange { start, end },
            perms: Perms::READ | Perms::EXECUTE,
            name: name.into(),
            ..Mmap::default()
        };
        record(pid, ProcessChange::Mmap(mapping))
    }

    #[test]
    fn modules_in_use_are_found_at_their_new_indices() {
        let mut replay = Replay::new();
        let records = [
            map(1, 1, "/gone"),
            map(2, 1, "/stays"),
            record(3, ProcessChange::Fork { parent: 2 }),
            map(3, 2, "/wanted"),
            map(3, 2, "/instead"),
            record(1, ProcessChange::Exit),
        ];
        replay.feed(&records, &[]);
        let wanted = HashSet::from([ModuleIdx(2)]);
        let moved = replay.forget_unmapped(&wanted);
        let new = |index| Some(ModuleIdx(index));
        assert_eq!(moved, [None, new(0), new(1), new(2)]);
        let paths = replay.modules().iter().map(|it| it.module.path_lossy());
        let paths: Vec<_> = paths.collect();
        assert_eq!(paths, ["/stays", "/wanted", "/instead"]);
        let sample = |pid| CapturedAddrs {
            time_ns: 1,
            pid,
            addrs: vec![AbsAddr(0x1000), AbsAddr(0x2000)],
        };
        // A file that was forgotten is a new one when it is met again.
        let outcomes = replay.feed(&[map(4, 1, "/gone")], &[sample(2), sample(3), sample(4)]);
        let modules = outcomes.iter().flatten().map(|outcome| match outcome {
            Outcome::Located { module, .. } => Some(module.0),
            _ => None,
        });
        let modules: Vec<_> = modules.collect();
        assert_eq!(modules, [Some(0), None, Some(0), Some(2), Some(3), None]);
    }
}
