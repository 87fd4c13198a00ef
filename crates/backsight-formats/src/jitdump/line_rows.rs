//! The rows of a line table: address, line, and the name of a file that ends with a zero byte.
//!
//! V8 (node 18 to 24) may free the name of a script before it writes the bytes. What stands there
//! then has the length of the name, and may have zero bytes inside: read up to the first of them,
//! all following rows are shifted. Such a table is recognized by its addresses and padding.
//! V8 writes the name of one script in all rows of a table, so that all rows have the same length
//! and can be told apart without the names.
//!
//! Erlang's machine begins each table 48 to 55 bytes before the code, with the header of the
//! function, and ends it with a row of line 0 without a file.
//!
//! Sources: `LogWriteDebugInfo` in `src/diagnostics/perf-jit.cc` of V8; `JitPerfDump` in
//! `erts/emulator/beam/jit/beam_jit_main.cpp` of Erlang.

use super::code::MAX_SIZE;
use super::lines::DebugEntry;
use crate::bytes::Bytes;

/// The name that stands for the file of the previous row.
const SAME_FILE: &[u8] = b"\xff";
/// The size of the fields before the name.
const FIXED: usize = 16;
/// Records are padded to a multiple of this size.
const PADDING: usize = 8;
/// No header of a function is larger, in bytes.
const HEADER: u64 = 0x100;

/// The rows of one table, as far as they can be told apart.
#[derive(Debug, Default)]
pub(super) struct LineRows {
    pub(super) rows: Vec<DebugEntry>,
    /// Whether there are as many rows as the record says.
    pub(super) is_whole: bool,
    /// The number of rows whose name is not one.
    pub(super) unreadable_names: u64,
}

/// How rows end where they are read up to each zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowsEnd {
    /// All are read, and nothing but padding follows.
    Padding,
    /// All are read, and something else follows.
    Other,
    /// The bytes end before the last row.
    Short,
    /// A row is not one of this code, so that the name before it is not one either.
    Misaligned,
}

/// Parses `count` rows of the code that starts at `start`. Longer names end the table.
pub(super) fn parse(at: Bytes<'_>, start: u64, count: u64, max_name: u64) -> LineRows {
    let (terminated, end) = by_zero_bytes(at, start, count, max_name);
    match end {
        RowsEnd::Padding | RowsEnd::Short => terminated,
        RowsEnd::Other => by_length(at, start, count).unwrap_or(terminated),
        RowsEnd::Misaligned => by_length(at, start, count).unwrap_or_default(),
    }
}

/// Parses rows whose names are read up to the first zero byte, as the format says.
fn by_zero_bytes(mut at: Bytes<'_>, start: u64, count: u64, max_name: u64) -> (LineRows, RowsEnd) {
    let mut found = LineRows::default();
    for _ in 0..count {
        let Some((addr, line, file)) = row(&mut at) else {
            return (found, RowsEnd::Short);
        };
        if !is_of_code(addr, start) {
            return (found, RowsEnd::Misaligned);
        }
        if file.len() as u64 > max_name {
            return (found, RowsEnd::Short);
        }
        let file = match file {
            SAME_FILE => None,
            file if is_name(file) => Some(file.to_vec()),
            _ => {
                found.unreadable_names = found.unreadable_names.saturating_add(1);
                Some(Vec::new())
            }
        };
        found.rows.push(DebugEntry { addr, line, file });
    }
    found.is_whole = true;
    match is_padding(at.rest()) {
        true => (found, RowsEnd::Padding),
        false => (found, RowsEnd::Other),
    }
}

/// Parses rows of the same length, without their names; `None` if none fits, or several.
fn by_length(at: Bytes<'_>, start: u64, count: u64) -> Option<LineRows> {
    let count = usize::try_from(count).ok().filter(|count| *count > 0)?;
    let size = at.rest().len();
    let mut found: Option<Vec<(u64, u32)>> = None;
    for padding in 0..PADDING {
        let rows = size.checked_sub(padding);
        let len = rows.filter(|rows| rows.is_multiple_of(count));
        let len = len.and_then(|rows| rows.checked_div(count));
        let Some(rows) = len.and_then(|len| rows_of(at, start, count, len)) else {
            continue;
        };
        if found.as_ref().is_some_and(|other| *other != rows) {
            return None;
        }
        found = Some(rows);
    }
    let without_name = |(addr, line)| DebugEntry {
        addr,
        line,
        file: Some(Vec::new()),
    };
    Some(LineRows {
        rows: found?.into_iter().map(without_name).collect(),
        is_whole: true,
        unreadable_names: count as u64,
    })
}

/// Returns the addresses and lines of `count` rows of `len` bytes each; `None` if they are not
/// ascending addresses of the code, or a name has no end, or something other than padding follows.
fn rows_of(mut at: Bytes<'_>, start: u64, count: usize, len: usize) -> Option<Vec<(u64, u32)>> {
    let name = len.checked_sub(FIXED)?;
    let mut rows: Vec<(u64, u32)> = Vec::new();
    for _ in 0..count {
        let (addr, line, _column) = (at.u64()?, at.u32()?, at.u32()?);
        let is_next = rows.last().is_none_or(|(before, _)| *before <= addr);
        let ends = at.take(name)?.last() == Some(&0);
        (is_next && ends && is_of_code(addr, start)).then_some(())?;
        rows.push((addr, line));
    }
    is_padding(at.rest()).then_some(rows)
}

fn row<'b>(at: &mut Bytes<'b>) -> Option<(u64, u32, &'b [u8])> {
    let (addr, line, _discriminator) = (at.u64()?, at.u32()?, at.u32()?);
    Some((addr, line, at.terminated()?))
}

/// Whether an address may be one of the code that starts at `start`, or of the header before it.
fn is_of_code(addr: u64, start: u64) -> bool {
    let into = addr.checked_sub(start.saturating_sub(HEADER));
    into.is_some_and(|into| into <= MAX_SIZE)
}

/// Whether bytes may be the name of a file: text without control characters.
fn is_name(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

fn is_padding(bytes: &[u8]) -> bool {
    bytes.len() < PADDING && bytes.iter().all(|byte| *byte == 0)
}
