//! Unpacks xz streams, within bounds on memory.
//!
//! A stream may grow a thousandfold without declaring its size, and its header may ask for a
//! dictionary of 4 GiB: both are bounded.

#[cfg(feature = "xz")]
use liblzma::stream::{Action, Error as XzError, Status, Stream};

use crate::unpack::UnpackError;

#[cfg(not(feature = "xz"))]
use crate::packer::Packer;

/// What the decoder may allocate besides the output. `xz -9` needs 65 MiB.
#[cfg(feature = "xz")]
const DECODER_BYTES: u64 = 80 << 20;

/// The first piece of output.
#[cfg(feature = "xz")]
const FIRST_OUTPUT_BYTES: usize = 64 << 10;

/// Says that this build cannot.
#[cfg(not(feature = "xz"))]
pub(crate) fn unpack(_: &[u8], _: u64) -> Result<Vec<u8>, UnpackError> {
    Err(UnpackError::NotBuilt(Packer::Xz))
}

/// Unpacks an xz stream to `budget` bytes at most.
#[cfg(feature = "xz")]
pub(crate) fn unpack(packed: &[u8], budget: u64) -> Result<Vec<u8>, UnpackError> {
    let budget = usize::try_from(budget).unwrap_or(usize::MAX);
    let mut xz = Stream::new_stream_decoder(DECODER_BYTES, 0).map_err(unpack_error)?;
    let mut bytes = Vec::new();
    loop {
        if bytes.len() == bytes.capacity() {
            let left = budget.saturating_sub(bytes.len());
            // Twice as much each time, so that the copying stays linear.
            let more = bytes.len().max(FIRST_OUTPUT_BYTES).min(left);
            if more == 0 {
                return Err(UnpackError::Limit);
            }
            bytes
                .try_reserve_exact(more)
                .map_err(|_| UnpackError::Limit)?;
        }
        let before = (xz.total_in(), xz.total_out());
        let rest = usize::try_from(before.0)
            .ok()
            .and_then(|at| packed.get(at..));
        let rest = rest.unwrap_or_default();
        let status = xz.process_vec(rest, &mut bytes, Action::Finish);
        match status.map_err(unpack_error)? {
            Status::StreamEnd => return Ok(bytes),
            // It ends before the stream does.
            _ if before == (xz.total_in(), xz.total_out()) => return Err(UnpackError::Malformed),
            _ => {}
        }
    }
}

#[cfg(feature = "xz")]
fn unpack_error(error: XzError) -> UnpackError {
    match error {
        XzError::MemLimit | XzError::Mem => UnpackError::Limit,
        _ => UnpackError::Malformed,
    }
}

#[cfg(test)]
#[cfg(feature = "xz")]
mod tests {
    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};

    use super::{UnpackError, unpack};

    fn packed(bytes: &[u8], dictionary: u32) -> Vec<u8> {
        let mut options = LzmaOptions::new_preset(0).unwrap();
        options.dict_size(dictionary);
        let mut filters = Filters::new();
        filters.lzma2(&options);
        let stream = Stream::new_stream_encoder(&filters, Check::Crc32).unwrap();
        let mut encoder = liblzma::read::XzEncoder::new_stream(bytes, stream);
        let mut packed = Vec::new();
        std::io::Read::read_to_end(&mut encoder, &mut packed).unwrap();
        packed
    }

    #[test]
    fn unpacking_stops_at_the_budget_and_at_lies() {
        let small = 1 << 20;
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let whole = packed(&bytes, small);
        let size = u64::try_from(bytes.len()).unwrap();
        assert_eq!(unpack(&whole, size * 2).as_ref(), Ok(&bytes));
        assert_eq!(unpack(&whole, size + 1).as_ref(), Ok(&bytes));
        assert_eq!(unpack(&whole, size - 1), Err(UnpackError::Limit));
        assert_eq!(unpack(&whole, 0), Err(UnpackError::Limit));
        let bomb = packed(&vec![0; 8 << 20], small);
        assert!(bomb.len() < 8 << 10, "{} bytes", bomb.len());
        assert_eq!(unpack(&bomb, 1 << 20), Err(UnpackError::Limit));
        // The encoder would really allocate it: the header is made to lie.
        let mut broken = whole.clone();
        *broken.last_mut().unwrap() ^= 1;
        let cases: [(&str, &[u8]); 4] = [
            ("cut off", &whole[..whole.len() / 2]),
            ("empty", &[]),
            ("garbage", b"garbage"),
            ("a wrong footer", &broken),
        ];
        for (name, bytes) in cases {
            assert_eq!(
                unpack(bytes, size * 2),
                Err(UnpackError::Malformed),
                "{name}"
            );
        }
    }

    #[test]
    fn a_huge_dictionary_is_refused() {
        let mut whole = packed(b"few", 1 << 20);
        // Block header (XZ file format, 3.1): size, flags, filter LZMA2 (0x21), size
        // of properties, dictionary. 40 is 4 GiB; the CRC-32 behind it must agree.
        assert_eq!(whole[14..16], [0x21, 1]);
        whole[16] = 40;
        let size = (usize::from(whole[12]) + 1) * 4;
        let mut crc = flate2::Crc::new();
        crc.update(&whole[12..12 + size - 4]);
        whole[12 + size - 4..12 + size].copy_from_slice(&crc.sum().to_le_bytes());
        assert_eq!(unpack(&whole, 1 << 20), Err(UnpackError::Limit));
    }
}
