//! Unpacks compressed sections: all at once, or as far as they are needed.
//!
//! A stream unpacks only from its beginning, but a reader of its first part need not unpack
//! the rest.

use flate2::{Decompress, FlushDecompress};
#[cfg(feature = "zstd")]
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::packer::Packer;

/// Why a section cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnpackError {
    /// It lies outside the file, or does not unpack to what it declares.
    Malformed,
    /// It declares more than the budget allows.
    Limit,
    /// This build has no decoder for it.
    NotBuilt(Packer),
}

/// How a section is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionPacking {
    /// Not packed, but about to be changed.
    None,
    Zlib,
    Zstd,
}

/// Bytes that are unpacked at a time: small against a section, large against the window of
/// a stream.
const UNPACK_STEP_BYTES: usize = 1 << 18;

/// The largest window of a zstd stream, as a power of two: what asks for more is unpacked
/// at once or not at all.
#[cfg(feature = "zstd")]
const WINDOW_BITS: u32 = 25;

/// A section that is unpacked as far as it was needed.
#[derive(Debug)]
pub(crate) struct PartialUnpack {
    stream: PackedStream,
    /// Where the stream begins in the image, and how many bytes it has.
    packed: (usize, usize),
    /// Bytes of the stream that were consumed.
    read: usize,
    /// Bytes of the section, as it declares.
    size: usize,
}

enum PackedStream {
    Zlib(Decompress),
    #[cfg(feature = "zstd")]
    Zstd(Decoder<'static>),
}

impl std::fmt::Debug for PackedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Zlib(_) => "Zlib",
            #[cfg(feature = "zstd")]
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl PartialUnpack {
    /// Starts at the begin of the stream at `packed` in the image, begin and length,
    /// which declares `size` bytes. `None` for what is not packed, or cannot be unpacked.
    pub(crate) fn new(scheme: SectionPacking, packed: (usize, usize), size: usize) -> Option<Self> {
        let stream = match scheme {
            SectionPacking::None => return None,
            #[cfg(not(feature = "zstd"))]
            SectionPacking::Zstd => return None,
            SectionPacking::Zlib => PackedStream::Zlib(Decompress::new(true)),
            #[cfg(feature = "zstd")]
            SectionPacking::Zstd => {
                let mut zstd = Decoder::new().ok()?;
                // It keeps a window of its own, as large as the stream asks for.
                let limit = DParameter::WindowLogMax(WINDOW_BITS);
                zstd.set_parameter(limit).ok()?;
                PackedStream::Zstd(zstd)
            }
        };
        Some(Self {
            stream,
            packed,
            read: 0,
            size,
        })
    }

    /// Returns how many bytes there are in the end: what is declared.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Unpacks until there are `wanted` bytes, or all. `bytes` are those of before.
    pub(crate) fn grow(
        &mut self,
        image: &[u8],
        bytes: &mut Vec<u8>,
        wanted: usize,
    ) -> Result<(), UnpackError> {
        let more = self.size.saturating_sub(bytes.len());
        // The declared size was weighed against a budget: room for all of it, so that
        // nothing is moved. Pages that are not written to cost nothing.
        bytes
            .try_reserve_exact(more)
            .map_err(|_| UnpackError::Limit)?;
        while bytes.len() < wanted.min(self.size) {
            let from = bytes.len();
            bytes.resize(from.saturating_add(UNPACK_STEP_BYTES).min(self.size), 0);
            let room = bytes.get_mut(from..).unwrap_or_default();
            let step = self.step(image, room);
            let (read, written) = step.unwrap_or_default();
            bytes.truncate(from.saturating_add(written));
            step?;
            if (read, written) == (0, 0) {
                return Err(UnpackError::Malformed);
            }
        }
        Ok(())
    }

    /// Unpacks the rest, and checks that nothing is behind it but a checksum that fits.
    pub(crate) fn finish(&mut self, image: &[u8], bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
        self.grow(image, bytes, self.size)?;
        match self.step(image, &mut [0])? {
            (_, 0) => Ok(()),
            _ => Err(UnpackError::Malformed),
        }
    }

    /// Goes on into `room`; returns how many bytes were read, and how many written.
    fn step(&mut self, image: &[u8], room: &mut [u8]) -> Result<(usize, usize), UnpackError> {
        let (start, length) = self.packed;
        let packed = image.get(start..).and_then(|bytes| bytes.get(..length));
        let rest = packed.and_then(|bytes| bytes.get(self.read..));
        let (read, written) = self.stream.step(rest.unwrap_or_default(), room)?;
        self.read = self.read.saturating_add(read);
        Ok((read, written))
    }
}

impl PackedStream {
    fn step(&mut self, packed: &[u8], room: &mut [u8]) -> Result<(usize, usize), UnpackError> {
        match self {
            Self::Zlib(zlib) => {
                let (read, written) = (zlib.total_in(), zlib.total_out());
                zlib.decompress(packed, room, FlushDecompress::None)
                    .map_err(|_| UnpackError::Malformed)?;
                let count = |now: u64, before: u64| usize::try_from(now.saturating_sub(before));
                let read = count(zlib.total_in(), read);
                let written = count(zlib.total_out(), written);
                read.and_then(|read| Ok((read, written?)))
                    .map_err(|_| UnpackError::Malformed)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => {
                let mut input = InBuffer::around(packed);
                let mut output = OutBuffer::around(room);
                zstd.run(&mut input, &mut output)
                    .map_err(|_| UnpackError::Malformed)?;
                Ok((input.pos(), output.pos()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::{PartialUnpack, SectionPacking, UnpackError};

    /// Larger than what is unpacked at a time, and not all the same.
    fn text() -> Vec<u8> {
        (0..900_000_u32)
            .flat_map(|at| (at / 7).to_le_bytes())
            .collect()
    }

    fn packed(bytes: &[u8]) -> Vec<(SectionPacking, Vec<u8>)> {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(bytes).unwrap();
        vec![
            (SectionPacking::Zlib, zlib.finish().unwrap()),
            #[cfg(feature = "zstd")]
            (
                SectionPacking::Zstd,
                zstd::bulk::compress(bytes, 1).unwrap(),
            ),
        ]
    }

    #[test]
    fn a_section_grows_as_far_as_it_is_wanted() {
        let text = text();
        for (scheme, packed) in packed(&text) {
            let image = [b"before", packed.as_slice(), b"behind"].concat();
            let mut partial = PartialUnpack::new(scheme, (6, packed.len()), text.len()).unwrap();
            let mut bytes = Vec::new();
            for wanted in [1, 0, 300_000, 299_999, text.len() - 1] {
                partial.grow(&image, &mut bytes, wanted).unwrap();
                assert!(bytes.len() >= wanted, "{scheme:?} to {wanted}");
                assert!(text.starts_with(&bytes), "{scheme:?} to {wanted}");
            }
            partial.finish(&image, &mut bytes).unwrap();
            assert!(bytes == text, "{scheme:?}");
        }
    }

    #[test]
    fn a_stream_that_lies_about_its_size_is_malformed() {
        let text = text();
        for (scheme, packed) in packed(&text) {
            for (what, size, length) in [
                ("more than declared", text.len() - 1, packed.len()),
                ("less than declared", text.len() + 1, packed.len()),
                ("cut off", text.len(), packed.len() / 2),
                ("nothing", text.len(), 0),
            ] {
                let mut partial = PartialUnpack::new(scheme, (0, length), size).unwrap();
                let finished = partial.finish(&packed, &mut Vec::new());
                assert_eq!(finished, Err(UnpackError::Malformed), "{scheme:?}: {what}");
            }
        }
    }
}
