//! A process whose addresses are normalized in many calls.

use std::path::PathBuf;

use backsight_normalize::{Backend, BuildIds, NormalizedModule, Options, Session};
use backsight_types::{AbsAddr, AbsRange, ModuleIdx, Outcome};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::addresses::Addresses;
use crate::failure::{Failure, FailureKind, Result, work};
use crate::module::ModuleView;
use crate::owned::Owned;
use crate::places::PlacesView;

/// A process whose addresses are normalized in many calls: modules, build IDs and offsets, for
/// another host.
///
/// The session is bound to the address space: it never answers for another process with the same
/// PID, nor for another program after `execve`.
///
/// >>> import os
/// >>> with Session(os.getpid()) as session:
/// ...     session.normalize([16])[0].reason
/// 'unmapped'
#[pyclass(frozen, module = "backsight", name = "Session")]
pub(crate) struct SessionView {
    pid: u32,
    owned: Owned<SessionState>,
}

/// What is behind a session.
pub(crate) struct SessionState {
    session: Session,
    outcomes: Vec<Outcome>,
    keeps_images: bool,
}

impl SessionView {
    /// Returns a copy of a module, whose files are shared.
    pub(crate) fn module_with_image(&self, index: u32) -> Result<NormalizedModule> {
        self.owned.with(|state| {
            if !state.keeps_images {
                return Err(Failure::new(
                    FailureKind::Options,
                    "the session keeps no files of modules: open it with images=True",
                ));
            }
            let found = state.session.modules().get(ModuleIdx(index).as_usize());
            found.cloned().ok_or_else(|| no_module(index))
        })
    }
}

fn no_module(index: u32) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no module {index}"))
}

fn range(start: u64, end: u64) -> Result<AbsRange> {
    match start < end {
        true => Ok(AbsRange {
            start: AbsAddr(start),
            end: AbsAddr(end),
        }),
        false => Err(Failure::bad_argument(format!(
            "the addresses {start:#x} to {end:#x} are none"
        ))),
    }
}

#[pymethods]
impl SessionView {
    /// Opens a process. `images` keeps the files of modules open, for `Symbolizer.add_module`;
    /// `text` reads the memory map as text, also where the kernel answers queries.
    #[new]
    #[pyo3(signature = (pid, *, images=false, build_ids=true, segments=true, text=false, proc_root=None))]
    fn new(
        py: Python<'_>,
        pid: u32,
        images: bool,
        build_ids: bool,
        segments: bool,
        text: bool,
        proc_root: Option<PathBuf>,
    ) -> Result<Self> {
        let mut options = Options::default()
            .with_images(images)
            .with_segments(segments)
            .with_proc_root(proc_root);
        if !build_ids {
            options = options.with_build_ids(BuildIds::None);
        }
        if text {
            options = options.with_backend(Backend::Text);
        }
        work(py, || {
            let session = Session::open(pid, options);
            let session = session.map_err(|error| Failure::of_process(pid, &error))?;
            let state = SessionState {
                session,
                outcomes: Vec::new(),
                keeps_images: images,
            };
            Ok(Self {
                pid,
                owned: Owned::new("the session", state),
            })
        })
    }

    /// The process.
    #[getter]
    fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns where each address is, in their order. Sorted addresses are the fastest.
    fn normalize(&self, py: Python<'_>, addresses: Addresses) -> Result<PlacesView> {
        let addresses = AbsAddr::from_slice(addresses.as_slice());
        work(py, || {
            self.owned.with(|state| {
                let SessionState {
                    session, outcomes, ..
                } = state;
                let done = session.normalize(addresses, outcomes);
                done.map_err(|error| Failure::of_process(self.pid, &error))?;
                Ok(PlacesView::new(addresses, outcomes, |index| {
                    Some(&session.modules().get(index.as_usize())?.module)
                }))
            })
        })
    }

    /// Returns the modules that were found so far. Their places never change.
    fn modules(&self, py: Python<'_>) -> Result<Vec<ModuleView>> {
        work(py, || {
            self.owned.with(|state| {
                let all = (0..).zip(state.session.modules());
                let all = all.map(|(index, it)| ModuleView::new(&it.module, ModuleIdx(index)));
                Ok(all.collect())
            })
        })
    }

    /// Has the addresses from `start` to before `end` asked for again.
    fn invalidate(&self, py: Python<'_>, start: u64, end: u64) -> Result {
        work(py, || {
            self.owned.with(|state| {
                state.session.invalidate(range(start, end)?);
                Ok(())
            })
        })
    }

    /// Says that the process unmapped the addresses from `start` to before `end`.
    fn on_munmap(&self, py: Python<'_>, start: u64, end: u64) -> Result {
        work(py, || {
            self.owned.with(|state| {
                state.session.on_munmap(range(start, end)?);
                Ok(())
            })
        })
    }

    /// Says that the process called `execve`, and opens its new address space. Modules keep their
    /// places.
    fn on_exec(&self, py: Python<'_>) -> Result {
        work(py, || {
            self.owned.with(|state| {
                let done = state.session.on_exec();
                done.map_err(|error| Failure::of_process(self.pid, &error))
            })
        })
    }

    /// Says that the process has ended. What was found so far still answers.
    fn on_exit(&self, py: Python<'_>) -> Result {
        work(py, || {
            self.owned.with(|state| {
                state.session.on_exit();
                Ok(())
            })
        })
    }

    /// Closes the files of all modules but the `keep` that were added last, and returns their
    /// number.
    #[pyo3(signature = (keep=0))]
    fn release_images(&self, py: Python<'_>, keep: usize) -> Result<usize> {
        work(py, || {
            self.owned
                .with(|state| Ok(state.session.release_images(keep)))
        })
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

    fn __repr__(&self) -> String {
        format!("<backsight.Session of process {}>", self.pid)
    }
}
