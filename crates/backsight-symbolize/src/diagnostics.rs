//! Diagnostics of a symbolizer: which files it looked for, and what is wrong with them.

use backsight_index::IndexError;

use crate::oversized::Oversized;
use crate::request::ModuleId;
use crate::shortfall::Shortfall;
use crate::sought::Sought;
use crate::symbolizer::Symbolizer;

impl Symbolizer {
    /// Returns which files were looked for so far of a module, in order: its debug file,
    /// what that names, an index; and why those that were there did not count. At most a
    /// thousand. Empty for an id of another symbolizer.
    #[must_use]
    pub fn sought(&self, module: ModuleId) -> Vec<Sought> {
        let module = self.module(module);
        module.map_or_else(Vec::new, |module| module.sought())
    }

    /// Notes where the caller looked for a file of a module before it was added, for
    /// [`sought`](Self::sought). Does nothing for an id of another symbolizer.
    pub fn note_sought(&self, module: ModuleId, sought: Sought) {
        if let Some(module) = self.module(module) {
            module.note_sought(sought);
        }
    }

    /// Returns all modules: in the order in which they were added, unless some were removed.
    #[must_use]
    pub fn module_ids(&self) -> Vec<ModuleId> {
        self.modules().iter().map(|(id, _)| id).collect()
    }

    /// Returns why indexes were not written to
    /// [`Options::index_dir`](crate::Options::index_dir) that should have been.
    #[must_use]
    pub fn index_errors(&self) -> Vec<IndexError> {
        let modules = self.modules();
        let errors = modules
            .iter()
            .filter_map(|(_, module)| module.not_written().cloned());
        errors.collect()
    }

    /// Returns what was too large to be read of a module so far: debug files whose
    /// functions, lines and inlined calls are missing in the answers. At most a few are
    /// listed. Empty for an id of another symbolizer.
    #[must_use]
    pub fn oversized(&self, module: ModuleId) -> Vec<Oversized> {
        let module = self.module(module);
        module.map_or_else(Vec::new, |module| module.oversized())
    }

    /// Returns what answers about a module lack so far because a file that its debug
    /// information names was not found, or because that is damaged. Empty for an id of
    /// another symbolizer, and of a module whose index was read from a file.
    #[must_use]
    pub fn shortfalls(&self, module: ModuleId) -> Vec<Shortfall> {
        let module = self.module(module);
        module.map_or_else(Vec::new, |module| module.shortfalls())
    }
}
