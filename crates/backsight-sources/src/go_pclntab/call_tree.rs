//! The tree of calls that were inlined into a function.

use super::body::Body;
use super::functions::Function;
use super::header::Layout;
use super::table::TableView;

/// An inlined call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// The name of the called function.
    pub(super) name: u32,
    /// The line of its declaration; 0 before Go 1.20.
    pub(super) start_line: u32,
    /// The row of the call that it was inlined into; negative for the function itself.
    pub(super) into: i32,
    /// The file and the line of the call.
    pub(super) site: (i32, i32),
}

/// The maximum number of nested calls. Go's compiler nests far fewer, but forged rows may
/// form a cycle.
pub(super) const LONGEST: usize = 1024;

impl TableView<'_, '_> {
    /// Reads a row of a function's inline tree.
    pub(super) fn call(&self, function: &Function, body: &Body, row: i32) -> Option<Call> {
        let has_sites = self.table.header.layout < Layout::Go1_20;
        let size: u64 = if has_sites { 20 } else { 16 };
        let into = u64::try_from(row).ok()?.checked_mul(size)?;
        let addr = function.tree?.checked_add(into)?;
        let bytes = self.table.header.bytes(self.memory.from(addr)?);
        let number = |at: usize| Some(bytes.word(at)?.cast_signed());
        if has_sites {
            return Some(Call {
                into: bytes.half(0)?.cast_signed().into(),
                site: (number(4)?, number(8)?),
                name: bytes.word(12)?,
                start_line: 0,
            });
        }
        // The offset of an instruction whose runs give the line of the call and the
        // enclosing call.
        let at = u64::try_from(number(8)?).ok()?;
        Some(Call {
            name: bytes.word(4)?,
            start_line: u32::try_from(number(12)?).unwrap_or(0),
            into: body.call(at),
            site: body.place(at),
        })
    }

    /// Puts the calls from a row outwards into `found`, innermost first. Returns `false`,
    /// and no calls, if one cannot be read or they form a cycle.
    pub(super) fn calls(
        &self,
        function: &Function,
        body: &Body,
        mut row: i32,
        found: &mut Vec<(i32, Call)>,
    ) -> bool {
        found.clear();
        while row >= 0 {
            let call = self.call(function, body, row);
            let Some(call) = call.filter(|_| found.len() < LONGEST) else {
                found.clear();
                return false;
            };
            found.push((row, call));
            row = call.into;
        }
        true
    }
}
