//! The runs of one function: the file, line and inlined call of its code.

use super::functions::Function;
use super::runs::{Run, Runs};
use super::table::TableView;
use crate::bytes::offset;

/// The runs of one function's code.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The size of the code in bytes, without the padding up to the next function.
    pub(super) size: u64,
    pub(super) files: Vec<Run>,
    pub(super) lines: Vec<Run>,
    /// Rows of the inline tree; negative for code that is not inlined.
    pub(super) calls: Vec<Run>,
    pub(super) is_damaged: bool,
}

impl Body {
    /// Reads the runs of a function, which replace the current ones.
    pub(super) fn read(&mut self, view: &TableView<'_, '_>, function: &Function) {
        self.is_damaged = false;
        let mut fill = |runs: &mut Vec<Run>, at: u32| {
            runs.clear();
            // Offset 0 means that there are no runs.
            let start = offset(view.table.header.runs, at).filter(|_| at > 0);
            let Some(start) = start else {
                return;
            };
            let rest = view.bytes.all.get(start..).unwrap_or_default();
            let mut all = Runs::new(rest, view.table.header.quantum);
            for run in all.by_ref() {
                let end = run.end.min(function.room);
                runs.push(Run { end, ..run });
                if run.end >= function.room {
                    break;
                }
            }
            self.is_damaged |= all.is_damaged;
        };
        fill(&mut self.files, function.file_runs);
        fill(&mut self.lines, function.line_runs);
        fill(&mut self.calls, function.call_runs);
        self.size = match self.lines.last() {
            Some(last) => last.end,
            None => function.room,
        };
    }

    /// Returns the number of runs, plus one.
    pub(super) fn runs(&self) -> usize {
        let counts = [self.files.len(), self.lines.len(), self.calls.len()];
        counts.into_iter().fold(1, usize::saturating_add)
    }

    /// Returns the file and the line of a byte of the code; negative if unknown.
    pub(super) fn place(&self, into: u64) -> (i32, i32) {
        (value(&self.files, into), value(&self.lines, into))
    }

    /// Returns the row of the inline tree of a byte of the code.
    pub(super) fn call(&self, into: u64) -> i32 {
        value(&self.calls, into)
    }
}

fn value(runs: &[Run], into: u64) -> i32 {
    let at = runs.partition_point(|run| run.end <= into);
    runs.get(at).map_or(-1, |run| run.value)
}
