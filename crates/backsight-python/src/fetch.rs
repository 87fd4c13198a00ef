//! Files that the caller fetches: a function of theirs is asked for a build ID.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::in_callback;

/// A function of Python that returns the path of a file, or None.
#[derive(Debug)]
pub(crate) struct FetchFunction(Py<PyAny>);

impl FetchFunction {
    pub(crate) fn shared(function: Py<PyAny>) -> Arc<dyn Fetch> {
        Arc::new(Self(function))
    }
}

impl Fetch for FetchFunction {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let kind = match wanted.kind {
            SoughtKind::Module => "module",
            SoughtKind::DebugFile => "debug-file",
            SoughtKind::Supplementary => "supplementary",
            _ => "other",
        };
        let failed = |why: String| FetchError::new(PathBuf::from("the fetch function"), why);
        let told = Python::attach(|py| {
            let id = PyBytes::new(py, wanted.build_id.as_bytes());
            let path = wanted.path.map(std::path::Path::to_path_buf);
            let told = in_callback(|| self.0.call1(py, (id, path, kind)))?;
            told.extract::<Option<PathBuf>>(py)
        });
        let told = told.map_err(|error: PyErr| {
            // No caller is there that it could be raised to.
            let why = error.to_string();
            Python::attach(|py| error.write_unraisable(py, Some(self.0.bind(py))));
            failed(why)
        })?;
        let Some(path) = told else {
            return Ok(None);
        };
        let file = File::open(&path);
        let file = file.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Ok(Some(Fetched::new(file, path)))
    }
}
