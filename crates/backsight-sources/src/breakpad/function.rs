//! One function: its lines, and the calls inlined into it.

use std::ops::Range;

use super::inline_tree::InlineTree;
use super::lines::Lines;
use super::record::{self, NO_TEXT, Record};
use crate::function_record::{FunctionRecord, LineRange};

/// Reads the lines after the `FUNC` line of a function. Lines that cannot be read are
/// left out; they were counted when the file was opened.
pub(super) fn read(range: Range<u64>, lines: Lines<'_>) -> FunctionRecord {
    let mut record = FunctionRecord {
        range,
        name: NO_TEXT,
        ..FunctionRecord::default()
    };
    let mut calls = Vec::new();
    for (_, line) in lines {
        match record::parse(line) {
            Some(Record::Line {
                start,
                size,
                line,
                file,
            }) => {
                let range = start..start.saturating_add(size.into());
                record.lines.push(LineRange { range, file, line });
            }
            Some(Record::Inlined(call)) => calls.push(call),
            Some(Record::Empty | Record::Info | Record::CodeId(_)) => {}
            // A misplaced line, which was counted when the file was opened.
            Some(Record::Module | Record::Cfi(..)) => {}
            None if !line.starts_with(b"FUNC ") && !line.starts_with(b"STACK CFI INIT ") => {}
            _ => break,
        }
    }
    let tree = InlineTree::of(&record.range, calls);
    record.is_damaged = tree.is_damaged;
    record.calls = tree.calls;
    sort_lines(&mut record);
    record
}

/// Limits lines to their function. A line ends at the start of the next one. If several
/// have the same address, the last one is used.
fn sort_lines(record: &mut FunctionRecord) {
    let (Range { start, end }, lines) = (record.range.clone(), &mut record.lines);
    lines.sort_by_key(|row| row.range.start);
    let mut next = end;
    for row in lines.iter_mut().rev() {
        let whole = row.range.clone();
        row.range = whole.start.max(start)..whole.end.min(next);
        record.is_damaged |= row.range != whole;
        next = next.min(whole.start);
    }
    lines.retain(|row| !row.range.is_empty());
}
