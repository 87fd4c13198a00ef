//! What a caller sees of a module.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::os::unix::ffi::OsStringExt;

use backsight_formats::escape::Terminal;
use backsight_types::{BuildId, Module, ModuleIdx, ModuleKind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A mapped file, or what takes the place of one: the vDSO, the kernel, or memory with code that
/// was made at run time.
#[pyclass(frozen, eq, module = "backsight", name = "Module")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModuleView {
    module: Module,
    /// Its place in the list of modules. In answers of one object, equal numbers are one module.
    #[pyo3(get)]
    index: u32,
}

impl ModuleView {
    pub(crate) fn new(module: &Module, index: ModuleIdx) -> Self {
        Self {
            module: module.clone(),
            index: index.0,
        }
    }

    /// Its path as text for people, with what a terminal would act on escaped.
    pub(crate) fn shown_path(&self) -> String {
        Terminal(&self.module.path).to_string()
    }

    pub(crate) fn module(&self) -> &Module {
        &self.module
    }
}

/// As the command `backsight` shows it.
impl Display for ModuleView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deleted = if self.module.deleted {
            " (deleted)"
        } else {
            ""
        };
        write!(f, "{}{deleted}", Terminal(&self.module.path))
    }
}

#[pymethods]
impl ModuleView {
    /// Its path, as the process names it; as `os.fsdecode` has it.
    #[getter]
    fn path(&self) -> OsString {
        OsString::from_vec(self.module.path.to_vec())
    }

    /// Its build ID; None if it has none.
    #[getter]
    fn build_id<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let id = self.module.build_id.as_ref();
        id.map(|id| PyBytes::new(py, id.as_bytes()))
    }

    /// `file`, `vdso`, `kernel`, `anonymous` or, of a kind that this version does not know,
    /// `other`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.module.kind {
            ModuleKind::File => "file",
            ModuleKind::Vdso => "vdso",
            ModuleKind::Kernel => "kernel",
            ModuleKind::Anonymous => "anonymous",
            _ => "other",
        }
    }

    /// Whether the file was deleted or replaced since it was mapped.
    #[getter]
    fn deleted(&self) -> bool {
        self.module.deleted
    }

    /// Whether headers and build ID were read from the process's memory, since the file cannot be
    /// opened.
    #[getter(from_memory)]
    fn is_from_memory(&self) -> bool {
        self.module.from_memory
    }

    /// Whether no mapping says that the code is of this file: it was moved to memory without one.
    #[getter]
    fn inferred(&self) -> bool {
        self.module.inferred
    }

    /// Why its file cannot be read; None if it can.
    #[getter]
    fn unreadable(&self) -> Option<&'static str> {
        self.module.unreadable.map(backsight_types::Reason::as_str)
    }

    /// The device of its file: its major and minor number.
    #[getter]
    fn device(&self) -> (u32, u32) {
        (self.module.device.major, self.module.device.minor)
    }

    /// The inode of its file.
    #[getter]
    fn inode(&self) -> u64 {
        self.module.inode
    }

    fn __str__(&self) -> String {
        self.to_string()
    }

    fn __repr__(&self) -> String {
        let id = self.module.build_id.as_ref();
        let id = id.map_or_else(String::new, |id| format!(" build_id={id}"));
        format!("<backsight.Module {} {}{id}>", self.index, self)
    }
}

/// A build ID of a caller: bytes, or digits as text.
pub(crate) struct GivenBuildId(pub(crate) BuildId);

impl FromPyObject<'_, '_> for GivenBuildId {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let failed =
            |why: String| crate::failure::Failure::bad_argument(format!("build_id: {why}"));
        if let Ok(text) = given.extract::<String>() {
            let id = text.parse::<BuildId>();
            return Ok(Self(id.map_err(|error| failed(error.to_string()))?));
        }
        let bytes: Vec<u8> = given.extract::<&[u8]>()?.to_vec();
        if bytes.is_empty() {
            return Err(failed("it is empty".to_owned()).into());
        }
        let id = BuildId::from_bytes(&bytes);
        Ok(Self(id.map_err(|error| failed(error.to_string()))?))
    }
}
