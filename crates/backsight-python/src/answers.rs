//! The answers of a call, one for each address.

use std::sync::Arc;

use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::answer::AnswerView;
use crate::columns::Columns;
use crate::failure::{Result, caught};
use crate::frame::FrameView;
use crate::sequence::items;

/// The answers of a call, in the order of the addresses, one for each: a sequence, and a record
/// batch of Arrow (`pyarrow.record_batch(answers)`).
#[pyclass(frozen, sequence, module = "backsight", name = "Answers")]
#[derive(Clone)]
pub(crate) struct AnswersView {
    all: Arc<Vec<AnswerView>>,
}

/// Goes through answers.
#[pyclass(module = "backsight")]
pub(crate) struct AnswersIterator {
    all: Arc<Vec<AnswerView>>,
    next: usize,
}

impl AnswersView {
    pub(crate) fn new(all: Vec<AnswerView>) -> Self {
        Self { all: Arc::new(all) }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
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
        let frames = frame_columns(|| self.all.iter().flat_map(|it| &it.frames))?;
        columns.lists("frames", frames, all().map(|it| it.frames.len()))?;
        Ok(columns)
    }
}

fn frame_columns<'a, I: Iterator<Item = &'a FrameView>>(all: impl Fn() -> I) -> Result<Columns> {
    let mut columns = Columns::default();
    columns.texts("function", all().map(|it| it.function.as_deref()))?;
    columns.texts("linkage_name", all().map(|it| it.linkage_name.as_deref()))?;
    columns.texts("file", all().map(|it| it.file.as_deref()))?;
    columns.numbers("line", DataType::UInt32, all().map(|it| it.line))?;
    columns.numbers("column", DataType::UInt32, all().map(|it| it.column))?;
    columns.numbers(
        "start_line",
        DataType::UInt32,
        all().map(|it| it.start_line),
    )?;
    columns.flags("inlined", all().map(|it| it.inlined))?;
    columns.numbers("start", DataType::UInt64, all().map(|it| it.start))?;
    columns.numbers("offset", DataType::UInt64, all().map(|it| it.offset))?;
    Ok(columns)
}

#[pymethods]
impl AnswersView {
    fn __len__(&self) -> usize {
        self.all.len()
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        items(&self.all, index)
    }

    fn __iter__(&self) -> AnswersIterator {
        AnswersIterator {
            all: Arc::clone(&self.all),
            next: 0,
        }
    }

    /// The schema and the rows as capsules: a row for each address, with a list of its frames.
    /// `requested_schema` is not needed by any reader, and is not followed.
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

    /// As the command `backsight` shows them, a line or more for each.
    fn __str__(&self) -> String {
        let lines: Vec<_> = self.all.iter().map(AnswerView::to_string).collect();
        lines.join("\n")
    }

    fn __repr__(&self) -> String {
        let named = self.all.iter().filter(|it| !it.frames.is_empty()).count();
        format!(
            "<backsight.Answers: {}, {named} with names>",
            self.all.len()
        )
    }
}

#[pymethods]
impl AnswersIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<AnswerView> {
        let answer = self.all.get(self.next)?.clone();
        self.next = self.next.saturating_add(1);
        Some(answer)
    }
}
