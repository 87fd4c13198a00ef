//! What a module defines.

use backsight_symbolize::{Definition, DefinitionKind};
use pyo3::prelude::*;

/// A function, object or label.
#[pyclass(frozen, eq, get_all, module = "backsight", name = "Symbol")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SymbolView {
    /// Its name for people: demangled, if it can be.
    name: String,
    /// Its name for the linker.
    linkage_name: String,
    /// The source file of a function.
    file: Option<String>,
    /// The line in it, counted from 1.
    line: Option<u32>,
    /// `function`, `object`, `label` or, of a kind that this version does not know, `other`.
    kind: &'static str,
    /// The virtual offset of its first byte.
    start: u64,
    /// In bytes; 0 if it is not known.
    bytes: u64,
}

impl SymbolView {
    pub(crate) fn new(of: &Definition) -> Self {
        Self {
            name: of.shown.to_string(),
            linkage_name: of.name.to_string(),
            file: of.file.as_deref().map(str::to_owned),
            line: of.line,
            kind: match of.kind {
                DefinitionKind::Function => "function",
                DefinitionKind::Object => "object",
                DefinitionKind::Label => "label",
                _ => "other",
            },
            start: of.start.0,
            bytes: of.size,
        }
    }
}

#[pymethods]
impl SymbolView {
    fn __repr__(&self) -> String {
        let Self {
            name, start, kind, ..
        } = self;
        format!("<backsight.Symbol {start:#x} {kind} {name}>")
    }
}
