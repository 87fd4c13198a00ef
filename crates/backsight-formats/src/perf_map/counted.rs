//! A reader that counts the bytes read, and knows whether the last one ended a line.

use std::io::{self, BufRead, Read};

#[derive(Debug)]
pub(super) struct CountingReader<R> {
    input: R,
    read: u64,
    last: Option<u8>,
}

impl<R> CountingReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            read: 0,
            last: None,
        }
    }

    /// Returns the number of bytes read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Whether the last byte read does not end a line. Then it was the last byte of the input.
    pub(super) fn is_in_line(&self) -> bool {
        self.last.is_some_and(|last| last != b'\n')
    }
}

impl<R: BufRead> Read for CountingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let len = from.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..len), from.get(..len)) {
            into.copy_from_slice(from);
        }
        self.consume(len);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for CountingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if amount == 0 {
            return;
        }
        // The consumed bytes are still in the buffer.
        if let Ok(filled) = self.input.fill_buf() {
            self.last = filled.get(amount.saturating_sub(1)).copied();
        }
        self.read = self.read.saturating_add(amount as u64);
        self.input.consume(amount);
    }
}
