//! Parses maps texts with `fscanf`, as many small tools do, including that of the kernel patch
//! series.

#![expect(unsafe_code, reason = "the C library's own fscanf is the contestant")]

use std::ffi::{CString, c_char, c_int, c_ulong};

use super::parser::{Line, Parser, Sink, Wanted};
use crate::process::Process;

/// The maximum size of a name, including its NUL.
const MAX_NAME_BYTES: usize = 4096;

/// The C library's `fscanf`, called for each line.
#[derive(Debug)]
pub(crate) struct Fscanf {
    maps: CString,
    name: Vec<c_char>,
}

/// An open stream, closed when dropped.
struct Stream(*mut libc::FILE);

impl Fscanf {
    pub(crate) fn new(process: Process) -> Self {
        Self {
            maps: process.maps(),
            name: vec![0; MAX_NAME_BYTES],
        }
    }
}

impl Parser for Fscanf {
    const NAME: &'static str = "text, fscanf";

    fn read(&mut self, mut wanted: Wanted, sink: &mut impl Sink) {
        // SAFETY: both strings end in a NUL and are only read.
        let stream = unsafe { libc::fopen(self.maps.as_ptr(), c"re".as_ptr()) };
        assert!(!stream.is_null(), "the process is there");
        let stream = Stream(stream);
        let (mut start, mut end, mut offset, mut inode): (c_ulong, c_ulong, c_ulong, c_ulong);
        let mut perms = [0_u8; 5];
        loop {
            (start, end, offset, inode) = (0, 0, 0, 0);
            self.name[0] = 0;
            // The last conversion reads the rest of the line. Without a name, `%[` fails, and
            // the next call skips the newline as white space.
            // SAFETY: the stream is open; each conversion has a pointer of its type, and both
            // texts have room for their widths and a NUL.
            let fields: c_int = unsafe {
                libc::fscanf(
                    stream.0,
                    c"%lx-%lx %4s %lx %*x:%*x %lu%*[ ]%4095[^\n]".as_ptr(),
                    &raw mut start,
                    &raw mut end,
                    perms.as_mut_ptr(),
                    &raw mut offset,
                    &raw mut inode,
                    self.name.as_mut_ptr(),
                )
            };
            if fields < 5 {
                return;
            }
            let name = self.name.iter().take_while(|byte| **byte != 0).count();
            let line = Line {
                start,
                end,
                executable: perms[2] == b'x',
                offset,
                inode,
                name: bytes(&self.name[..name]),
            };
            if wanted.wants(&line) {
                match sink.take(line) {
                    Some(from_here) => wanted = from_here,
                    None => return,
                }
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: `read` opened the stream, and nothing else owns it.
        let status = unsafe { libc::fclose(self.0) };
        debug_assert_eq!(status, 0, "it was open");
    }
}

fn bytes(chars: &[c_char]) -> &[u8] {
    // SAFETY: a `c_char` is a byte, signed or not, and both slices have the same lifetime.
    unsafe { std::slice::from_raw_parts(chars.as_ptr().cast(), chars.len()) }
}
