//! One function of a GSYM file: its lines, and the calls inlined into it.

use std::ops::Range;

use super::cursor::ByteCursor;
use crate::function_record::{FunctionRecord, InlinedCall, LineRange};

/// The types of data blocks of a function.
const LINES: u32 = 1;
const INLINED: u32 = 2;

/// The maximum depth of inlined calls.
const MAX_DEPTH: u32 = 1024;

/// Reads the data after the size of a function. Parts that cannot be read are left out,
/// and mark the record as damaged.
pub(super) fn read(range: Range<u64>, data: &[u8], big_endian: bool) -> FunctionRecord {
    let mut record = FunctionRecord {
        range,
        ..FunctionRecord::default()
    };
    record.is_damaged = read_into(&mut record, ByteCursor(data), big_endian).is_none();
    record
}

/// Returns the size of a function's data in bytes.
pub(super) fn size_of(data: &[u8], big_endian: bool) -> usize {
    let mut cursor = ByteCursor(data);
    let _name = cursor.word(big_endian);
    while let (Some(kind), Some(size)) = (cursor.word(big_endian), cursor.word(big_endian)) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(rest) = cursor.0.get(size..).filter(|_| kind > 0) else {
            break;
        };
        cursor.0 = rest;
    }
    data.len().saturating_sub(cursor.0.len())
}

fn read_into(
    record: &mut FunctionRecord,
    mut cursor: ByteCursor<'_>,
    big_endian: bool,
) -> Option<()> {
    record.name = cursor.word(big_endian)?;
    loop {
        let kind = cursor.word(big_endian)?;
        let size = usize::try_from(cursor.word(big_endian)?).ok()?;
        if kind == 0 {
            return Some(());
        }
        let (data, rest) = cursor.0.split_at_checked(size)?;
        cursor.0 = rest;
        match kind {
            LINES => read_lines(record, ByteCursor(data))?,
            INLINED => read_inlined(record, ByteCursor(data), big_endian)?,
            // Other blocks of later releases are ignored: merged functions, call sites.
            _ => {}
        }
    }
}

/// Reads the lines. If several rows have the same address, the last one is used.
fn read_lines(record: &mut FunctionRecord, mut cursor: ByteCursor<'_>) -> Option<()> {
    let Range { start, end } = record.range;
    let lowest = cursor.signed()?;
    let highest = cursor.signed()?;
    let steps = highest.checked_sub(lowest)?.checked_add(1)?;
    let steps = u64::try_from(steps).ok().filter(|steps| *steps > 0)?;
    let mut row = (start, 1_u32, cursor.unsigned()?);
    let mut last: Option<(u64, u32, u64)> = None;
    let lines = &mut record.lines;
    let mut close = |last: Option<(u64, u32, u64)>, until: u64| {
        let Some((begin, file, line)) = last else {
            return;
        };
        let range = begin..until.min(end);
        if !range.is_empty() {
            let line = u32::try_from(line).unwrap_or(0);
            lines.push(LineRange { range, file, line });
        }
    };
    let whole = loop {
        let next = || -> Option<Option<bool>> {
            let is_row = match cursor.byte()? {
                0 => return Some(None),
                1 => {
                    row.1 = u32::try_from(cursor.unsigned()?).ok()?;
                    false
                }
                2 => {
                    row.0 = row.0.checked_add(cursor.unsigned()?)?;
                    true
                }
                3 => {
                    row.2 = row.2.checked_add_signed(cursor.signed()?)?;
                    false
                }
                special => {
                    let both = u64::from(special.saturating_sub(4));
                    let line = i64::try_from(both.checked_rem(steps)?).ok()?;
                    row.2 = row.2.checked_add_signed(lowest.checked_add(line)?)?;
                    row.0 = row.0.checked_add(both.checked_div(steps)?)?;
                    true
                }
            };
            Some(Some(is_row))
        }();
        match next {
            None => break None,
            Some(None) => break Some(()),
            Some(Some(false)) => {}
            Some(Some(true)) => {
                close(last, row.0);
                last = Some(row);
            }
        }
    };
    close(last, end);
    whole
}

/// Reads the tree of calls, whose root is the function itself. It is a loop because
/// forged trees may be too deep for recursion.
fn read_inlined(
    record: &mut FunctionRecord,
    mut cursor: ByteCursor<'_>,
    big_endian: bool,
) -> Option<()> {
    /// A call whose children are being read: its index, the base of its children's
    /// ranges, and its ranges.
    struct Open {
        call: Option<usize>,
        base: u64,
        ranges: Vec<Range<u64>>,
    }
    let function = record.range.clone();
    let root = ranges(&mut cursor, function.start)?;
    let has_children = cursor.byte()? != 0;
    let _root_is_the_function = (cursor.word(big_endian)?, cursor.unsigned()?);
    cursor.unsigned()?;
    let Some(base) = root
        .first()
        .map(|range| range.start)
        .filter(|_| has_children)
    else {
        return Some(());
    };
    let mut open = vec![Open {
        call: None,
        base,
        ranges: vec![function],
    }];
    while let Some(around) = open.last() {
        let all = ranges(&mut cursor, around.base)?;
        let Some(base) = all.first().map(|range| range.start) else {
            open.pop();
            continue;
        };
        let has_children = cursor.byte()? != 0;
        let name = cursor.word(big_endian)?;
        let file = u32::try_from(cursor.unsigned()?).ok()?;
        let line = u32::try_from(cursor.unsigned()?).unwrap_or(0);
        let depth = u32::try_from(open.len()).ok()?.checked_sub(1)?;
        if depth >= MAX_DEPTH {
            return None;
        }
        // The ranges of a call are limited to those of the enclosing one.
        let ranges = within(&all, &around.ranges);
        let call = InlinedCall {
            into: around.call,
            depth,
            ranges: ranges.clone(),
            name,
            file,
            line,
        };
        record.calls.push(call);
        if has_children {
            open.push(Open {
                call: record.calls.len().checked_sub(1),
                base,
                ranges,
            });
        }
    }
    Some(())
}

/// Returns the intersection of two lists of ranges. A function has one range, a call a
/// few; longer lists, whose product is too large, give no ranges.
fn within(inner: &[Range<u64>], outer: &[Range<u64>]) -> Vec<Range<u64>> {
    const MAX_PRODUCT: usize = 1 << 16;
    if inner.len().saturating_mul(outer.len()) > MAX_PRODUCT {
        return Vec::new();
    }
    let mut parts = Vec::new();
    for one in inner {
        let cut = outer
            .iter()
            .map(|other| one.start.max(other.start)..one.end.min(other.end));
        parts.extend(cut.filter(|part| !part.is_empty()));
    }
    parts
}

fn ranges(cursor: &mut ByteCursor<'_>, base: u64) -> Option<Vec<Range<u64>>> {
    let count = cursor.unsigned()?;
    let mut all = Vec::new();
    // Each range takes at least two bytes, so the data bounds a forged count.
    for _ in 0..count {
        let start = base.checked_add(cursor.unsigned()?)?;
        let end = start.checked_add(cursor.unsigned()?)?;
        all.push(start..end);
    }
    Some(all)
}
