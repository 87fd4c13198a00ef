//! Looks up one address in a table.

use std::borrow::Cow;

use super::body::Body;
use super::functions::Function;
use super::table::{GoTable, TableView};
use crate::memory::Memory;

/// The limits of an answer.
#[derive(Clone, Copy, Debug)]
pub struct GoLimits {
    /// The maximum number of inlined calls at one address. The outermost ones are kept.
    pub inline_depth: usize,
    /// The maximum length of a name or a path in bytes.
    pub name_bytes: usize,
}

/// One call level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoLevel<'d> {
    /// The name as Go prints it; `None` if it cannot be read.
    pub name: Option<Cow<'d, [u8]>>,
    /// The line of its declaration; 0 before Go 1.20.
    pub start_line: u32,
    /// The path of the source file.
    pub file: Option<&'d [u8]>,
    /// The line; 0 if unknown.
    pub line: u32,
}

/// The answer for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoAnswer<'d> {
    /// The call levels, innermost first; the last is the function itself. Empty if its
    /// record cannot be read.
    pub levels: Vec<GoLevel<'d>>,
    /// The entry of the function.
    pub entry: u64,
    /// Whether calls were left out because of the limit.
    pub is_limited: bool,
    /// Whether a part of the function could not be read.
    pub is_damaged: bool,
}

impl GoTable {
    /// Returns the answer for this address; `None` if there is no function.
    #[must_use]
    pub fn look_up<'d>(
        &self,
        addr: u64,
        memory: &Memory<'d>,
        limits: GoLimits,
    ) -> Option<GoAnswer<'d>> {
        let view = self.view(memory)?;
        let number = view.find(addr)?;
        let Some(function) = view.function(number) else {
            return Some(GoAnswer {
                levels: Vec::new(),
                entry: view.entry(number)?,
                is_limited: false,
                is_damaged: true,
            });
        };
        let into = addr.checked_sub(function.entry)?;
        let mut body = Body::default();
        body.read(&view, &function);
        (into < body.size).then(|| levels(&view, &function, &body, into, limits))
    }
}

fn levels<'d>(
    view: &TableView<'_, 'd>,
    function: &Function,
    body: &Body,
    into: u64,
    limits: GoLimits,
) -> GoAnswer<'d> {
    let mut calls = Vec::new();
    let is_sound = view.calls(function, body, body.call(into), &mut calls);
    let more = calls.len().saturating_sub(limits.inline_depth);
    let mut place = body.place(into);
    let mut levels = Vec::with_capacity(calls.len().saturating_add(1));
    let mut is_text_damaged = false;
    let mut push = |name: u32, start_line: u32, (file_number, line): (i32, i32)| {
        let path = view.path_at(function.unit, file_number);
        let file = path.and_then(|at| view.path(at, limits.name_bytes));
        let line = u32::try_from(line).unwrap_or(0);
        is_text_damaged |= view.is_name_damaged(name);
        is_text_damaged |= path.is_none() && view.is_path_damaged(function.unit, file_number);
        levels.push(GoLevel {
            name: view.name(name, limits.name_bytes),
            start_line,
            file,
            line: if file.is_some() { line } else { 0 },
        });
    };
    for (_, call) in calls.iter().skip(more) {
        push(call.name, call.start_line, place);
        place = call.site;
    }
    push(function.name, function.start_line, place);
    GoAnswer {
        levels,
        entry: function.entry,
        is_limited: more > 0,
        is_damaged: body.is_damaged || !is_sound || is_text_damaged,
    }
}
