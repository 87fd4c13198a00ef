//! Modules of sessions in the form that C reads, which stay where they are.

use std::collections::HashMap;

use backsight_types::Module;

use crate::module::backsight_module;
use crate::strings::TextArena;

/// The modules that were shown so far.
#[derive(Default)]
pub(crate) struct ModuleStore {
    /// In boxes, since callers have pointers to them.
    shown: HashMap<u32, (Module, Box<backsight_module>)>,
    /// Shown before their index was given to a changed module.
    #[expect(
        clippy::vec_box,
        reason = "callers have pointers to what is in the boxes"
    )]
    past: Vec<Box<backsight_module>>,
    texts: TextArena,
}

// SAFETY: the pointers are to what the store itself has, and move with it.
unsafe impl Send for ModuleStore {}

impl ModuleStore {
    /// Shows a module of a session. It is there until the store is dropped.
    pub(crate) fn show(&mut self, index: u32, module: &Module) -> *const backsight_module {
        let Self { shown, past, texts } = self;
        if let Some((known, box_)) = shown.get(&index)
            && known == module
        {
            return &raw const **box_;
        }
        let new = Box::new(backsight_module::new(module, index, texts));
        let pointer = &raw const *new;
        let replaced = shown.insert(index, (module.clone(), new));
        past.extend(replaced.map(|(_, old)| old));
        pointer
    }
}
