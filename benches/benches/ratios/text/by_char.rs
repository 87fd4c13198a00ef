//! Parses maps texts as perf does: one byte at a time through a small buffer.

use std::ffi::CString;

use super::parser::{Line, Parser, Sink, Wanted, opened};
use crate::process::Process;
use crate::raw::Maps;

/// A parser like perf's `io__get_char`, `io__get_hex` and `io__get_dec`: it checks for an empty
/// buffer at each byte, compares digits, and parses every field of every line.
#[derive(Debug)]
pub(crate) struct ByChar {
    maps: CString,
    room: Vec<u8>,
    name: Vec<u8>,
}

struct Io<'r> {
    maps: Maps,
    room: &'r mut [u8],
    at: usize,
    until: usize,
}

impl Io<'_> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        if self.at == self.until {
            self.until = self.maps.read(self.room);
            self.at = 0;
            if self.until == 0 {
                return None;
            }
        }
        let byte = self.room[self.at];
        self.at += 1;
        Some(byte)
    }

    /// Returns a number, and the byte after it.
    #[inline]
    fn hex(&mut self) -> Option<(u64, u8)> {
        let mut number = 0;
        loop {
            let byte = self.byte()?;
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ => return Some((number, byte)),
            };
            number = number << 4 | u64::from(digit);
        }
    }

    #[inline]
    fn decimal(&mut self) -> Option<(u64, u8)> {
        let mut number = 0_u64;
        loop {
            match self.byte()? {
                byte @ b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
                byte => return Some((number, byte)),
            }
        }
    }
}

impl ByChar {
    pub(crate) fn new(process: Process) -> Self {
        let (maps, room) = opened(process);
        let name = Vec::with_capacity(4096);
        Self { maps, room, name }
    }

    fn lines(&mut self, mut wanted: Wanted, sink: &mut impl Sink) -> Option<()> {
        let mut io = Io {
            maps: Maps::open(&self.maps),
            room: &mut self.room,
            at: 0,
            until: 0,
        };
        loop {
            let (start, _) = io.hex()?;
            let (end, _) = io.hex()?;
            let mut perms = [0; 5];
            for byte in &mut perms {
                *byte = io.byte()?;
            }
            let (offset, _) = io.hex()?;
            let (_major, _) = io.hex()?;
            let (_minor, _) = io.hex()?;
            let (inode, mut byte) = io.decimal()?;
            while byte == b' ' {
                byte = io.byte()?;
            }
            self.name.clear();
            while byte != b'\n' {
                self.name.push(byte);
                byte = io.byte()?;
            }
            let line = Line {
                start,
                end,
                executable: perms[2] == b'x',
                offset,
                inode,
                name: &self.name,
            };
            if wanted.wants(&line) {
                wanted = sink.take(line)?;
            }
        }
    }
}

impl Parser for ByChar {
    const NAME: &'static str = "text, as perf";

    fn read(&mut self, wanted: Wanted, sink: &mut impl Sink) {
        // `None` means the end of the text, or of the wanted lines.
        let _ = self.lines(wanted, sink);
    }
}

impl Wanted {
    #[inline]
    pub(super) fn wants(self, line: &Line<'_>) -> bool {
        match self {
            Self::EndingAbove(addr) => line.end > addr,
            Self::Code => line.executable && line.inode != 0,
        }
    }
}
