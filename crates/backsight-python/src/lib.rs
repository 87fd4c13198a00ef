//! The module `_backsight` of the Python package `backsight`, over the crates of this workspace.
//!
//! # Rules
//!
//! - Each call works without Python's lock, and may be made by several threads.
//! - What an object owns is refused after it was closed, and in a forked child.
//! - No panic leaves a call: it is the exception `InternalError`.

#![deny(unsafe_code)]
#[allow(unsafe_code, reason = "the numbers of a caller's buffer")]
mod addresses;
mod answer;
mod answers;
mod columns;
mod failure;
mod fetch;
mod frame;
mod index;
mod module;
mod owned;
mod places;
mod process;
mod profile;
mod sequence;
mod session;
mod snapshot;
mod stack;
mod symbol;
mod symbol_options;
mod symbolizer;
mod symbolizer_error;

/// The native part of the package `backsight`.
#[pyo3::pymodule]
mod _backsight {
    #[cfg(debug_assertions)]
    use pyo3::prelude::pyfunction;

    /// Panics, so that a test sees what becomes of it. No wheel that is released has it.
    #[cfg(debug_assertions)]
    #[pyfunction]
    fn _panic(py: pyo3::Python<'_>) -> crate::failure::Result {
        crate::failure::work(py, || panic!("of a test"))
    }

    #[pymodule_export]
    use crate::answer::AnswerView;
    #[pymodule_export]
    use crate::answers::AnswersView;
    #[pymodule_export]
    use crate::frame::FrameView;
    #[pymodule_export]
    use crate::index::IndexObject;
    #[pymodule_export]
    use crate::module::ModuleView;
    #[pymodule_export]
    use crate::places::{PlaceView, PlacesView};
    #[pymodule_export]
    use crate::process::ProcessView;
    #[pymodule_export]
    use crate::profile::ProfileView;
    #[pymodule_export]
    use crate::session::SessionView;
    #[pymodule_export]
    use crate::snapshot::MapsText;
    #[pymodule_export]
    use crate::stack::StackView;
    #[pymodule_export]
    use crate::symbol::SymbolView;
    #[pymodule_export]
    use crate::symbol_options::SymbolOptions;
    #[pymodule_export]
    use crate::symbolizer::SymbolizerView;

    /// The version of the package.
    #[allow(
        non_upper_case_globals,
        reason = "modules of Python have it by this name"
    )]
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
