//! Decompresses packets that stand compressed in one packet.

use std::io::{self, Read};

use flate2::bufread::{GzDecoder, ZlibDecoder};

use super::packet::data;
use crate::protobuf::{Error, MemoryBudget};

/// Returns the decompressed packets, as far as they can be, and whether they are whole.
///
/// The bytes count against the memory limit while they are there.
pub(super) fn unpack(
    number: u32,
    packed: &[u8],
    budget: &MemoryBudget,
) -> Result<(Vec<u8>, bool), Error> {
    let most = budget.left();
    let mut unpacked = Vec::new();
    let read = match (number, packed) {
        (data::COMPRESSED_ZSTD, _) => match zstd::Decoder::new(packed) {
            Ok(decoder) => read_some(decoder, most, &mut unpacked),
            Err(error) => Err(error),
        },
        (_, [0x1f, 0x8b, ..]) => read_some(GzDecoder::new(packed), most, &mut unpacked),
        _ => read_some(ZlibDecoder::new(packed), most, &mut unpacked),
    };
    budget.check(unpacked.len())?;
    Ok((unpacked, read.is_ok()))
}

/// Reads one byte more than allowed, which shows that the limit is exceeded.
fn read_some(input: impl Read, most: u64, into: &mut Vec<u8>) -> io::Result<usize> {
    input.take(most.saturating_add(1)).read_to_end(into)
}
