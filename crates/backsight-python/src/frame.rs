//! One call level at an address.

use std::fmt::{self, Display};

use backsight_formats::escape::Terminal;
use pyo3::prelude::*;

/// One call level at an address.
#[pyclass(frozen, eq, get_all, module = "backsight", name = "Frame")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameView {
    /// The function, demangled.
    pub(crate) function: Option<String>,
    /// Its name as the linker has it, if that is another one.
    pub(crate) linkage_name: Option<String>,
    /// The source file.
    pub(crate) file: Option<String>,
    /// The line, counted from 1.
    pub(crate) line: Option<u32>,
    /// The column, counted from 1.
    pub(crate) column: Option<u32>,
    /// The line that the function starts on.
    pub(crate) start_line: Option<u32>,
    /// Whether the function was inlined into that of the next frame.
    pub(crate) inlined: bool,
    /// Where the function starts, in virtual offsets of its file.
    pub(crate) start: Option<u64>,
    /// How far behind the start of the function the address is, in bytes.
    pub(crate) offset: Option<u64>,
}

impl Display for FrameView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(name) => Terminal(name.as_bytes()).fmt(f)?,
            None => f.write_str("??")?,
        }
        if self.inlined {
            f.write_str(" [inlined]")?;
        } else if let Some(into) = self.offset {
            write!(f, "+{into:#x}")?;
        }
        if let Some(file) = &self.file {
            write!(f, "  {}", Terminal(file.as_bytes()))?;
            let places = [self.line, self.column].into_iter();
            for place in places.map_while(|place| place) {
                write!(f, ":{place}")?;
            }
        }
        Ok(())
    }
}

#[pymethods]
impl FrameView {
    fn __str__(&self) -> String {
        self.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<backsight.Frame {self}>")
    }
}
