//! The bytes of a file, unpacked, and the budget of memory they are counted on.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::Error;
#[cfg(feature = "pprof")]
use super::wire::Fields;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What may still be held in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: u64,
    left: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, left: limit }
    }

    /// Takes so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let left = u64::try_from(bytes)
            .ok()
            .and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(Error::TooLarge { limit: self.limit })?;
        Ok(())
    }

    /// Says whether so many bytes could be taken: for what is let go at once.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Error> {
        { *self }.take(bytes)
    }

    /// Takes what `count` rows of this type occupy.
    pub(crate) fn take_rows<T>(&mut self, count: usize) -> Result<(), Error> {
        self.take(count.saturating_mul(size_of::<T>()))
    }
}

/// Returns the message of a file, which may be packed by gzip or not.
#[cfg(feature = "pprof")]
pub(crate) fn unpack(input: impl Read, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    unpack_as(input, budget, |begin| Fields::check_begin(begin))
}

/// The same of a file whose beginning is checked otherwise.
pub(crate) fn unpack_as(
    input: impl Read,
    budget: &mut Budget,
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
    if packed {
        read_all(MultiGzDecoder::new(input), budget, check_begin).map_err(|why| match why {
            // The kinds with which the decoder speaks of its input.
            Error::Io(why)
                if matches!(
                    why.kind(),
                    io::ErrorKind::InvalidData
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Error::Malformed {
                    offset: 0,
                    reason: "what gzip packed is damaged or cut off",
                }
            }
            why => why,
        })
    } else {
        read_all(input, budget, check_begin)
    }
}

fn read_all(
    mut input: impl Read,
    budget: &mut Budget,
    check_begin: fn(&[u8]) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A gigabyte of something else is refused before it is read.
    let begin = input.by_ref().take(1 << 16).read_to_end(&mut bytes);
    begin.map_err(Error::Io)?;
    check_begin(&bytes)?;
    // One more tells that there is too much.
    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let most = budget.left.saturating_add(1).saturating_sub(read);
    input
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(Error::Io)?;
    budget.take(bytes.len())?;
    Ok(bytes)
}
