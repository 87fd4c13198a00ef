//! Items of sequences of Python, by a place or a slice.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice};

/// Returns the item at a place, counted from the end if it is negative, or the list of those of a
/// slice.
pub(crate) fn items<'py, T>(all: &[T], index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>
where
    T: Clone + IntoPyObject<'py>,
{
    let py = index.py();
    if let Ok(slice) = index.cast::<PySlice>() {
        let chosen = slice.indices(isize::try_from(all.len())?)?;
        let list = PyList::empty(py);
        let mut at = chosen.start;
        for _ in 0..chosen.slicelength {
            if let Some(item) = usize::try_from(at).ok().and_then(|at| all.get(at)) {
                list.append(item.clone().into_bound_py_any(py)?)?;
            }
            at = at.saturating_add(chosen.step);
        }
        return Ok(list.into_any());
    }
    let index: isize = index.extract()?;
    let far = index.unsigned_abs();
    let place = match index < 0 {
        true => all.len().checked_sub(far),
        false => Some(far),
    };
    let item = place.and_then(|place| all.get(place)).ok_or_else(|| {
        let count = all.len();
        PyIndexError::new_err(format!("there are {count} of them, and none at {index}"))
    })?;
    item.clone().into_bound_py_any(py)
}
