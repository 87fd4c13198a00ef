//! The fastest known way: finds lines with `memchr`, and does not decode unwanted ones.

use std::ffi::CString;

use super::parser::{Line, Parser, Sink, Wanted, opened};
use crate::process::Process;
use crate::raw::Maps;

/// Finds lines with SIMD instructions, parses numbers with its own code, and filters before
/// decoding.
#[derive(Debug)]
pub(crate) struct ByMemchr {
    maps: CString,
    room: Vec<u8>,
}

impl ByMemchr {
    pub(crate) fn new(process: Process) -> Self {
        let (maps, room) = opened(process);
        Self { maps, room }
    }
}

impl Parser for ByMemchr {
    const NAME: &'static str = "text, memchr";

    fn read(&mut self, mut wanted: Wanted, sink: &mut impl Sink) {
        let maps = Maps::open(&self.maps);
        let mut until = 0;
        loop {
            let read = maps.read(&mut self.room[until..]);
            if read == 0 {
                return;
            }
            until += read;
            let mut from = 0;
            while let Some(length) = memchr::memchr(b'\n', &self.room[from..until]) {
                let line = &self.room[from..from + length];
                from += length + 1;
                if !may_be(line, wanted) {
                    continue;
                }
                let line = decode(line).expect("a line as the kernel prints it");
                if wanted.wants(&line) {
                    match sink.take(line) {
                        Some(from_here) => wanted = from_here,
                        None => return,
                    }
                }
            }
            self.room.copy_within(from..until, 0);
            until -= from;
        }
    }
}

/// Returns whether a line may be wanted.
#[inline]
fn may_be(line: &[u8], wanted: Wanted) -> bool {
    match wanted {
        Wanted::EndingAbove(addr) => end_of(line) > addr,
        Wanted::Code => {
            let perms = memchr::memchr(b' ', line).map(|space| space + 1);
            perms.and_then(|perms| line.get(perms + 2)) == Some(&b'x')
        }
    }
}

/// Returns the end of a line's range.
#[inline]
pub(super) fn end_of(line: &[u8]) -> u64 {
    let (_, rest) = hex(line);
    hex(rest).0
}

fn decode(line: &[u8]) -> Option<Line<'_>> {
    let (start, rest) = hex(line);
    let (end, rest) = hex(rest);
    let (perms, rest) = rest.split_at_checked(5)?;
    let (offset, rest) = hex(rest);
    let (_major, rest) = hex(rest);
    let (_minor, rest) = hex(rest);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (inode, name) = rest.split_at_checked(digits)?;
    Some(Line {
        start,
        end,
        executable: perms[2] == b'x',
        offset,
        inode: inode
            .iter()
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')),
        name: name.trim_ascii_start(),
    })
}

/// Returns a number, and the text after it and one more byte.
#[inline]
fn hex(text: &[u8]) -> (u64, &[u8]) {
    let mut number = 0;
    for (at, byte) in text.iter().enumerate() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return (number, &text[at + 1..]),
        };
        number = number << 4 | u64::from(digit);
    }
    (number, &[])
}
