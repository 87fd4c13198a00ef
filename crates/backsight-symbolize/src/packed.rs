//! Files that are packed as a whole: kernel modules, `x.ko.xz`, `x.ko.zst`, `x.ko.gz`.
//!
//! What a file is packed by, its first bytes say; its name does not matter. How large it
//! is unpacked, nothing says that could be trusted: unpacking stops at the limit.

use std::io::Read;

use backsight_files::Image;
use backsight_index::engine::wide;
use flate2::bufread::MultiGzDecoder;
#[cfg(feature = "zstd")]
use zstd::stream::read::Decoder;

use crate::error::{Cause, Error};
use crate::limits::Limits;
#[cfg(not(feature = "zstd"))]
use crate::packer::Packer;
use crate::unpack::UnpackError;
use crate::xz;

/// The largest window of a zstd stream, as a power of two: 128 MiB, as the `zstd` command
/// has it.
#[cfg(feature = "zstd")]
const WINDOW_BITS: u32 = 27;

/// The first piece of output.
const FIRST_OUTPUT_BYTES: usize = 64 << 10;

/// How a file is packed.
#[derive(Clone, Copy)]
enum FilePacking {
    Xz,
    Zstd,
    Gzip,
}

impl FilePacking {
    fn of(bytes: &[u8]) -> Option<Self> {
        let schemes: [(&[u8], Self); 3] = [
            (b"\xfd7zXZ\0", Self::Xz),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"\x1f\x8b\x08", Self::Gzip),
        ];
        let mut schemes = schemes.into_iter();
        let found = schemes.find(|(magic, _)| bytes.starts_with(magic));
        found.map(|(_, scheme)| scheme)
    }
}

/// Returns what these bytes unpack to if they are a file that is packed by xz, zstd or
/// gzip, as kernel modules may be: `None` if they are not.
///
/// # Errors
/// [`Cause::TooLarge`] past what [`Limits::unpacked_bytes`] and its ratio allow, or when the
/// decoder would need more memory than any kernel module wants; [`Cause::Packed`] for a stream
/// that is damaged or cut off; [`Cause::NotBuilt`] without the feature that it takes.
#[must_use]
pub fn unpacked_file(bytes: &[u8], limits: &Limits) -> Option<Result<Vec<u8>, Error>> {
    let limit = limits.unpacked_of(wide(bytes.len()));
    let unpacked = match FilePacking::of(bytes)? {
        FilePacking::Xz => xz::unpack(bytes, limit),
        FilePacking::Gzip => read_all(MultiGzDecoder::new(bytes), limit),
        #[cfg(not(feature = "zstd"))]
        FilePacking::Zstd => Err(UnpackError::NotBuilt(Packer::Zstd)),
        #[cfg(feature = "zstd")]
        FilePacking::Zstd => Decoder::with_buffer(bytes)
            .and_then(|mut decoder| decoder.window_log_max(WINDOW_BITS).map(|()| decoder))
            .map_err(|_| UnpackError::Malformed)
            .and_then(|decoder| read_all(decoder, limit)),
    };
    Some(unpacked.map_err(|error| match error {
        UnpackError::Limit => Error::new("unpack", None, Cause::TooLarge { limit }),
        UnpackError::Malformed => Cause::Packed.into(),
        UnpackError::NotBuilt(packer) => Cause::NotBuilt { packer }.into(),
    }))
}

/// Returns the image unpacked, or as it is.
pub(crate) fn unpacked(image: Image, limits: &Limits) -> Result<Image, Error> {
    match unpacked_file(&image, limits) {
        Some(bytes) => bytes.map(Image::from),
        None => Ok(image),
    }
}

fn read_all(mut stream: impl Read, limit: u64) -> Result<Vec<u8>, UnpackError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes: Vec<u8> = Vec::new();
    let mut filled = 0_usize;
    loop {
        // Twice as much each time, so that the copying stays linear; one byte more than
        // the limit tells that there is more.
        let left = limit.saturating_add(1).saturating_sub(filled);
        let more = filled.max(FIRST_OUTPUT_BYTES).min(left);
        if more == 0 {
            return Err(UnpackError::Limit);
        }
        bytes
            .try_reserve_exact(more)
            .map_err(|_| UnpackError::Limit)?;
        bytes.resize(filled.saturating_add(more), 0);
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match stream.read(room).map_err(|_| UnpackError::Malformed)? {
                0 => {
                    bytes.truncate(filled);
                    bytes.shrink_to_fit();
                    return Ok(bytes);
                }
                count => filled = filled.saturating_add(count),
            }
        }
    }
}
