//! Reads the records of a file.

use std::io::{self, BufRead, Read};

use super::limits::{JitdumpEnd, Limits};
use super::line_rows::{self, LineRows};
use crate::bytes::Bytes;

mod kind {
    pub(super) const LOAD: u32 = 0;
    pub(super) const MOVE: u32 = 1;
    pub(super) const DEBUG_INFO: u32 = 2;
}

const HEADER: u64 = 16;
/// The size of the fields before the name.
const LOAD: usize = 40;

/// A record.
#[derive(Debug)]
pub(super) enum JitRecord {
    Load {
        time: u64,
        start: u64,
        size: u64,
        name: Vec<u8>,
    },
    Move {
        time: u64,
        from: u64,
        to: u64,
        size: u64,
    },
    /// The line table of the code that starts at `start` and is loaded next.
    Lines {
        start: u64,
        table: LineRows,
    },
    /// A record that is not used: unwinding information, the end, an unknown type.
    Other,
    Malformed,
    End(JitdumpEnd),
}

/// Reads the next record. Returns it with its size.
pub(super) fn next(
    input: &mut impl BufRead,
    is_big: bool,
    limits: &Limits,
) -> io::Result<(JitRecord, u64)> {
    let mut header = Vec::new();
    input.by_ref().take(HEADER).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok((JitRecord::End(JitdumpEnd::Whole), 0));
    }
    let mut at = Bytes::new(&header, is_big);
    let (Some(id), Some(size), Some(time)) = (at.u32(), at.u32(), at.u64()) else {
        return Ok((JitRecord::End(JitdumpEnd::InRecord), 0));
    };
    let size = u64::from(size);
    let Some(body) = size.checked_sub(HEADER) else {
        return Ok((JitRecord::End(JitdumpEnd::Damaged), 0));
    };
    let mut body = input.by_ref().take(body);
    let part = match id {
        kind::LOAD => load(&mut body, is_big, time, limits)?,
        kind::MOVE => moved(&mut body, is_big, time)?,
        kind::DEBUG_INFO => lines(&mut body, is_big, limits)?,
        _ => JitRecord::Other,
    };
    let rest = body.limit();
    let passed = io::copy(&mut body, &mut io::sink())?;
    match passed < rest {
        true => Ok((JitRecord::End(JitdumpEnd::InRecord), size)),
        false => Ok((part, size)),
    }
}

/// Skips bytes.
pub(super) fn pass(input: &mut impl BufRead, bytes: u64) -> io::Result<()> {
    io::copy(&mut input.by_ref().take(bytes), &mut io::sink()).map(|_| ())
}

fn load(
    body: &mut impl BufRead,
    is_big: bool,
    time: u64,
    limits: &Limits,
) -> io::Result<JitRecord> {
    let mut fixed = Vec::new();
    body.by_ref().take(LOAD as u64).read_to_end(&mut fixed)?;
    let mut name = Vec::new();
    let most = limits.name.saturating_add(1);
    body.by_ref().take(most).read_until(0, &mut name)?;
    let is_whole = name.pop_if(|last| *last == 0).is_some() && !name.is_empty();
    let mut at = Bytes::new(&fixed, is_big);
    let _process_and_thread = at.u64();
    let numbers = [at.u64(), at.u64(), at.u64()];
    Ok(match numbers {
        [Some(_vma), Some(start), Some(size)] if is_whole => JitRecord::Load {
            time,
            start,
            size,
            name,
        },
        _ => JitRecord::Malformed,
    })
}

fn moved(body: &mut impl BufRead, is_big: bool, time: u64) -> io::Result<JitRecord> {
    let mut fixed = Vec::new();
    body.by_ref().take(48).read_to_end(&mut fixed)?;
    let mut at = Bytes::new(&fixed, is_big);
    let _process_and_thread = at.u64();
    let numbers = [at.u64(), at.u64(), at.u64(), at.u64()];
    Ok(match numbers {
        [Some(_vma), Some(from), Some(to), Some(size)] => JitRecord::Move {
            time,
            from,
            to,
            size,
        },
        _ => JitRecord::Malformed,
    })
}

fn lines(body: &mut impl BufRead, is_big: bool, limits: &Limits) -> io::Result<JitRecord> {
    let mut bytes = Vec::new();
    body.by_ref()
        .take(limits.lines_bytes)
        .read_to_end(&mut bytes)?;
    let mut at = Bytes::new(&bytes, is_big);
    let (Some(start), Some(count)) = (at.u64(), at.u64()) else {
        return Ok(JitRecord::Malformed);
    };
    let table = line_rows::parse(at, start, count, limits.name);
    Ok(JitRecord::Lines { start, table })
}
