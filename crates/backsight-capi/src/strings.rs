//! Texts that answers lend out: with their length, and a NUL behind the end.

use std::ffi::c_char;
use std::ptr;

/// A text. Names of functions are UTF-8; paths are bytes as the kernel has them. A NUL follows
/// the last byte. A text with NUL bytes inside is longer than `strlen` says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_string {
    /// The bytes; null if there is no text, which is not the same as an empty one.
    pub data: *const c_char,
    /// Their number, without the NUL.
    pub len: usize,
}

impl backsight_string {
    pub(crate) const NONE: Self = Self {
        data: ptr::null(),
        len: 0,
    };
}

const CHUNK_BYTES: usize = 1 << 16;

/// Memory for texts, which stay where they are until all are forgotten.
#[derive(Debug, Default)]
pub(crate) struct TextArena {
    /// Each has its capacity from the start, and never grows beyond it.
    chunks: Vec<Vec<u8>>,
    /// The chunk that is being filled.
    filling: usize,
}

impl TextArena {
    /// Keeps a text.
    pub(crate) fn add(&mut self, text: &[u8]) -> backsight_string {
        let needed = text.len() + 1;
        loop {
            if self.filling == self.chunks.len() {
                let chunk = Vec::with_capacity(needed.max(CHUNK_BYTES));
                self.chunks.push(chunk);
            }
            let Some(chunk) = self.chunks.get_mut(self.filling) else {
                return backsight_string::NONE;
            };
            let start = chunk.len();
            if chunk.capacity() - start < needed {
                self.filling += 1;
                continue;
            }
            chunk.extend_from_slice(text);
            chunk.push(0);
            let added = chunk.get(start..).unwrap_or_default();
            return backsight_string {
                data: added.as_ptr().cast(),
                len: text.len(),
            };
        }
    }

    /// Keeps a text, if there is one.
    pub(crate) fn add_some(&mut self, text: Option<&str>) -> backsight_string {
        text.map_or(backsight_string::NONE, |text| self.add(text.as_bytes()))
    }

    /// Forgets all texts. Memory for ordinary ones is kept.
    pub(crate) fn clear(&mut self) {
        self.chunks.retain(|chunk| chunk.capacity() <= CHUNK_BYTES);
        self.chunks.iter_mut().for_each(Vec::clear);
        self.filling = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::{CHUNK_BYTES, TextArena, backsight_string};

    fn bytes(text: backsight_string) -> Vec<u8> {
        // SAFETY: the arena is still there, and a NUL follows the text.
        unsafe { slice::from_raw_parts(text.data.cast(), text.len + 1) }.to_vec()
    }

    #[test]
    fn texts_stay_where_they_are() {
        let mut arena = TextArena::default();
        for _ in 0..2 {
            let long = vec![b'x'; CHUNK_BYTES + 5];
            let mut texts: Vec<Vec<u8>> = vec![b"".to_vec(), b"a\0b".to_vec(), long];
            texts.extend((0..20_000).map(|at| format!("name {at}").into_bytes()));
            let kept: Vec<_> = texts.iter().map(|text| arena.add(text)).collect();
            for (mut text, kept) in texts.into_iter().zip(kept) {
                text.push(0);
                assert_eq!(bytes(kept), text);
            }
            arena.clear();
        }
        assert!(arena.add_some(None).data.is_null());
    }
}
