//! Profiles: read, symbolized and written.

use std::path::PathBuf;

use backsight::{ProfileFile, ProfileFileError, ProfileFileOptions, ProfileFormat};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::failure::{Failure, FailureKind, Result, work};
use crate::owned::Owned;
use crate::process::maps_of;
use crate::symbol_options::SymbolOptions;

/// A profile, or a recording of perf, that was read from a file.
///
/// Formats that are read: `perf`, `pprof`, `ndjson`, `folded`, `legacy` (gperftools, tcmalloc,
/// jemalloc, Go with debug=1), `perf-script`, `speedscope`, `cpuprofile`, `perfetto`. Formats that
/// are written: `pprof`, `pprof-raw`, `ndjson`, `folded`, `speedscope`, `firefox`.
///
/// >>> import os, tempfile
/// >>> directory = tempfile.TemporaryDirectory()
/// >>> folded = os.path.join(directory.name, "in.folded")
/// >>> with open(folded, "w") as file:
/// ...     _ = file.write("main;work 3\n")
/// >>> profile = Profile.read(folded)
/// >>> profile.symbolize().write(os.path.join(directory.name, "out.pb.gz"))
/// <backsight.Profile folded: 1 samples>
/// >>> directory.cleanup()
#[pyclass(frozen, module = "backsight", name = "Profile")]
pub(crate) struct ProfileView {
    owned: Owned<ProfileFile>,
}

/// Returns the failure that an error of a profile is.
fn of_profile(error: &ProfileFileError) -> Failure {
    match error {
        ProfileFileError::UnknownFormat(what) => Failure::new(FailureKind::Format, what),
        ProfileFileError::Option(what) => Failure::bad_argument(what),
        ProfileFileError::TimesSummed { what } => Failure::new(
            FailureKind::Options,
            format!(
                "{what}: the format has times, which were summed up: read the profile with \
                 times=True"
            ),
        ),
        ProfileFileError::Failed { what, error } => Failure::of(what, &**error),
        other => Failure::of("profile", other),
    }
}

fn format_of(name: Option<&str>) -> Result<Option<ProfileFormat>> {
    let Some(name) = name else {
        return Ok(None);
    };
    let known = ProfileFormat::ALL.iter().find(|it| it.as_str() == name);
    known.copied().map(Some).ok_or_else(|| {
        let all = ProfileFormat::ALL.map(ProfileFormat::as_str).join(", ");
        let message = format!("no format is called {name:?}: there are {all}");
        Failure::new(FailureKind::Format, message)
    })
}

impl ProfileView {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut ProfileFile) -> Result<T> + Send,
    ) -> Result<T> {
        work(py, || self.owned.with(run))
    }
}

#[pymethods]
impl ProfileView {
    /// Reads a profile from a file, or a recording of `perf record` from its file or directory. It
    /// has no more names than the file has: see `symbolize`. What is malformed is left out, and is
    /// in `notes`.
    ///
    /// Without `times`, samples that differ only in time are summed, and formats that have times
    /// are not written. `trust_paths` accepts files by path alone. `event` takes the samples of one
    /// event of a recording. `max_memory` limits the formats that are read as a whole, in bytes.
    #[staticmethod]
    #[pyo3(signature = (
        path,
        *,
        format=None,
        symbols=None,
        times=false,
        trust_paths=false,
        jit_maps="own",
        event=None,
        max_memory=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of Python")]
    fn read(
        py: Python<'_>,
        path: PathBuf,
        format: Option<&str>,
        symbols: Option<&SymbolOptions>,
        times: bool,
        trust_paths: bool,
        jit_maps: &str,
        event: Option<String>,
        max_memory: Option<u64>,
    ) -> Result<Self> {
        let options = ProfileFileOptions::default()
            .with_format(format_of(format)?)
            .with_times(times)
            .with_trust_paths(trust_paths)
            .with_maps_of(maps_of(jit_maps)?)
            .with_event(event)
            .with_max_memory(max_memory)
            .with_symbols(SymbolOptions::of(symbols));
        work(py, || {
            let file = ProfileFile::read(path, &options).map_err(|error| of_profile(&error))?;
            Ok(Self {
                owned: Owned::new("the profile", file),
            })
        })
    }

    /// Adds functions, inlined frames and lines to the addresses that have none, from the files
    /// that its modules are found in, and demangles names that it has. Returns the profile.
    fn symbolize<'py>(this: PyRef<'py, Self>, py: Python<'py>) -> Result<PyRef<'py, Self>> {
        let view: &Self = &this;
        view.with(py, |file| {
            file.symbolize().map_err(|error| of_profile(&error))
        })?;
        Ok(this)
    }

    /// Writes it to a file, which it replaces when all is written, in the format that the name ends
    /// in (such as `.pb.gz`) or that is given. Returns the profile.
    #[pyo3(signature = (path, *, format=None))]
    fn write<'py>(
        this: PyRef<'py, Self>,
        py: Python<'py>,
        path: PathBuf,
        format: Option<&str>,
    ) -> Result<PyRef<'py, Self>> {
        let format = format_of(format)?;
        let view: &Self = &this;
        view.with(py, |file| {
            file.write(path, format).map_err(|error| of_profile(&error))
        })?;
        Ok(this)
    }

    /// What was wrong with the input, what has no place in the profile, and what the formats that
    /// it was written in could not represent: a line each.
    #[getter]
    fn notes(&self, py: Python<'_>) -> Result<Vec<String>> {
        self.with(py, |file| Ok(file.notes().to_vec()))
    }

    /// The format of the file that it was read from.
    #[getter]
    fn format(&self, py: Python<'_>) -> Result<&'static str> {
        self.with(py, |file| Ok(file.format().as_str()))
    }

    /// The number of samples, after equal ones were summed.
    #[getter]
    fn samples(&self, py: Python<'_>) -> Result<usize> {
        self.with(py, |file| Ok(file.profile().samples.len()))
    }

    /// The number of different stacks.
    #[getter]
    fn stacks(&self, py: Python<'_>) -> Result<usize> {
        self.with(py, |file| Ok(file.profile().stacks.len()))
    }

    /// The number of different addresses.
    #[getter]
    fn locations(&self, py: Python<'_>) -> Result<usize> {
        self.with(py, |file| Ok(file.profile().locations.len()))
    }

    /// The number of addresses that have no function.
    #[getter]
    fn unnamed(&self, py: Python<'_>) -> Result<usize> {
        self.with(py, |file| {
            let of = file.profile();
            let all = of.locations.iter();
            let unnamed = all.filter(|location| of.frames_of(location).is_empty());
            Ok(unnamed.count())
        })
    }

    /// The number of malformed parts of the input; `notes` says which.
    #[getter]
    fn malformed(&self, py: Python<'_>) -> Result<u64> {
        self.with(py, |file| Ok(file.malformed()))
    }

    /// The number of records that the recorder lost.
    #[getter]
    fn lost(&self, py: Python<'_>) -> Result<u64> {
        self.with(py, |file| Ok(file.lost()))
    }

    /// Releases its memory. It may be closed again.
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

    fn __repr__(&self, py: Python<'_>) -> String {
        let shown = self.with(py, |file| {
            let (format, samples) = (file.format().as_str(), file.profile().samples.len());
            Ok(format!("{format}: {samples} samples"))
        });
        format!(
            "<backsight.Profile {}>",
            shown.unwrap_or_else(|_| "closed".to_owned())
        )
    }
}
