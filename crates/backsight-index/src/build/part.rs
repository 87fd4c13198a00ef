//! One unit's part of the index, and the layout of its rows.

use super::path::PathParts;
use super::raw_name::RawName;
use crate::format::{CallNode, Le16, Le32};

/// One unit's part of the index. Rows refer to rows of the same part.
#[derive(Debug, Default)]
pub struct UnitPart<'d> {
    /// The call levels; an inlined call follows its parent.
    pub nodes: Vec<CallNode>,
    /// For each node the column of its call; 0 if unknown.
    pub node_columns: Vec<Le16>,
    /// The names of the nodes' functions.
    pub functions: Vec<RawName<'d>>,
    /// Source files.
    pub files: Vec<PathParts<'d>>,
    /// Code offsets where the call level changes, with the new node.
    pub scopes: Vec<(Le32, Le32)>,
    /// Blocks of scopes, one for each range of a function.
    pub scope_blocks: Vec<Block>,
    /// The rows where the source line changes.
    pub lines: Vec<LineRow>,
    /// Blocks of lines, one for each sequence.
    pub line_blocks: Vec<Block>,
    /// Whether its functions may have mangled names in the symbol table that the unit
    /// does not have.
    pub mangles: bool,
    /// Whether it is incomplete because a limit was reached.
    pub limited: bool,
    /// Whether a part of the unit could not be read.
    pub damaged: bool,
}

/// Rows for the code offsets from `begin` to `end`. The first row starts at `begin`.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Its start.
    pub begin: u32,
    /// Its end, exclusive.
    pub end: u32,
    /// Its first row.
    pub first: u32,
    /// The number of its rows.
    pub count: u32,
}

/// One row of the line table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// A code offset.
    pub start: u32,
    /// A row of the files, or [`NONE`](crate::format::NONE).
    pub file: u32,
    /// 0 if unknown.
    pub line: u32,
    /// 0 if unknown.
    pub column: u16,
}

/// One row of a sequence, before it is added to a part. It has only 16 bytes, as a kernel
/// has millions.
#[derive(Clone, Copy, Debug)]
pub struct SequenceRow {
    /// The offset in bytes from the start of its sequence.
    pub into: u32,
    /// The number of the file in the line program.
    pub file: u32,
    /// 0 if unknown.
    pub line: u32,
    /// 0 if unknown.
    pub column: u16,
}

/// Tables up to this many bytes are copied, so that their allocation is reused. Larger
/// ones are moved: the allocator takes such blocks from the OS each time.
const COPIED_TABLE_BYTES: usize = 1 << 15;

impl UnitPart<'_> {
    /// Returns the part and empties it. Small tables keep their allocations.
    pub fn take(&mut self) -> Self {
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

    /// Adds the scopes of a part of one function's range, which starts at the virtual
    /// offset `virt` and has the code offsets `begin` to `end`. `spans` are the inlined
    /// calls; the code between them belongs to the function itself, the node `root`.
    pub fn push_scopes(
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

    /// Adds the rows of a sequence from `into` bytes after its start, for the code
    /// offsets `begin` to `end`. `file_row` returns the row of a file.
    pub fn push_lines(
        &mut self,
        into: u64,
        (begin, end): (u32, u32),
        rows: &[SequenceRow],
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

    /// Adds one row that ends at the code offset `end`.
    pub fn push_line(&mut self, row: LineRow, end: u32) {
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

/// Returns the rows and empties the table, but keeps its allocation: copying a few rows
/// costs less than growing a new table for each unit.
fn take<T: Clone>(rows: &mut Vec<T>) -> Vec<T> {
    if size_of_val(rows.as_slice()) > COPIED_TABLE_BYTES {
        return std::mem::take(rows);
    }
    let taken = rows.clone();
    rows.clear();
    taken
}

/// Returns the code offset of `addr`, if `virt` has the code offset `begin`; `None` from
/// `end` on.
#[inline]
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
