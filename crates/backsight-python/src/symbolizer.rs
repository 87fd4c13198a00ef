//! Symbolizers: offsets in modules become functions, inlined frames and lines.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use backsight_index::SymbolIndex;
use backsight_normalize::ModuleImage;
use backsight_symbolize::{Answers, ModuleId, ModuleInput, NewModule, Place, Request, Symbolizer};
use backsight_types::{FileOffset, Lookup, Segments, VirtOffset};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::addresses::Addresses;
use crate::answer::AnswerView;
use crate::answers::AnswersView;
use crate::failure::{Failure, FailureKind, Result, work};
use crate::index::IndexObject;
use crate::module::GivenBuildId;
use crate::owned::Owned;
use crate::session::SessionView;
use crate::symbol::SymbolView;
use crate::symbol_options::SymbolOptions;
use crate::symbolizer_error::of_symbols;

/// Modules, and their symbols: names for offsets in files, without a process.
///
/// >>> import sys
/// >>> with Symbolizer() as symbolizer:
/// ...     module = symbolizer.add_file(sys.executable)
/// ...     symbol = symbolizer.symbols(module, "main")[0]
/// ...     symbolizer.symbolize(module, [symbol.start])[0].function
/// 'main'
#[pyclass(frozen, module = "backsight", name = "Symbolizer")]
pub(crate) struct SymbolizerView {
    owned: Owned<Numbered>,
}

/// A symbolizer, and the numbers that its modules have for the caller: one more than the place. No
/// number is used again.
struct Numbered {
    symbolizer: Symbolizer,
    ids: Vec<ModuleId>,
    numbers: HashMap<ModuleId, u64>,
}

impl Numbered {
    fn number(&mut self, id: ModuleId) -> u64 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            u64::try_from(self.ids.len()).unwrap_or(u64::MAX)
        })
    }

    fn module(&self, number: u64) -> Result<ModuleId> {
        let place = number
            .checked_sub(1)
            .and_then(|at| usize::try_from(at).ok());
        let found = place.and_then(|at| self.ids.get(at));
        found.copied().ok_or_else(|| {
            let message = format!("the symbolizer has no module {number}");
            Failure::new(FailureKind::NotFound, message)
        })
    }
}

impl SymbolizerView {
    fn add(
        &self,
        input: ModuleInput,
        wanted: Option<GivenBuildId>,
        roots: Option<Vec<PathBuf>>,
        segments: Option<Segments>,
    ) -> Result<u64> {
        let own = match &input {
            ModuleInput::BuildId(id) => Some(*id),
            _ => None,
        };
        let new = NewModule::new(input)
            .with_build_id(wanted.map(|it| it.0).or(own))
            .with_roots(roots)
            .with_segments(segments);
        self.owned.with(|of| {
            let id = of.symbolizer.add_new(new);
            Ok(of.number(id))
        })
    }
}

#[pymethods]
impl SymbolizerView {
    #[new]
    #[pyo3(signature = (symbols=None))]
    fn new(py: Python<'_>, symbols: Option<&SymbolOptions>) -> Result<Self> {
        let options = SymbolOptions::of(symbols);
        work(py, || {
            let numbered = Numbered {
                symbolizer: Symbolizer::new(options),
                ids: Vec::new(),
                numbers: HashMap::new(),
            };
            Ok(Self {
                owned: Owned::new("the symbolizer", numbered),
            })
        })
    }

    /// Adds a file, and returns its number. It is opened now, and read when an address in it is
    /// looked up. A path ending in `!/` and a name is a member of an archive. With `build_id`,
    /// another file is not used.
    #[pyo3(signature = (path, *, build_id=None, roots=None))]
    fn add_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        build_id: Option<GivenBuildId>,
        roots: Option<Vec<PathBuf>>,
    ) -> Result<u64> {
        work(py, || {
            let input = ModuleInput::open(&path).map_err(|error| of_symbols(&error))?;
            self.add(input, build_id, roots, None)
        })
    }

    /// Adds an ELF file that is in memory, which is copied.
    #[pyo3(signature = (data, *, build_id=None))]
    fn add_bytes(
        &self,
        py: Python<'_>,
        data: &[u8],
        build_id: Option<GivenBuildId>,
    ) -> Result<u64> {
        work(py, || {
            self.add(ModuleInput::Bytes(data.into()), build_id, None, None)
        })
    }

    /// Adds a module of which only the build ID is known. It is looked for in the debug
    /// directories, and fetched.
    #[pyo3(signature = (build_id, *, roots=None))]
    fn add_build_id(
        &self,
        py: Python<'_>,
        build_id: GivenBuildId,
        roots: Option<Vec<PathBuf>>,
    ) -> Result<u64> {
        work(py, || {
            self.add(ModuleInput::BuildId(build_id.0), None, roots, None)
        })
    }

    /// Adds a module of a session that was opened with `images=True`: the very file that the
    /// process has mapped. Without its file, its build ID may still lead to a debug file.
    #[pyo3(signature = (session, index, *, roots=None))]
    fn add_module(
        &self,
        py: Python<'_>,
        session: &Bound<'_, SessionView>,
        index: u32,
        roots: Option<Vec<PathBuf>>,
    ) -> Result<u64> {
        let session = session.get();
        work(py, || {
            let found = session.module_with_image(index)?;
            let path = PathBuf::from(OsStr::from_bytes(&found.module.path));
            let input = match (found.image, found.module.build_id) {
                (Some(ModuleImage::File(file)), _) => ModuleInput::File {
                    file,
                    path: Some(path),
                },
                (Some(ModuleImage::Bytes(bytes)), _) => ModuleInput::Bytes(bytes),
                (_, Some(id)) => ModuleInput::BuildId(id),
                _ => {
                    let why = found.module.unreadable.map_or("released", |it| it.as_str());
                    let message = format!(
                        "module {index}, {}, has neither a file ({why}) nor a build ID",
                        path.display()
                    );
                    return Err(Failure::new(FailureKind::NotFound, message));
                }
            };
            self.add(input, None, roots, found.module.segments.clone())
        })
    }

    /// Adds an index, whose module is then looked up in it alone.
    fn add_index(&self, py: Python<'_>, index: &Bound<'_, IndexObject>) -> Result<u64> {
        let index = index.get();
        work(py, || {
            let index: SymbolIndex = index.read()?;
            self.owned.with(|of| {
                let id = of.symbolizer.add_index(index, None);
                Ok(of.number(id))
            })
        })
    }

    /// Returns one answer for each address of a module, in their order. `kind` says what they are:
    /// `virtual`, as symbols and DWARF have them, or `file_offset`; `lookup` whether they are of
    /// instructions (`exact`) or return addresses (`return`).
    #[pyo3(signature = (module, addresses, *, kind="virtual", lookup="exact"))]
    fn symbolize(
        &self,
        py: Python<'_>,
        module: u64,
        addresses: Addresses,
        kind: &str,
        lookup: &str,
    ) -> Result<AnswersView> {
        let place: fn(u64) -> Place = match kind {
            "virtual" => |address| Place::Virt(VirtOffset(address)),
            "file_offset" => |address| Place::File(FileOffset(address)),
            other => {
                return Err(Failure::bad_argument(format!(
                    "kind is {other:?}: \"virtual\" or \"file_offset\" is wanted"
                )));
            }
        };
        let lookup = match lookup {
            "exact" => Lookup::Exact,
            "return" => Lookup::Return,
            other => {
                return Err(Failure::bad_argument(format!(
                    "lookup is {other:?}: \"exact\" or \"return\" is wanted"
                )));
            }
        };
        let addresses = addresses.as_slice();
        work(py, || {
            self.owned.with(|of| {
                let id = of.module(module)?;
                let requests: Vec<Request> = addresses
                    .iter()
                    .map(|address| Request::new(id, place(*address), lookup))
                    .collect();
                let mut found = Answers::default();
                of.symbolizer.symbolize_into(&requests, &mut found);
                let all = requests.iter().zip(addresses).zip(found.iter());
                let all = all.map(|((request, address), answer)| {
                    let at = match request.place {
                        Place::Virt(virt) => (Some(virt), None),
                        Place::File(file) => (None, Some(file.0)),
                        _ => (None, None),
                    };
                    AnswerView::of_stack(*address, at, answer)
                });
                Ok(AnswersView::new(all.collect()))
            })
        })
    }

    /// Lists what a module defines: every symbol, and the functions that debug information alone
    /// knows; or those of one name, as the linker or as people have it.
    #[pyo3(signature = (module, name=None))]
    fn symbols(&self, py: Python<'_>, module: u64, name: Option<&str>) -> Result<Vec<SymbolView>> {
        work(py, || {
            self.owned.with(|of| {
                let id = of.module(module)?;
                let found = match name {
                    None => of.symbolizer.definitions(id),
                    Some(name) => of.symbolizer.definitions_named(id, name),
                };
                let found = found.map_err(|error| of_symbols(&error))?;
                Ok(found.iter().map(SymbolView::new).collect())
            })
        })
    }

    /// Forgets a module. Its number is not used again, unless the same module is added.
    fn remove(&self, py: Python<'_>, module: u64) -> Result {
        work(py, || {
            self.owned
                .with(|of| match of.symbolizer.remove(of.module(module)?) {
                    true => Ok(()),
                    false => Err(Failure::new(
                        FailureKind::NotFound,
                        format!("module {module} was removed before"),
                    )),
                })
        })
    }

    /// Drops what was read of modules until at most `kept_bytes` are kept. They are read again when
    /// they are needed.
    fn evict(&self, py: Python<'_>, kept_bytes: u64) -> Result {
        work(py, || {
            self.owned.with(|of| {
                of.symbolizer.evict(kept_bytes);
                Ok(())
            })
        })
    }

    /// Returns what the symbolizer has at the moment: `modules`, `loaded`, `indexed`, `kept_bytes`,
    /// `evicted`, `not_written`.
    fn usage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let now = work(py, || self.owned.with(|of| Ok(of.symbolizer.usage())))?;
        let all = PyDict::new(py);
        all.set_item("modules", now.modules)?;
        all.set_item("loaded", now.loaded)?;
        all.set_item("indexed", now.indexed)?;
        all.set_item("kept_bytes", now.kept_bytes)?;
        all.set_item("evicted", now.evicted)?;
        all.set_item("not_written", now.not_written)?;
        Ok(all)
    }

    /// Releases descriptors and memory. It may be closed again.
    fn close(&self, py: Python<'_>) -> Result {
        work(py, || self.owned.close())
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> Result {
        self.close(py)
    }

    fn __repr__(&self) -> &'static str {
        "<backsight.Symbolizer>"
    }
}
