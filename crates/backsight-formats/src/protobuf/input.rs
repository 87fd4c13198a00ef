//! Reads and decompresses an input within a memory budget.

#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
use std::io::{self, Read};

#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
use flate2::bufread::MultiGzDecoder;

use super::error::Error;
#[cfg(feature = "pprof")]
use super::wire::MessageFields;

/// The magic number of gzip.
#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The memory that may still be allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryBudget {
    limit: u64,
    left: u64,
    #[cfg(feature = "json-profiles")]
    is_exceeded: bool,
}

impl MemoryBudget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            left: limit,
            #[cfg(feature = "json-profiles")]
            is_exceeded: false,
        }
    }

    /// Returns the error of a call that could not reserve what it asked for, if there was one: it
    /// may have been lost on the way.
    #[cfg(feature = "json-profiles")]
    pub(crate) fn exceeded(&self) -> Option<Error> {
        let limit = self.limit;
        self.is_exceeded.then_some(Error::TooLarge { limit })
    }

    /// Returns how many bytes may still be reserved.
    #[cfg(feature = "perfetto")]
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Reserves so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let left = u64::try_from(bytes)
            .ok()
            .and_then(|bytes| self.left.checked_sub(bytes));
        #[cfg(feature = "json-profiles")]
        {
            self.is_exceeded |= left.is_none();
        }
        self.left = left.ok_or(Error::TooLarge { limit: self.limit })?;
        Ok(())
    }

    /// Checks that so many bytes could be reserved, for a temporary allocation.
    #[cfg(any(feature = "otlp", feature = "perfetto", feature = "pprof"))]
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Error> {
        { *self }.take(bytes)
    }

    /// Reserves the memory of `count` values of this type.
    pub(crate) fn take_rows<T>(&mut self, count: usize) -> Result<(), Error> {
        self.take(count.saturating_mul(size_of::<T>()))
    }
}

/// Returns the message of a file, which may be packed by gzip or not.
#[cfg(feature = "pprof")]
pub(crate) fn unpack(input: impl Read, budget: &mut MemoryBudget) -> Result<Vec<u8>, Error> {
    unpack_as(input, budget, |begin| MessageFields::check_begin(begin))
}

/// Like [`unpack`], for a format whose start is checked differently.
#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
pub(crate) fn unpack_as(
    input: impl Read,
    budget: &mut MemoryBudget,
    check_begin: fn(&[u8]) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut input = io::BufReader::with_capacity(1 << 16, input);
    let mut head = Vec::with_capacity(GZIP.len());
    input
        .by_ref()
        .take(2)
        .read_to_end(&mut head)
        .map_err(Error::Io)?;
    let packed = head == GZIP;
    let input = io::Cursor::new(head).chain(input);
    match packed {
        true => read_all(MultiGzDecoder::new(input), budget, check_begin, gzip_error),
        false => read_all(input, budget, check_begin, |error, _| Error::Io(error)),
    }
}

/// Converts an error of the gzip decoder. `read` is the number of bytes decompressed before it.
#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
fn gzip_error(error: io::Error, read: usize) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        // The decoder reports damage with these kinds, and passes errors of its input on.
        InvalidData | InvalidInput | UnexpectedEof if error.raw_os_error().is_none() => {
            Error::Malformed {
                offset: u64::try_from(read).unwrap_or(u64::MAX),
                reason: "its gzip stream is damaged or cut off",
            }
        }
        _ => Error::Io(error),
    }
}

#[cfg(any(feature = "json-profiles", feature = "otlp", feature = "pprof"))]
fn read_all(
    mut input: impl Read,
    budget: &mut MemoryBudget,
    check_begin: fn(&[u8]) -> Result<(), Error>,
    failed: fn(io::Error, usize) -> Error,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A large file in another format is refused before it is read as a whole.
    let begin = input.by_ref().take(1 << 16).read_to_end(&mut bytes);
    begin.map_err(|error| failed(error, bytes.len()))?;
    check_begin(&bytes)?;
    // One more byte than allowed shows that the limit is exceeded.
    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let most = budget.left.saturating_add(1).saturating_sub(read);
    let rest = input.take(most).read_to_end(&mut bytes);
    rest.map_err(|error| failed(error, bytes.len()))?;
    budget.take(bytes.len())?;
    Ok(bytes)
}
