//! What is known of one address.

use std::fmt::{self, Display};
use std::sync::Arc;

use backsight_formats::ndjson::AddressLine;
use backsight_symbolize::Stack;
use backsight_types::{Reason, VirtOffset};
use pyo3::prelude::*;

use crate::frame::FrameView;
use crate::module::ModuleView;

/// Enough for 64 bits.
const ADDRESS_WIDTH: usize = 18;

/// What is known of one address.
#[pyclass(frozen, eq, module = "backsight", name = "Answer")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerView {
    /// The address as it was asked for.
    #[pyo3(get)]
    pub(crate) address: u64,
    /// The address as an offset in the file of the module.
    #[pyo3(get)]
    pub(crate) file_offset: Option<u64>,
    /// The address as symbols and DWARF of the module have it.
    #[pyo3(get)]
    pub(crate) virtual_offset: Option<u64>,
    pub(crate) reason: Option<Reason>,
    pub(crate) module: Option<Arc<ModuleView>>,
    pub(crate) frames: Vec<FrameView>,
}

impl AnswerView {
    /// The answer for an address of a process.
    pub(crate) fn of_line(answer: &AddressLine<'_>, module: Option<Arc<ModuleView>>) -> Self {
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let frames = answer.frames.iter().map(|frame| FrameView {
            function: text(&frame.function),
            linkage_name: text(&frame.linkage_name),
            file: text(&frame.file),
            line: frame.line,
            column: frame.column,
            start_line: frame.start_line,
            inlined: frame.inlined,
            start: frame.start.map(|start| start.0),
            offset: answer.offset_in(frame).filter(|_| !frame.inlined),
        });
        Self {
            address: answer.address.map_or(0, |address| address.0),
            file_offset: answer.file_offset.map(|offset| offset.0),
            virtual_offset: answer.virtual_offset.map(|offset| offset.0),
            reason: answer.reason,
            module,
            frames: frames.collect(),
        }
    }

    /// The answer for an address in a module of a symbolizer, which has the offset `virt` or
    /// `file`.
    pub(crate) fn of_stack(
        address: u64,
        (virt, file): (Option<VirtOffset>, Option<u64>),
        answer: Result<Stack<'_>, Reason>,
    ) -> Self {
        let mut new = Self {
            address,
            file_offset: file,
            virtual_offset: virt.map(|virt| virt.0),
            ..Self::default()
        };
        let stack = match answer {
            Ok(stack) => stack,
            Err(reason) => {
                new.reason = Some(reason);
                return new;
            }
        };
        new.reason = stack.limit_reached().then_some(Reason::Limit);
        new.frames.extend(stack.frames().map(|frame| {
            let start = frame.start();
            let linkage_name = frame.linkage_name().as_deref().map(str::to_owned);
            let offset = virt.zip(start).and_then(|(at, of)| at.distance_from(of));
            FrameView {
                linkage_name: linkage_name.filter(|name| frame.function != Some(name)),
                function: frame.function.map(str::to_owned),
                file: frame.file.map(str::to_owned),
                line: frame.line,
                column: frame.column,
                start_line: frame.start_line(),
                inlined: frame.inlined,
                start: start.map(|start| start.0),
                offset: offset.filter(|_| !frame.inlined),
            }
        }));
        new
    }

    fn write_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(view) = &self.module {
            let module = view.module();
            view.fmt(f)?;
            match (self.file_offset, self.virtual_offset) {
                (Some(file), virt) => {
                    write!(f, "+{file:#x}")?;
                    if let Some(virt) = virt {
                        write!(f, "  virtual {virt:#x}")?;
                    }
                }
                (None, Some(virt)) => write!(f, "+{virt:#x}")?,
                (None, None) => {}
            }
            if let Some(id) = module.build_id {
                write!(f, "  [build id {id}]")?;
            }
            f.write_str(inferred(view))?;
            if let (Some(reason), None) = (module.unreadable, self.reason) {
                write!(f, "  [{reason}]")?;
            }
        }
        if let Some(reason) = self.reason {
            let gap = if self.module.is_some() { "  " } else { "" };
            write!(f, "{gap}[{reason}]")?;
        }
        Ok(())
    }
}

fn inferred(view: &ModuleView) -> &'static str {
    match view.module().inferred {
        true => "  [inferred]",
        false => "",
    }
}

/// As the command `backsight` shows it: a line for each frame, or the module, offset and reason.
impl Display for AnswerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = format!("{:#x}", self.address);
        write!(f, "{address:<ADDRESS_WIDTH$} ")?;
        if self.frames.is_empty() {
            return self.write_place(f);
        }
        for (at, frame) in self.frames.iter().enumerate() {
            if at > 0 {
                write!(f, "\n{:ADDRESS_WIDTH$} ", "")?;
            }
            frame.fmt(f)?;
        }
        if let Some(view) = &self.module {
            write!(f, "  ({view}){}", inferred(view))?;
        }
        match self.reason {
            Some(reason) => write!(f, "  [{reason}]"),
            None => Ok(()),
        }
    }
}

#[pymethods]
impl AnswerView {
    /// The frames, innermost first; none if `reason` explains why.
    #[getter]
    fn frames(&self) -> Vec<FrameView> {
        self.frames.clone()
    }

    /// The name of the innermost function; None if it is not known.
    #[getter]
    fn function(&self) -> Option<&str> {
        self.frames.first()?.function.as_deref()
    }

    /// The module that the address is in; None if it is in none, or not known here.
    #[getter]
    fn module(&self) -> Option<ModuleView> {
        self.module.as_deref().cloned()
    }

    /// Why there are no frames, or why something is missing in them: `unmapped`, `no-symbols` and
    /// so on.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.reason.map(Reason::as_str)
    }

    fn __str__(&self) -> String {
        self.to_string()
    }

    fn __repr__(&self) -> String {
        let shown = match (self.frames.first(), self.reason) {
            (Some(frame), _) => frame.to_string(),
            (None, Some(reason)) => format!("[{reason}]"),
            (None, None) => "??".to_owned(),
        };
        format!("<backsight.Answer {:#x} {shown}>", self.address)
    }
}
