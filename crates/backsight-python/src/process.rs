//! A live process with its symbols: addresses become functions and lines in one call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use backsight::{Live, LiveError, LiveOptions, LiveStacks, MapsOf, StackOptions};
use backsight_types::{AbsAddr, Lookup, ModuleIdx};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::addresses::Addresses;
use crate::answer::AnswerView;
use crate::answers::AnswersView;
use crate::failure::{Failure, FailureKind, Result, work};
use crate::module::ModuleView;
use crate::owned::Owned;
use crate::stack::StackView;
use crate::symbol_options::SymbolOptions;

/// A live process, and the symbols of the files that it has mapped. Files that it maps later are
/// found when an address in them is asked for. One thread uses it at a time; others wait.
///
/// >>> import os
/// >>> with Process(os.getpid()) as process:
/// ...     print(process.symbolize([16]))
/// 0x10               [unmapped]
#[pyclass(frozen, module = "backsight", name = "Process")]
pub(crate) struct ProcessView {
    pid: u32,
    symbols: backsight::symbolize::Options,
    owned: Owned<Live>,
}

/// Whose lists of names of code that was made at run time are read.
pub(crate) fn maps_of(jit_maps: &str) -> Result<MapsOf> {
    match jit_maps {
        "own" => Ok(MapsOf::Own),
        "all" => Ok(MapsOf::All),
        "none" => Ok(MapsOf::Nobody),
        other => Err(Failure::bad_argument(format!(
            "jit_maps is {other:?}: \"own\", \"all\" or \"none\" is wanted"
        ))),
    }
}

/// Returns the failure that an error of a live process is.
fn of_live(error: &LiveError) -> Failure {
    match error {
        LiveError::Process { pid, error } => Failure::of_process(*pid, error),
        LiveError::Threads { pid, error } => Failure::of(
            format_args!("process {pid}: cannot read where its threads are"),
            error,
        ),
        other => Failure::of("process", other),
    }
}

/// Symbolizes addresses of a process.
fn symbolize(live: &mut Live, asked: Vec<(AbsAddr, Lookup)>) -> Result<Vec<AnswerView>> {
    let begun = live.begin(asked).map_err(|error| of_live(&error))?;
    let found = begun.look_up(live.symbolizer());
    let mut known: HashMap<ModuleIdx, Arc<ModuleView>> = HashMap::new();
    let mut all = Vec::new();
    found.each(|answer| {
        let module = live.module_of(answer).map(|module| {
            // What is not in the list of modules has no number, and is no other's.
            let index = answer.module.unwrap_or(ModuleIdx(u32::MAX));
            let view = known.entry(index);
            Arc::clone(view.or_insert_with(|| Arc::new(ModuleView::new(module, index))))
        });
        all.push(AnswerView::of_line(answer, module));
        Ok::<(), Failure>(())
    })?;
    Ok(all)
}

#[pymethods]
impl ProcessView {
    /// Opens a process. `jit_maps` says whose lists of names of code that was made at run time are
    /// read: `own` those of this user, `all` or `none`. `kernel` names addresses of the kernel,
    /// `remapped_text` recovers text that the program moved to memory without a file.
    #[new]
    #[pyo3(signature = (
        pid,
        *,
        symbols=None,
        jit_maps="own",
        kernel=true,
        remapped_text=true,
        proc_root=None,
        kernel_root=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of Python")]
    fn new(
        py: Python<'_>,
        pid: u32,
        symbols: Option<&SymbolOptions>,
        jit_maps: &str,
        kernel: bool,
        remapped_text: bool,
        proc_root: Option<PathBuf>,
        kernel_root: Option<PathBuf>,
    ) -> Result<Self> {
        let symbols = SymbolOptions::of(symbols);
        let mut options = LiveOptions::default()
            .with_symbols(symbols.clone())
            .with_proc_root(proc_root)
            .with_maps_of(maps_of(jit_maps)?)
            .with_remapped_text(remapped_text);
        if !kernel {
            options = options.with_kernel_root(None);
        } else if kernel_root.is_some() {
            options = options.with_kernel_root(kernel_root);
        }
        work(py, || {
            let live = Live::open_with(pid, options).map_err(|error| of_live(&error))?;
            Ok(Self {
                pid,
                symbols,
                owned: Owned::new("the process", live),
            })
        })
    }

    /// The process.
    #[getter]
    fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns one answer for each address, in their order. `kind` says what they are: `stack`, the
    /// first an instruction and the others return addresses; `exact`, all instructions; `return`,
    /// all return addresses.
    #[pyo3(signature = (addresses, *, kind="stack"))]
    fn symbolize(&self, py: Python<'_>, addresses: Addresses, kind: &str) -> Result<AnswersView> {
        let (first, others) = match kind {
            "stack" => (Lookup::Exact, Lookup::Return),
            "exact" => (Lookup::Exact, Lookup::Exact),
            "return" => (Lookup::Return, Lookup::Return),
            other => {
                return Err(Failure::bad_argument(format!(
                    "kind is {other:?}: \"stack\", \"exact\" or \"return\" is wanted"
                )));
            }
        };
        let addresses = addresses.as_slice();
        work(py, || {
            let lookups = std::iter::once(first).chain(std::iter::repeat(others));
            let addresses = addresses.iter().copied().map(AbsAddr);
            let asked = addresses.zip(lookups).collect();
            let all = self.owned.with(|live| symbolize(live, asked))?;
            Ok(AnswersView::new(all))
        })
    }

    /// Returns the stack of each thread, or of the thread `tid`. Each is stopped for some tens of
    /// microseconds, which needs the right to trace the process; this process itself cannot be.
    #[pyo3(signature = (*, tid=None, max_frames=1024))]
    fn stacks(
        &self,
        py: Python<'_>,
        tid: Option<u32>,
        max_frames: usize,
    ) -> Result<Vec<StackView>> {
        work(py, || {
            self.owned.with(|live| {
                let options = StackOptions::default()
                    .with_tid(tid)
                    .with_max_frames(max_frames);
                let stacks = LiveStacks::open(self.pid, self.symbols.clone());
                let mut stacks = stacks.map_err(|error| of_live(&error))?;
                let threads = stacks.read(&options).map_err(|error| of_live(&error))?;
                if let (Some(tid), []) = (tid, &*threads) {
                    let message = format!("process {}: it has no thread {tid}", self.pid);
                    return Err(Failure::new(FailureKind::NotFound, message));
                }
                let shown = threads.into_iter().map(|thread| {
                    let asked = thread.stack.iter().flat_map(|(frames, _)| frames);
                    let asked = asked.map(|frame| (frame.addr, frame.lookup)).collect();
                    Ok(StackView::new(&thread, symbolize(live, asked)?))
                });
                shown.collect()
            })
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
        format!("<backsight.Process {}>", self.pid)
    }
}
