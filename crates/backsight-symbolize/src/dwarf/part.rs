//! One unit's part of the index, and how its rows are laid out.

use super::line::Row;
use super::name::RawName;
use super::path::PathParts;
use crate::index::{Le16, Le32, Node};

/// One unit's part of the index. Rows refer to rows of the same part.
#[derive(Debug, Default)]
pub(crate) struct UnitPart<'d> {
    pub(crate) nodes: Vec<Node>,
    pub(crate) node_columns: Vec<Le16>,
    pub(crate) functions: Vec<RawName<'d>>,
    pub(crate) files: Vec<PathParts<'d>>,
    /// Code offsets where the call level changes, and the node from there on.
    pub(crate) scopes: Vec<(Le32, Le32)>,
    /// The scopes of one function's range each.
    pub(crate) scope_blocks: Vec<Block>,
    pub(crate) lines: Vec<LineRow>,
    /// The lines of one sequence each.
    pub(crate) line_blocks: Vec<Block>,
    /// Whether linkers may know its functions by mangled names that it does not have.
    pub(crate) mangles: bool,
    pub(crate) limited: bool,
    pub(crate) damaged: bool,
}

/// Rows that hold from `begin` to `end`, in code offsets; the first row starts at
/// `begin`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) begin: u32,
    pub(crate) end: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// One row of the line table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineRow {
    /// A code offset.
    pub(crate) start: u32,
    /// A row of the files, or [`NONE`](crate::index::NONE).
    pub(crate) file: u32,
    /// 0 is unknown.
    pub(crate) line: u32,
    /// 0 is unknown.
    pub(crate) column: u16,
}

/// Of a table that is copied rather than handed over: below what comes from the system
/// anew each time.
const FEW_BYTES: usize = 1 << 15;

impl UnitPart<'_> {
    /// Returns it, and begins anew, in the same room where it is small.
    pub(super) fn take(&mut self) -> Self {
        Self {
            nodes: take(&mut self.nodes),
            node_columns: take(&mut self.node_columns),
            functions: take(&mut self.functions),
            files: take(&mut self.files),
            scopes: take(&mut self.scopes),
            scope_blocks: take(&mut self.scope_blocks),
            lines: take(&mut self.lines),
            line_blocks: take(&mut self.line_blocks),
            mangles: self.mangles,
            limited: self.limited,
            damaged: self.damaged,
        }
    }

    /// Lays out a part of one function's range, which begins at the virtual offset
    /// `virt` and spans the code offsets `begin` to `end`: the spans inlined into
    /// it, and the function itself, the node `root`, between them.
    pub(crate) fn push_scopes(
        &mut self,
        virt: u64,
        (begin, end): (u32, u32),
        root: u32,
        spans: &[(u64, Option<u32>)],
    ) {
        let first = self.scopes.len();
        let at = spans.partition_point(|span| span.0 <= virt);
        let before = at.checked_sub(1).and_then(|at| spans.get(at)?.1);
        let mut last = before.unwrap_or(root);
        self.scopes.push((Le32::new(begin), Le32::new(last)));
        for (span, node) in spans.get(at..).unwrap_or_default() {
            let Some(start) = moved(*span, virt, begin, end) else {
                break;
            };
            let node = node.unwrap_or(root);
            if node != last {
                self.scopes.push((Le32::new(start), Le32::new(node)));
                last = node;
            }
        }
        push_block(&mut self.scope_blocks, begin, end, first, self.scopes.len());
    }

    /// Lays out the rows of a sequence that hold from so many bytes into it on, for
    /// the code offsets `begin` to `end`. `file_row` is asked for the row of a file.
    pub(super) fn push_lines(
        &mut self,
        into: u64,
        (begin, end): (u32, u32),
        rows: &[Row],
        mut file_row: impl FnMut(&mut Self, u32) -> u32,
    ) {
        let first = self.lines.len();
        let at = rows.partition_point(|row| u64::from(row.into) <= into);
        for row in rows.get(at.saturating_sub(1)..).unwrap_or_default() {
            let Some(start) = moved(row.into.into(), into, begin, end) else {
                break;
            };
            let new = LineRow {
                start,
                file: file_row(self, row.file),
                line: row.line,
                column: if row.line > 0 { row.column } else { 0 },
            };
            let same = |last: &LineRow| LineRow { start, ..*last } == new;
            let block = self.lines.get(first..).unwrap_or_default();
            if !block.last().is_some_and(same) {
                self.lines.push(new);
            }
        }
        push_block(&mut self.line_blocks, begin, end, first, self.lines.len());
    }

    /// Lays out one row that holds up to the code offset `end`.
    pub(crate) fn push_line(&mut self, row: LineRow, end: u32) {
        let first = self.lines.len();
        self.lines.push(row);
        push_block(
            &mut self.line_blocks,
            row.start,
            end,
            first,
            self.lines.len(),
        );
    }
}

/// Returns the rows, and leaves room for others: to copy a few into room of their own
/// costs less than to let each unit's tables grow anew.
fn take<T: Clone>(rows: &mut Vec<T>) -> Vec<T> {
    if size_of_val(rows.as_slice()) > FEW_BYTES {
        return std::mem::take(rows);
    }
    let taken = rows.clone();
    rows.clear();
    taken
}

/// Returns the code offset of `addr` when `virt` is at `begin`; `None` from `end` on.
fn moved(addr: u64, virt: u64, begin: u32, end: u32) -> Option<u32> {
    let into = u32::try_from(addr.saturating_sub(virt)).ok()?;
    begin.checked_add(into).filter(|start| *start < end)
}

fn push_block(blocks: &mut Vec<Block>, begin: u32, end: u32, first: usize, last: usize) {
    let rows = u32::try_from(first)
        .ok()
        .zip(u32::try_from(last.saturating_sub(first)).ok());
    if let Some((first, count)) = rows.filter(|(_, count)| *count > 0) {
        blocks.push(Block {
            begin,
            end,
            first,
            count,
        });
    }
}
