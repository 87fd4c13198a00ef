//! A reader that keeps why reading failed.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};

use object::ReadCache;

use crate::error::{Error, ReadError};

/// Parses an open file, and reads no more of it than `parse` asks for. A part that cannot be read
/// is an error, even if `parse` can do without it.
pub(crate) fn parse_file<R: Read + Seek, T>(
    file: R,
    parse: impl FnOnce(&ReadCache<ErrorKeeper<'_, R>>) -> Result<T, Error>,
) -> Result<T, ReadError> {
    let first_error = RefCell::new(None);
    let kept = ErrorKeeper {
        inner: file,
        first_error: &first_error,
    };
    let parsed = parse(&ReadCache::new(kept));
    match first_error.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(parsed?),
    }
}

/// A reader that keeps its first error, because [`object::ReadCache`] returns none. A read past
/// the end is no error: it returns no bytes.
#[derive(Debug)]
pub(crate) struct ErrorKeeper<'k, R> {
    inner: R,
    first_error: &'k RefCell<Option<io::Error>>,
}

impl<R> ErrorKeeper<'_, R> {
    fn keep<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            // An offset that no file can have, which a header gave, is invalid input.
            let is_of_file = !matches!(
                kind,
                io::ErrorKind::Interrupted | io::ErrorKind::InvalidInput
            );
            if is_of_file {
                self.first_error.borrow_mut().get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl<R: Read> Read for ErrorKeeper<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes);
        self.keep(read)
    }
}

impl<R: Seek> Seek for ErrorKeeper<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.inner.seek(to);
        self.keep(at)
    }
}
