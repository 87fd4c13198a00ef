//! The symbols of a module as sorted tables.

use std::path::PathBuf;

use backsight_index::{IndexCause, IndexError, SymbolIndex};
use backsight_symbolize::{BuiltIndex, IndexDir, ModuleInput};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::{Failure, FailureKind, Result, work};
use crate::owned::Owned;
use crate::symbol_options::SymbolOptions;
use crate::symbolizer_error::of_symbols;

/// An index: all that lookups need from a module's debug files, as sorted tables.
///
/// >>> import sys
/// >>> index = Index.build(sys.executable)
/// >>> index.tables["functions"] > 0
/// True
#[pyclass(frozen, module = "backsight", name = "Index")]
pub(crate) struct IndexObject {
    build_id: Option<Vec<u8>>,
    size: usize,
    notes: Vec<String>,
    tables: Vec<(&'static str, usize)>,
    owned: Owned<SymbolIndex>,
}

fn of_index(error: &IndexError) -> Failure {
    match error.cause() {
        IndexCause::File(backsight_files::Error::TooLarge { .. }) => {
            Failure::of("index", error).with_kind(FailureKind::Limit)
        }
        IndexCause::File(cause) => Failure::of_cause("index", error, cause),
        _ => Failure::of("index", error),
    }
}

impl IndexObject {
    fn new(index: SymbolIndex, notes: Vec<String>) -> Self {
        let tables = index.tables();
        Self {
            build_id: index.build_id().map(|id| id.as_bytes().to_vec()),
            size: index.file_size(),
            notes,
            tables: tables.iter().map(|it| (it.name, it.rows)).collect(),
            owned: Owned::new("the index", index),
        }
    }

    /// Returns a copy, whose tables are shared or read again.
    pub(crate) fn read(&self) -> Result<SymbolIndex> {
        self.owned.with(|index| {
            let mut bytes = Vec::with_capacity(index.file_size());
            index
                .write_to(&mut bytes)
                .map_err(|error| Failure::of("index", &error))?;
            SymbolIndex::from_bytes(bytes.into()).map_err(|error| of_index(&error))
        })
    }
}

#[pymethods]
impl IndexObject {
    /// Builds the index of a file and its debug files. `notes` of it says what was missing or
    /// damaged. `demangled` adds the names for people.
    #[staticmethod]
    #[pyo3(signature = (path, *, symbols=None, demangled=false))]
    fn build(
        py: Python<'_>,
        path: PathBuf,
        symbols: Option<&SymbolOptions>,
        demangled: bool,
    ) -> Result<Self> {
        let options = SymbolOptions::of(symbols);
        work(py, || {
            let input = ModuleInput::open(&path).map_err(|error| of_symbols(&error))?;
            let built = BuiltIndex::of(input, None, &options);
            let built = built.map_err(|error| of_symbols(&error))?;
            let mut notes = Vec::new();
            for shortfall in &built.shortfalls {
                let of = shortfall.path.as_deref().unwrap_or(&path).display();
                notes.push(format!("{of}: {}", shortfall.kind));
            }
            for file in &built.oversized {
                notes.push(format!(
                    "{}: its debug information needs {} bytes, more than `unpacked_bytes` allows",
                    file.path.as_deref().unwrap_or(&path).display(),
                    file.needed
                ));
            }
            let mut index = built.index;
            if demangled {
                index.add_demangled(options.limits.name_bytes);
            }
            Ok(Self::new(index, notes))
        })
    }

    /// Reads an index that was written.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> Result<Self> {
        work(py, || {
            let options = SymbolOptions::of(None);
            let index = SymbolIndex::open(&path, &options).map_err(|error| of_index(&error))?;
            Ok(Self::new(index, Vec::new()))
        })
    }

    /// Writes it to a file, which it replaces when all is written.
    fn write(&self, py: Python<'_>, path: PathBuf) -> Result {
        work(py, || {
            self.owned
                .with(|index| index.write(&path).map_err(|error| of_index(&error)))
        })
    }

    /// Keeps it in a directory of indexes, under its build ID, and returns its path there. At most
    /// `max_bytes` are kept: the least recently used indexes are removed first.
    #[pyo3(signature = (directory, *, max_bytes=4 << 30))]
    fn keep(&self, py: Python<'_>, directory: PathBuf, max_bytes: u64) -> Result<PathBuf> {
        work(py, || {
            let dir = IndexDir::new(directory, max_bytes);
            self.owned.with(|index| {
                let id = index.build_id().ok_or_else(|| {
                    Failure::bad_argument("no build ID, which an index directory needs")
                })?;
                dir.keep(index).map_err(|error| of_index(&error))?;
                Ok(dir.path_of(id))
            })
        })
    }

    /// Reads all of it, and raises `Damaged` if it is not sound.
    fn verify(&self, py: Python<'_>) -> Result {
        work(py, || {
            self.owned
                .with(|index| index.verify().map_err(|error| of_index(&error)))
        })
    }

    /// The build ID of the module; None if it has none.
    #[getter]
    fn build_id<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.build_id.as_deref().map(|id| PyBytes::new(py, id))
    }

    /// The size of its file in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    /// What was missing or damaged when it was built, a line each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// Its tables by name, with their numbers of rows.
    #[getter]
    fn tables(&self) -> std::collections::HashMap<&'static str, usize> {
        self.tables.iter().copied().collect()
    }

    /// Releases its memory. It may be closed again.
    fn close(&self, py: Python<'_>) -> Result {
        work(py, || self.owned.close())
    }

    fn __repr__(&self) -> String {
        format!("<backsight.Index: {} bytes>", self.size)
    }
}
