//! What the modules of a symbolizer keep in memory, and what of it is given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Symbolizer;
use crate::batch::BatchPlan;
use crate::budget::Usage;
use crate::module::SymbolModule;
use crate::request::ModuleId;
use crate::trace::event;

/// When the memory in use exceeds the budget, so much more of it is freed, as a part of the
/// whole: choosing what to evict costs more than what one batch adds.
const EVICT_MORE: u64 = 16;

impl Symbolizer {
    /// Goes on with less of what a batch has read.
    pub(super) fn settle(&self, plan: BatchPlan) {
        let BatchPlan {
            to_count,
            newly_indexed,
            indexing_bytes,
            ..
        } = plan;
        self.largest_indexing
            .fetch_max(indexing_bytes, Ordering::Relaxed);
        self.drop_indexed_dwarf(&newly_indexed);
        if !to_count.is_empty() {
            self.bound(&to_count);
        }
    }

    /// Counts what these modules keep now, and evicts what is too much.
    pub(super) fn bound(&self, modules: &[ModuleId]) {
        self.count(modules);
        let most = self.room();
        if self.modules().kept_bytes() > most {
            self.evict(most.saturating_sub(most / EVICT_MORE));
        }
    }

    /// Returns what modules may keep, so that the next one can be indexed.
    fn room(&self) -> u64 {
        let kept = self.options.budget.kept_bytes;
        let free = self.largest_indexing.load(Ordering::Relaxed).min(kept / 2);
        // Of a heap in which indexes were built a third lies idle, between small texts
        // that stay.
        let room = kept.saturating_sub(free);
        room.saturating_sub(room / 3)
    }

    /// Counts what these modules keep.
    fn count(&self, modules: &[ModuleId]) {
        let all = self.modules();
        let found = modules.iter().map(|id| (*id, all.get(*id).cloned()));
        let found: Vec<_> = found.collect();
        drop(all);
        let counted = found
            .into_iter()
            .filter_map(|(id, module)| Some((id, module?.kept_bytes())));
        let counted: Vec<(ModuleId, u64)> = counted.collect();
        let mut all = self.modules_mut();
        for (id, kept) in counted {
            all.count(id, kept);
        }
    }

    /// Goes on without the indexes of these modules, which are damaged.
    pub(crate) fn drop_damaged_indexes(&self, modules: &[ModuleId]) {
        let mut all = self.modules_mut();
        for id in modules {
            all.replace(*id, SymbolModule::without_damaged_index);
        }
    }

    /// Drops the DWARF of modules of which an index was just built.
    fn drop_indexed_dwarf(&self, modules: &[ModuleId]) {
        if modules.is_empty() {
            return;
        }
        let mut all = self.modules_mut();
        let useless = modules.iter();
        let useless = useless.filter_map(|id| all.replace(*id, SymbolModule::without_dwarf));
        let useless: Vec<Arc<SymbolModule>> = useless.collect();
        drop(all);
        // Thousands of small tables.
        if !useless.is_empty() {
            self.threads.do_later(move || drop(useless));
        }
    }

    /// Evicts the least recently used modules, until the others keep no more than this many
    /// bytes. This is done after each batch,
    /// as [`Budget::kept_bytes`](crate::Budget::kept_bytes) says.
    ///
    /// An evicted module is read again when it is needed. Answers stay valid: they keep the
    /// tables that they point into.
    pub fn evict(&self, down_to_bytes: u64) {
        let keeping = self.modules().keeping();
        let kept = keeping.iter();
        let kept = kept.map(|(id, module)| (module.used(), *id, module.kept_bytes()));
        let mut kept: Vec<(u64, ModuleId, u64)> = kept.collect();
        drop(keeping);
        let all = kept.iter().map(|(_, _, kept)| *kept);
        let mut total = all.fold(0, u64::saturating_add);
        kept.sort_unstable();
        let mut useless = Vec::new();
        let mut modules = self.modules_mut();
        for (_, id, kept) in kept {
            modules.count(id, kept);
            if total <= down_to_bytes {
                continue;
            }
            if let Some(evicted) = modules.replace(id, SymbolModule::forget) {
                modules.count(id, 0);
                useless.push(evicted);
                total = total.saturating_sub(kept);
                event!("evicted", bytes = kept, left = total);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        // Freed when nobody waits for the list any more.
        drop(modules);
        drop(useless);
    }

    /// Returns what is held at the moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let modules: Vec<Arc<SymbolModule>> = {
            let all = self.modules();
            all.iter().map(|(_, module)| Arc::clone(module)).collect()
        };
        let mut usage = Usage {
            modules: modules.len(),
            evicted: self.evicted.load(Ordering::Relaxed),
            ..Usage::default()
        };
        for files in modules.iter().filter_map(|module| module.read_files()) {
            usage.loaded = usage.loaded.saturating_add(1);
            usage.indexed = usage
                .indexed
                .saturating_add(files.indexed().is_some().into());
            usage.kept_bytes = usage.kept_bytes.saturating_add(files.kept_bytes());
        }
        let not_written = modules
            .iter()
            .filter(|module| module.not_written().is_some());
        usage.not_written = not_written.count();
        usage
    }
}
