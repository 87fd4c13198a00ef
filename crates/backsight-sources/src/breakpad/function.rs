//! One function: its lines, and the calls inlined into it.

use std::ops::Range;

use super::lines::Lines;
use super::record::{self, InlinedRecord, NO_TEXT, Record};
use crate::function_record::{FunctionRecord, InlinedCall, LineRange, within};

/// How deep inlined calls are followed.
const MAX_DEPTH: u32 = 1024;

/// Reads what follows the line of a function. Lines that cannot be read are left out: they
/// were counted when the file was opened.
pub(super) fn read(range: Range<u64>, lines: Lines<'_>) -> FunctionRecord {
    let mut record = FunctionRecord {
        range,
        name: NO_TEXT,
        ..FunctionRecord::default()
    };
    // For each level, the call that is open.
    let mut open = Vec::new();
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
            Some(Record::Inlined(call)) => add_call(&mut record, &mut open, call),
            Some(Record::Empty | Record::Info | Record::CodeId(_)) => {}
            // Another MODULE line was counted.
            Some(Record::Module | Record::Cfi(..)) => {}
            None if !line.starts_with(b"FUNC ") && !line.starts_with(b"STACK CFI INIT ") => {}
            _ => break,
        }
    }
    sort_lines(&mut record);
    record
}

fn add_call(record: &mut FunctionRecord, open: &mut Vec<usize>, call: InlinedRecord<'_>) {
    let depth = usize::try_from(call.level).unwrap_or(usize::MAX);
    if depth > open.len() || call.level >= MAX_DEPTH {
        record.is_damaged = true;
        return;
    }
    open.truncate(depth);
    let into = open.last().copied();
    let around = into.and_then(|at| record.calls.get(at));
    let function = std::slice::from_ref(&record.range);
    let around = around.map_or(function, |around| around.ranges.as_slice());
    let all = call.ranges().unwrap_or_default();
    // A call is nowhere but in what it is inlined into.
    let ranges = within(&all, around);
    open.push(record.calls.len());
    record.calls.push(InlinedCall {
        into,
        depth: call.level,
        ranges,
        name: call.origin,
        file: call.file,
        line: call.line,
    });
}

/// Lines are only in their function. One ends where the next begins, and of those at one
/// address the last counts.
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
