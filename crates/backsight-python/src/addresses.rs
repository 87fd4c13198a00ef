//! Addresses that a caller gives: a buffer of 64-bit numbers, which is not copied, or any sequence
//! of integers.

use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt, PyMemoryView, PyString};

use crate::failure::Failure;

/// Bytes of an address.
const SIZE: usize = 8;

/// Addresses of a caller. A buffer is held until they are dropped, which keeps arrays from being
/// resized meanwhile.
pub(crate) enum Addresses {
    Buffer(PyBuffer<u64>),
    Copied(Vec<u64>),
}

impl FromPyObject<'_, '_> for Addresses {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let given = &*given;
        if given.is_instance_of::<PyString>() || given.is_instance_of::<PyInt>() {
            return Err(wanted(given));
        }
        let bytes = given.is_instance_of::<PyBytes>() || given.is_instance_of::<PyByteArray>();
        match PyUntypedBuffer::get(given) {
            Ok(buffer) if bytes => of_bytes(&buffer.into_typed()?, given.py()),
            Ok(buffer) => of_buffer(buffer, given),
            Err(_) => of_sequence(given),
        }
    }
}

impl Addresses {
    /// Returns the addresses. Nobody may write to the buffer meanwhile, as the description of the
    /// package says.
    pub(crate) fn as_slice(&self) -> &[u64] {
        match self {
            Self::Copied(all) => all,
            Self::Buffer(buffer) => match buffer.as_slice_ptr() {
                // SAFETY: the buffer is held, has numbers of this type, aligned and without gaps,
                // and callers do not write to it during the call.
                Some(numbers) if buffer.item_count() > 0 => unsafe { numbers.as_ref() },
                _ => &[],
            },
        }
    }
}

fn of_buffer(buffer: PyUntypedBuffer, given: &Bound<'_, PyAny>) -> PyResult<Addresses> {
    if buffer.dimensions() != 1 {
        let message = format!(
            "addresses must have one dimension, not {}",
            buffer.dimensions()
        );
        return Err(Failure::bad_argument(message).into());
    }
    let format = buffer.format().to_string_lossy().into_owned();
    if buffer.item_size() != SIZE || !is_native(&format) {
        return Err(PyTypeError::new_err(format!(
            "addresses must be unsigned numbers of 64 bits in the order of this machine (numpy's \
             uint64, array's 'Q'), not of format {format:?}: convert them"
        )));
    }
    if buffer.is_c_contiguous()
        && let Ok(typed) = buffer.into_typed()
    {
        return Ok(Addresses::Buffer(typed));
    }
    // With gaps, or not aligned, as none of them is, too.
    let bytes = PyMemoryView::from(given)?.call_method0("tobytes")?;
    of_bytes(&PyBuffer::get(&bytes)?, given.py())
}

/// Whether a format is that of unsigned numbers whose bytes have the order of this machine.
fn is_native(format: &str) -> bool {
    let own = if cfg!(target_endian = "little") {
        '<'
    } else {
        '>'
    };
    let number = format.strip_prefix(['@', '=', own]).unwrap_or(format);
    matches!(number, "Q" | "L" | "N")
}

/// Raw bytes of addresses, as this machine has them in memory. They may lie anywhere.
fn of_bytes(bytes: &PyBuffer<u8>, py: Python<'_>) -> PyResult<Addresses> {
    let bytes = bytes.to_vec(py)?;
    let (all, rest) = bytes.as_chunks::<SIZE>();
    if !rest.is_empty() {
        let message = format!(
            "{} bytes are no addresses of {SIZE} bytes each",
            bytes.len()
        );
        return Err(Failure::bad_argument(message).into());
    }
    let all = all.iter().map(|it| u64::from_ne_bytes(*it));
    Ok(Addresses::Copied(all.collect()))
}

fn of_sequence(given: &Bound<'_, PyAny>) -> PyResult<Addresses> {
    let Ok(items) = given.try_iter() else {
        return Err(wanted(given));
    };
    let mut all = Vec::with_capacity(given.len().unwrap_or(0));
    for (place, item) in items.enumerate() {
        let item = item?;
        let address = item
            .extract()
            .map_err(|error| refused(&item, place, error))?;
        all.push(address);
    }
    Ok(Addresses::Copied(all))
}

/// Says which address is none.
fn refused(item: &Bound<'_, PyAny>, place: usize, error: PyErr) -> PyErr {
    let shown = item.repr();
    let shown = shown.map_or_else(|_| "?".to_owned(), |it| it.to_string());
    let py = item.py();
    if error.is_instance_of::<PyOverflowError>(py) {
        let what = match item.lt(0) {
            Ok(true) => "is negative",
            _ => "has more than 64 bits",
        };
        return Failure::bad_argument(format!("address {place}, {shown}, {what}")).into();
    }
    if error.is_instance_of::<PyTypeError>(py) {
        return PyTypeError::new_err(format!("address {place}, {shown}, is no integer"));
    }
    error
}

fn wanted(given: &Bound<'_, PyAny>) -> PyErr {
    let name = given.get_type().name();
    let name = name.map_or_else(|_| "this".to_owned(), |it| it.to_string());
    PyTypeError::new_err(format!(
        "addresses must be a sequence of integers or a buffer of unsigned 64-bit numbers, not {name}"
    ))
}
