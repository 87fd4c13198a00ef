//! Sections, and their bytes as they were before compression, and as they would be
//! after linking.
//!
//! Three layouts are in use: bytes as they are, `SHF_COMPRESSED` (a header that
//! names zlib or zstd and the size), and the older `.zdebug_` (the letters
//! `ZLIB` and a big-endian size). The declared size is weighed against an allowance
//! before anything is allocated, and unpacking stops there: a stream that goes
//! on is refused, not followed.

use backsight_index::engine::wide;
use flate2::{Decompress, FlushDecompress, Status};
use object::elf::{self, CompressionHeader32, CompressionHeader64};
use object::read::elf::CompressionHeader;
use object::{Endianness, pod};

use super::headers::ElfHeaders;
use super::relocate::relocate;
use super::section::ElfSection;
use crate::packer::Packer;
use crate::unpack::{PartialUnpack, SectionPacking, UnpackError};

/// A section's bytes: in the image, or unpacked.
#[derive(Debug)]
pub(crate) enum SectionBytes {
    /// A range of the image.
    InImage {
        offset: usize,
        size: usize,
    },
    Unpacked(Vec<u8>),
}

impl SectionBytes {
    /// Returns what is to be done for the bytes of `section`, unpacked and relocated.
    pub(crate) fn plan<'d>(
        file: &'d ElfHeaders,
        section: &ElfSection,
    ) -> Result<SectionLoader<'d>, UnpackError> {
        let raw = section.raw(file.image()).ok_or(UnpackError::Malformed)?;
        let mut all = file.sections().iter();
        let relocated = file.is_relocatable() && all.any(|other| other.relocates(section.index));
        let packed = if section.flags & elf::SHF_COMPRESSED.0 != 0 {
            Some(header(file, raw)?)
        } else if section.name(file.image()).starts_with(b".zdebug_") {
            Some(old_header(raw)?)
        } else if relocated {
            Some(Packed {
                scheme: SectionPacking::None,
                bytes: raw,
                size: section.size,
            })
        } else {
            None
        };
        Ok(SectionLoader {
            file,
            offset: usize::try_from(section.offset).map_err(|_| UnpackError::Malformed)?,
            size: raw.len(),
            packed,
            relocated: relocated.then_some(section.index),
        })
    }

    /// Returns the bytes of memory it takes: none when it is in the image.
    pub(crate) fn unpacked_bytes(&self) -> u64 {
        match self {
            Self::InImage { .. } => 0,
            Self::Unpacked(bytes) => wide(bytes.len()),
        }
    }

    pub(crate) fn get<'d>(&'d self, image: &'d [u8]) -> &'d [u8] {
        match self {
            Self::InImage { offset, size } => {
                let bytes = image.get(*offset..).unwrap_or_default();
                bytes.get(..*size).unwrap_or_default()
            }
            Self::Unpacked(bytes) => bytes,
        }
    }
}

/// A section that is checked and not loaded yet.
pub(crate) struct SectionLoader<'d> {
    file: &'d ElfHeaders,
    offset: usize,
    size: usize,
    /// `None` when the bytes are used as they stand in the image.
    packed: Option<Packed<'d>>,
    /// Its place among the section headers, when relocations are to be applied.
    relocated: Option<usize>,
}

impl SectionLoader<'_> {
    /// Returns how many bytes this takes besides the image: what is declared.
    pub(crate) fn cost(&self) -> u64 {
        self.packed.as_ref().map_or(0, |packed| packed.size)
    }

    /// Returns how many bytes of the file are unpacked for that.
    pub(crate) fn packed_size(&self) -> usize {
        self.packed.as_ref().map_or(0, |packed| packed.bytes.len())
    }

    /// Returns a start at the bytes that can stop before their end; `None` when they
    /// are not packed, or are to be relocated.
    pub(crate) fn unpack(&self) -> Option<PartialUnpack> {
        let packed = self.packed.as_ref().filter(|_| self.relocated.is_none())?;
        let size = usize::try_from(packed.size).ok()?;
        // A header stands before the stream, and nothing behind it.
        let header = self.size.checked_sub(packed.bytes.len())?;
        let start = self.offset.checked_add(header)?;
        PartialUnpack::new(packed.scheme, (start, packed.bytes.len()), size)
    }

    /// Allocates what [`cost`](Self::cost) says, and no more.
    pub(crate) fn finish(&self) -> Result<SectionBytes, UnpackError> {
        let Some(packed) = &self.packed else {
            let (offset, size) = (self.offset, self.size);
            return Ok(SectionBytes::InImage { offset, size });
        };
        let mut bytes = packed.unpack()?;
        if let Some(index) = self.relocated {
            relocate(self.file, index, &mut bytes);
        }
        Ok(SectionBytes::Unpacked(bytes))
    }
}

struct Packed<'d> {
    scheme: SectionPacking,
    bytes: &'d [u8],
    /// What it declares to unpack to.
    size: u64,
}

fn header<'d>(file: &ElfHeaders, raw: &'d [u8]) -> Result<Packed<'d>, UnpackError> {
    fn read<'d, H>(raw: &'d [u8], endian: Endianness) -> Result<Packed<'d>, UnpackError>
    where
        H: CompressionHeader<Endian = Endianness>,
    {
        let (header, bytes) = pod::from_bytes::<H>(raw).map_err(|()| UnpackError::Malformed)?;
        let scheme = match header.ch_type(endian) {
            elf::ELFCOMPRESS_ZLIB => SectionPacking::Zlib,
            elf::ELFCOMPRESS_ZSTD if Packer::Zstd.is_built() => SectionPacking::Zstd,
            elf::ELFCOMPRESS_ZSTD => return Err(UnpackError::NotBuilt(Packer::Zstd)),
            _ => return Err(UnpackError::Malformed),
        };
        let size = header.ch_size(endian).into();
        Ok(Packed {
            scheme,
            bytes,
            size,
        })
    }
    if file.is_64() {
        read::<CompressionHeader64<Endianness>>(raw, file.endian())
    } else {
        read::<CompressionHeader32<Endianness>>(raw, file.endian())
    }
}

fn old_header(raw: &[u8]) -> Result<Packed<'_>, UnpackError> {
    let rest = raw.strip_prefix(b"ZLIB").ok_or(UnpackError::Malformed)?;
    let (size, bytes) = rest.split_first_chunk().ok_or(UnpackError::Malformed)?;
    Ok(Packed {
        scheme: SectionPacking::Zlib,
        bytes,
        size: u64::from_be_bytes(*size),
    })
}

impl Packed<'_> {
    fn unpack(&self) -> Result<Vec<u8>, UnpackError> {
        let size = usize::try_from(self.size).map_err(|_| UnpackError::Limit)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| UnpackError::Limit)?;
        match self.scheme {
            SectionPacking::None => {
                bytes.extend_from_slice(self.bytes);
                Ok(())
            }
            SectionPacking::Zlib => unpack_zlib(self.bytes, &mut bytes),
            #[cfg(not(feature = "zstd"))]
            SectionPacking::Zstd => Err(UnpackError::NotBuilt(Packer::Zstd)),
            #[cfg(feature = "zstd")]
            SectionPacking::Zstd => zstd::bulk::Decompressor::new()
                .and_then(|mut zstd| zstd.decompress_to_buffer(self.bytes, &mut bytes))
                .map(drop)
                .map_err(|_| UnpackError::Malformed),
        }?;
        if bytes.len() == size {
            Ok(bytes)
        } else {
            Err(UnpackError::Malformed)
        }
    }
}

/// Fills the room that `bytes` has reserved and no more.
fn unpack_zlib(packed: &[u8], bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
    let mut zlib = Decompress::new(true);
    loop {
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let rest = usize::try_from(read).ok().and_then(|at| packed.get(at..));
        let status = zlib
            .decompress_vec(rest.unwrap_or_default(), bytes, FlushDecompress::Finish)
            .map_err(|_| UnpackError::Malformed)?;
        let stuck = (read, written) == (zlib.total_in(), zlib.total_out());
        if status == Status::StreamEnd || stuck {
            return Ok(());
        }
    }
}
