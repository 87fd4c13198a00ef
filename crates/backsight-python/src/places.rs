//! Where addresses are: modules and offsets, or reasons.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::DataType;
use backsight_types::{AbsAddr, Module, ModuleIdx, Outcome, Reason};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::columns::Columns;
use crate::failure::{Result, caught};
use crate::module::ModuleView;
use crate::sequence::items;

/// Where an address is.
#[pyclass(frozen, eq, module = "backsight", name = "Place")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaceView {
    /// The address as it was asked for.
    #[pyo3(get)]
    address: u64,
    /// The offset in the file of the module; None if it is in none.
    #[pyo3(get)]
    file_offset: Option<u64>,
    /// What symbols and DWARF of the module have for it; None if its program headers are not known.
    #[pyo3(get)]
    virtual_offset: Option<u64>,
    module: Option<Arc<ModuleView>>,
    reason: Option<Reason>,
}

#[pymethods]
impl PlaceView {
    /// The module; None if it is in none.
    #[getter]
    fn module(&self) -> Option<ModuleView> {
        self.module.as_deref().cloned()
    }

    /// Why it is in none: `unmapped`, `anonymous` and so on; None if it is in one.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.reason.map(Reason::as_str)
    }

    fn __repr__(&self) -> String {
        let at = match (&self.module, self.file_offset, self.reason) {
            (Some(module), Some(offset), _) => format!("{}+{offset:#x}", module.shown_path()),
            (_, _, Some(reason)) => format!("[{reason}]"),
            _ => "??".to_owned(),
        };
        format!("<backsight.Place {:#x} {at}>", self.address)
    }
}

/// Where the addresses of a call are, in their order, one for each: a sequence, and a record batch
/// of Arrow.
#[pyclass(frozen, sequence, module = "backsight", name = "Places")]
pub(crate) struct PlacesView {
    all: Arc<Vec<PlaceView>>,
}

/// Goes through places.
#[pyclass(module = "backsight")]
pub(crate) struct PlacesIterator {
    all: Arc<Vec<PlaceView>>,
    next: usize,
}

impl PlacesView {
    /// The places of addresses; `module_of` returns the module of an index.
    pub(crate) fn new<'m>(
        addresses: &[AbsAddr],
        outcomes: &[Outcome],
        module_of: impl Fn(ModuleIdx) -> Option<&'m Module>,
    ) -> Self {
        let mut known: HashMap<ModuleIdx, Option<Arc<ModuleView>>> = HashMap::new();
        let mut all = Vec::with_capacity(outcomes.len());
        for (address, outcome) in addresses.iter().zip(outcomes) {
            let mut new = PlaceView {
                address: address.0,
                ..PlaceView::default()
            };
            match *outcome {
                Outcome::Located {
                    module,
                    file_offset,
                } => {
                    let view = known.entry(module).or_insert_with(|| {
                        module_of(module).map(|it| Arc::new(ModuleView::new(it, module)))
                    });
                    new.module.clone_from(view);
                    new.file_offset = Some(file_offset.0);
                    let virt = view
                        .as_ref()
                        .and_then(|it| it.module().virt_offset_of(file_offset));
                    new.virtual_offset = virt.map(|virt| virt.0);
                }
                Outcome::Unresolved(reason) => new.reason = Some(reason),
                _ => {}
            }
            all.push(new);
        }
        Self { all: Arc::new(all) }
    }

    fn columns(&self) -> Result<Columns> {
        let all = || self.all.iter();
        let mut columns = Columns::default();
        columns.addresses("address", all().map(|it| it.address))?;
        let module = all().map(|it| it.module.as_deref());
        columns.texts("module", module.clone().map(|it| Some(it?.shown_path())))?;
        let id = module.map(|it| Some(it?.module().build_id?.to_string()));
        columns.texts("build_id", id)?;
        columns.numbers(
            "file_offset",
            DataType::UInt64,
            all().map(|it| it.file_offset),
        )?;
        columns.numbers(
            "virtual_offset",
            DataType::UInt64,
            all().map(|it| it.virtual_offset),
        )?;
        columns.texts("reason", all().map(|it| Some(it.reason?.as_str())))?;
        Ok(columns)
    }
}

#[pymethods]
impl PlacesView {
    fn __len__(&self) -> usize {
        self.all.len()
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        items(&self.all, index)
    }

    fn __iter__(&self) -> PlacesIterator {
        PlacesIterator {
            all: Arc::clone(&self.all),
            next: 0,
        }
    }

    /// The schema and the rows as capsules: a row for each address. `requested_schema` is not
    /// followed.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        drop(requested_schema);
        let columns = caught(|| self.columns())?;
        columns.into_capsules(py, self.all.len())
    }

    fn __repr__(&self) -> String {
        let found = self.all.iter().filter(|it| it.module.is_some()).count();
        format!("<backsight.Places: {}, {found} in modules>", self.all.len())
    }
}

#[pymethods]
impl PlacesIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<PlaceView> {
        let place = self.all.get(self.next)?.clone();
        self.next = self.next.saturating_add(1);
        Some(place)
    }
}
