//! Where names are looked for, and what is looked up.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use backsight_symbolize::{Budget, IndexDir, Options};
use pyo3::prelude::*;

use crate::failure::Result;
use crate::fetch::FetchFunction;

/// The default size of a directory of indexes, in bytes.
const INDEX_DIR_BYTES: u64 = 4 << 30;

/// Where names are looked for, and what is looked up.
///
/// `fetch(build_id, path, kind)` is asked for files that no directory has, by several threads, and
/// returns a path or None; `kind` is `module`, `debug-file`, `supplementary` or `other`. What it
/// raises goes to `sys.unraisablehook`, and the file cannot be had. It cannot call this package.
///
/// >>> SymbolOptions(names_only=True, debug_dirs=["/srv/debug"])
/// <backsight.SymbolOptions>
#[pyclass(frozen, module = "backsight", name = "SymbolOptions")]
#[derive(Clone)]
pub(crate) struct SymbolOptions {
    options: Options,
}

impl SymbolOptions {
    /// Returns the options that are given, or the default.
    pub(crate) fn of(given: Option<&Self>) -> Options {
        let options = given.map(|given| given.options.clone());
        options.unwrap_or_else(|| Options::default().with_threads(Some(threads(None))))
    }
}

/// Returns the number of threads of a pool. It is never rayon's global pool: that one is not there
/// in a forked child, which would wait for it for ever.
fn threads(wanted: Option<NonZeroUsize>) -> NonZeroUsize {
    let processors = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    wanted.unwrap_or_else(processors)
}

#[pymethods]
impl SymbolOptions {
    #[new]
    #[pyo3(signature = (
        *,
        names_only=false,
        inlines=true,
        demangle=true,
        named_files=true,
        debug_dirs=Vec::new(),
        default_debug_dir=true,
        roots=Vec::new(),
        index_dir=None,
        index_dir_bytes=INDEX_DIR_BYTES,
        threads=None,
        kept_bytes=None,
        unpacked_bytes=None,
        fetch=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of Python")]
    fn new(
        names_only: bool,
        inlines: bool,
        demangle: bool,
        named_files: bool,
        mut debug_dirs: Vec<PathBuf>,
        default_debug_dir: bool,
        roots: Vec<PathBuf>,
        index_dir: Option<PathBuf>,
        index_dir_bytes: u64,
        threads: Option<NonZeroUsize>,
        kept_bytes: Option<u64>,
        unpacked_bytes: Option<u64>,
        fetch: Option<Py<PyAny>>,
    ) -> Result<Self> {
        let options = Options::default();
        if default_debug_dir {
            debug_dirs.extend_from_slice(&options.debug_dirs);
        }
        let mut limits = options.limits.clone();
        limits.unpacked_bytes = unpacked_bytes.unwrap_or(limits.unpacked_bytes);
        let mut budget = Budget::default();
        budget.kept_bytes = kept_bytes.unwrap_or(budget.kept_bytes);
        let mut options = options
            .with_debug_dirs(debug_dirs)
            .with_roots(roots)
            .with_index_dir(index_dir.map(|path| IndexDir::new(path, index_dir_bytes)))
            .with_inlines(inlines)
            .with_demangle(demangle)
            .with_named_files(named_files)
            .with_debug_info(!names_only)
            .with_limits(limits)
            .with_budget(budget)
            .with_threads(Some(self::threads(threads)));
        options.fetchers.extend(fetch.map(FetchFunction::shared));
        Ok(Self { options })
    }

    fn __repr__(&self) -> &'static str {
        "<backsight.SymbolOptions>"
    }
}
