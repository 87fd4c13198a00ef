//! The stack of a thread.

use backsight::ThreadStack;
use pyo3::prelude::*;

use crate::answer::AnswerView;
use crate::answers::AnswersView;

/// The stack of a thread of a live process.
#[pyclass(frozen, module = "backsight", name = "ThreadStack")]
pub(crate) struct StackView {
    /// The thread.
    #[pyo3(get)]
    tid: u32,
    /// Its name.
    #[pyo3(get)]
    name: String,
    /// Why the stack ends where it does: `outermost` if it is whole.
    #[pyo3(get)]
    end: Option<&'static str>,
    /// Why there is no stack; None if there is one.
    #[pyo3(get)]
    refused: Option<String>,
    /// Its addresses with their frames, innermost first.
    #[pyo3(get)]
    answers: AnswersView,
}

impl StackView {
    pub(crate) fn new(thread: &ThreadStack, answers: Vec<AnswerView>) -> Self {
        let (end, refused) = match &thread.stack {
            Ok((_, end)) => (Some(end.as_str()), None),
            Err(why) => (None, Some(why.to_string())),
        };
        Self {
            tid: thread.tid,
            name: String::from_utf8_lossy(&thread.name).into_owned(),
            end,
            refused,
            answers: AnswersView::new(answers),
        }
    }
}

#[pymethods]
impl StackView {
    fn __repr__(&self) -> String {
        let frames = self.answers.count();
        let what = match &self.refused {
            Some(why) => why.clone(),
            None => format!("{frames} addresses"),
        };
        format!(
            "<backsight.ThreadStack {} {:?}: {what}>",
            self.tid, self.name
        )
    }
}
