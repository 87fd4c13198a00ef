//! Modules are added, and removed.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};

use backsight_index::SymbolIndex;
use backsight_types::{BuildId, Segments};

use super::Symbolizer;
use crate::module::SymbolModule;
use crate::module_list::{Content, ModuleKey, RootKey};
use crate::options::Options;
use crate::request::{ModuleId, ModuleInput, NewModule};
use crate::source::{SymbolSource, Turn};

impl Symbolizer {
    /// Takes a module. Its bytes are read at its first lookup; at once, if as many files are open
    /// as the [`Budget`](crate::Budget) allows.
    ///
    /// `build_id` is the build ID it must have: other files are refused, and it
    /// leads to the debug file. Without one, the file's own leads there.
    ///
    /// `segments` are the executable's program headers where the caller knows
    /// them. File offsets need them when the executable itself is not at hand.
    ///
    /// A file that was added before, and was not changed since, is the same module; so are the
    /// same bytes, if they are shared, and the same build ID. See [`remove`](Self::remove).
    pub fn add(
        &self,
        input: ModuleInput,
        build_id: Option<BuildId>,
        segments: Option<Segments>,
    ) -> ModuleId {
        let module = NewModule::new(input).with_build_id(build_id);
        self.add_new(module.with_segments(segments))
    }

    /// As [`add`](Self::add), for a module that may have root directories of its own. The same
    /// file in another root is another module: its debug file may be another one.
    pub fn add_new(&self, module: NewModule) -> ModuleId {
        let NewModule {
            input,
            build_id,
            segments,
            roots,
        } = module;
        let options = match roots {
            Some(roots) if roots != self.options.roots => self.options_with(roots),
            _ => Arc::clone(&self.options),
        };
        let key = Content::of(&input).map(|content| ModuleKey {
            content,
            build_id,
            segments: segments.clone(),
            roots: options.roots.iter().map(|root| RootKey::of(root)).collect(),
        });
        let is_file = matches!(input, ModuleInput::File { .. });
        let permit = self.open_files.permit().filter(|_| is_file);
        let (id, module) = {
            let mut modules = self.modules_mut();
            let again = key.as_ref().and_then(|key| modules.add_again(key));
            if let Some(id) = again.filter(|id| !modules.get(*id).is_some_and(has_failed)) {
                return id;
            }
            let is_beyond = is_file && permit.is_none();
            let module = SymbolModule::new(input, build_id, segments, permit, options);
            let module = Arc::new(module);
            let beyond = is_beyond.then(|| Arc::clone(&module));
            let id = match again {
                // What kept it from being read may be over.
                Some(id) => modules.put(id, module),
                None => modules.add(module, key),
            };
            (id, beyond)
        };
        // It is closed then. If that fails, the first lookup says so.
        if let Some(module) = module {
            let _ = self.threads.run(|| module.load());
            self.bound(&[id]);
        }
        id
    }

    /// Takes a module of which an index is at hand, and nothing else is needed.
    ///
    /// `segments` are the executable's program headers: an index has none, and
    /// file offsets need them.
    pub fn add_index(&self, index: SymbolIndex, segments: Option<Segments>) -> ModuleId {
        let options = Arc::clone(&self.options);
        let module = SymbolModule::of_index(index, segments, options);
        let kept = module.kept_bytes();
        let mut modules = self.modules_mut();
        let id = modules.add(Arc::new(module), None);
        modules.count(id, kept);
        id
    }

    /// Takes a module away, with all that was read of it. One that was added several times goes
    /// when it was removed as often. Returns `false` if there is no such module.
    ///
    /// Its ID has no answers then, and is never that of another module. Answers of earlier
    /// batches stay valid.
    pub fn remove(&self, module: ModuleId) -> bool {
        let (was_there, module) = self.modules_mut().remove(module);
        // Not under the lock: it may be thousands of small tables.
        drop(module);
        was_there
    }

    /// Returns the options with other roots, which modules with the same roots share.
    fn options_with(&self, roots: Vec<PathBuf>) -> Arc<Options> {
        let of_roots = self.of_roots.lock();
        let mut of_roots = of_roots.unwrap_or_else(PoisonError::into_inner);
        if let Some(options) = of_roots.get(&roots).and_then(Weak::upgrade) {
            return options;
        }
        of_roots.retain(|_, options| options.strong_count() > 0);
        let mut options = Options::clone(&self.options);
        options.roots.clone_from(&roots);
        let options = Arc::new(options);
        of_roots.insert(roots, Arc::downgrade(&options));
        options
    }

    /// Has one more source asked about a module, for all that is asked from now on. Does
    /// nothing for an id of another symbolizer.
    ///
    /// A module with such sources is asked place by place, though its files may have been
    /// indexed.
    pub fn add_source(&self, module: ModuleId, turn: Turn, source: Arc<dyn SymbolSource>) {
        if let Some(module) = self.module(module) {
            module.add_source(turn, source);
        }
    }
}

fn has_failed(module: &Arc<SymbolModule>) -> bool {
    module.has_failed()
}
