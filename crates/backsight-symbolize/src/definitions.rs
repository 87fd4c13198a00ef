//! The other way round: from names to places, and all names there are.

use std::collections::HashSet;
use std::sync::Arc;

use backsight_demangle::demangle;
use backsight_index::IndexView;
use backsight_types::VirtOffset;

use crate::elf::{SymbolKind, SymbolRow};
use crate::error::{Cause, Error};
use crate::files::LoadedFiles;
use crate::go_program::GoProgram;
use crate::options::Options;
use crate::request::ModuleId;
use crate::symbolizer::Symbolizer;

/// A function, object or label that a module defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Definition {
    /// The name that the linker knows; of a function that only debug information
    /// knows, the name there.
    pub name: Arc<str>,
    /// The name for people: demangled, if that is wanted and possible.
    pub shown: Arc<str>,
    /// What it is.
    pub kind: DefinitionKind,
    /// The virtual offset of its first byte.
    pub start: VirtOffset,
    /// In bytes; 0 when neither symbol nor debug information says.
    pub size: u64,
    /// The source file of a function's first instruction: where several functions were
    /// folded together there, this one's.
    pub file: Option<Arc<str>>,
    /// The line in it, from 1.
    pub line: Option<u32>,
}

/// What a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DefinitionKind {
    /// Code with a beginning and an end.
    Function,
    /// Data.
    Object,
    /// A place in code that assembly gives a name to.
    Label,
}

impl Symbolizer {
    /// Lists what a module defines: every symbol of its files, aliases included, and
    /// the functions that debug information alone knows; in the order of their virtual
    /// offsets, then of their names.
    ///
    /// Indexes the module as a whole if its debug information can be indexed.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn definitions(&self, module: ModuleId) -> Result<Vec<Definition>, Error> {
        self.define(module, |_| true)
    }

    /// Lists the definitions of this name, as the linker knows it or as people do:
    /// `memchr`, `_ZN3abs3runEv`, `abs::run()`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn definitions_named(
        &self,
        module: ModuleId,
        name: &str,
    ) -> Result<Vec<Definition>, Error> {
        // No name that linkers know has these, and demangling all of them takes time.
        let is_for_people = name.contains([':', '(', '<', ' ']);
        let limit = self.options().limits.name_bytes;
        self.define(module, |linkage| {
            linkage == name || (is_for_people && demangle(linkage, limit).as_deref() == Some(name))
        })
    }

    /// Returns what a module's own file tells of Go; `None` when it is no Go program, and
    /// of a module of which an index alone is there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn go_program(&self, module: ModuleId) -> Result<Option<GoProgram>, Error> {
        let module = self.module(module).ok_or(Cause::NotFound)?;
        module.load()?;
        Ok(module.go_program())
    }

    fn define(
        &self,
        module: ModuleId,
        wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<Vec<Definition>, Error> {
        self.threads().run(|| self.define_here(module, wanted))
    }

    fn define_here(
        &self,
        module: ModuleId,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Definition>, Error> {
        let id = module;
        let mut module = self.module(id).ok_or(Cause::NotFound)?;
        module.load()?;
        if module
            .index_now()
            .is_some_and(|indexed| !indexed.is_all_sound())
        {
            self.drop_damaged_indexes(&[id]);
            module = self.module(id).ok_or(Cause::NotFound)?;
            module.load()?;
        }
        let indexed = module.index_now();
        let indexed = indexed.as_ref();
        let mut list = DefinitionList {
            options: self.options(),
            indexed,
            wanted,
            known: HashSet::new(),
            found: Vec::new(),
        };
        if let Some(files) = module.read_files() {
            list.add_symbols(files);
        }
        if let Some(indexed) = indexed {
            list.add_functions(indexed);
        }
        let mut found = list.found;
        found.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
        Ok(found)
    }
}

struct DefinitionList<'m, W> {
    options: &'m Options,
    indexed: Option<&'m Arc<IndexView>>,
    wanted: W,
    /// Which names stand where already.
    known: HashSet<(u64, Arc<str>)>,
    found: Vec<Definition>,
}

impl<W: Fn(&str) -> bool> DefinitionList<'_, W> {
    fn add_symbols(&mut self, files: &LoadedFiles) {
        files.for_each_symbol(self.options, |row: &SymbolRow<'_>, name| {
            let kind = match row.kind {
                SymbolKind::Function => DefinitionKind::Function,
                SymbolKind::Object => DefinitionKind::Object,
                SymbolKind::Untyped => DefinitionKind::Label,
            };
            self.add(name, kind, row.start, row.size);
        });
    }

    /// Functions whose code no symbol starts at.
    fn add_functions(&mut self, indexed: &IndexView) {
        let starts: HashSet<u64> = self.found.iter().map(|found| found.start.0).collect();
        indexed.for_each_function(|name, start, size| {
            if !starts.contains(&start) {
                self.add(name, DefinitionKind::Function, start, size.into());
            }
        });
    }

    fn add(&mut self, name: &str, kind: DefinitionKind, start: u64, size: u64) {
        if !(self.wanted)(name) {
            return;
        }
        let name: Arc<str> = name.into();
        if !self.known.insert((start, Arc::clone(&name))) {
            return;
        }
        let limit = self.options.limits.name_bytes;
        let shown = self.options.demangle.then(|| demangle(&name, limit));
        let hit = match kind {
            DefinitionKind::Object => None,
            DefinitionKind::Function | DefinitionKind::Label => {
                self.indexed.and_then(|indexed| indexed.place(start))
            }
        };
        let (file, line) = hit.unwrap_or_default();
        self.found.push(Definition {
            shown: shown.flatten().map_or_else(|| Arc::clone(&name), Arc::from),
            name,
            kind,
            start: VirtOffset(start),
            size,
            file,
            line,
        });
    }
}
