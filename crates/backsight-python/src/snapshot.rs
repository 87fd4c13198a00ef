//! The memory map of a process as text that was saved.

use backsight_normalize::normalize_snapshot;
use backsight_types::AbsAddr;
use pyo3::prelude::*;
use vma_query::Snapshot;

use crate::addresses::Addresses;
use crate::failure::{Failure, FailureKind, Result, work};
use crate::places::PlacesView;

/// The memory map of a process, as the text of its `/proc/PID/maps` was saved. There are no build
/// IDs in it, and no file is opened.
///
/// >>> text = "55d0c0001000-55d0c0002000 r-xp 00001000 fe:00 77 /usr/bin/cat"
/// >>> place = Snapshot(text).normalize([0x55d0c0001234])[0]
/// >>> place.module.path, hex(place.file_offset)
/// ('/usr/bin/cat', '0x1234')
#[pyclass(frozen, module = "backsight", name = "Snapshot")]
pub(crate) struct MapsText(Snapshot);

/// Text or bytes.
#[derive(FromPyObject)]
pub(crate) enum GivenText {
    Text(String),
    Bytes(Vec<u8>),
}

#[pymethods]
impl MapsText {
    #[new]
    fn new(py: Python<'_>, text: GivenText) -> Result<Self> {
        let bytes = match text {
            GivenText::Text(text) => text.into_bytes(),
            GivenText::Bytes(bytes) => bytes,
        };
        work(py, || {
            let parsed = Snapshot::parse(&bytes);
            let parsed = parsed.map_err(|error| {
                Failure::of("maps text", &error).with_kind(FailureKind::Malformed)
            })?;
            Ok(Self(parsed))
        })
    }

    /// Returns where each address is. Sorted addresses are the fastest.
    fn normalize(&self, py: Python<'_>, addresses: Addresses) -> Result<PlacesView> {
        let addresses = AbsAddr::from_slice(addresses.as_slice());
        work(py, || {
            let done = normalize_snapshot(&self.0, addresses);
            let done = done.map_err(|error| Failure::of("maps text", &error))?;
            Ok(PlacesView::new(addresses, &done.outcomes, |index| {
                Some(&done.modules.get(index.as_usize())?.module)
            }))
        })
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        let cut = if self.0.is_cut() { ", cut" } else { "" };
        format!("<backsight.Snapshot: {} mappings{cut}>", self.0.len())
    }
}
