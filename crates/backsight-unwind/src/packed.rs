//! Decompresses sections, which distributions compress in debug files.

use std::io::Read;

use flate2::read::ZlibDecoder;
use object::{CompressedData, CompressionFormat};

/// Returns the decompressed bytes of a section; `None` if they do not have the declared size, or
/// exceed `limit`.
pub(crate) fn unpacked(section: CompressedData<'_>, limit: u64) -> Option<Box<[u8]>> {
    let size = section.uncompressed_size;
    if size > limit {
        return None;
    }
    let bytes = match section.format {
        CompressionFormat::None => section.data.into(),
        CompressionFormat::Zlib => read(ZlibDecoder::new(section.data), size)?,
        #[cfg(feature = "zstd")]
        CompressionFormat::Zstandard => {
            let mut stream = zstd::stream::read::Decoder::new(section.data).ok()?;
            // The decoder allocates a window as large as the stream requests.
            stream.window_log_max(MAX_WINDOW_BITS).ok()?;
            read(stream, size)?
        }
        _ => return None,
    };
    Some(bytes)
}

/// The largest window of a zstd stream, as a power of two.
#[cfg(feature = "zstd")]
const MAX_WINDOW_BITS: u32 = 25;

/// Memory grows with the data that is present, not with the declared size.
fn read(stream: impl Read, size: u64) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    let one_more = size.checked_add(1)?;
    stream.take(one_more).read_to_end(&mut bytes).ok()?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|len| len == size);
    is_whole.then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::unpacked;
    use object::{CompressedData, CompressionFormat};

    fn of(format: CompressionFormat, data: &[u8], uncompressed_size: u64) -> CompressedData<'_> {
        CompressedData {
            format,
            data,
            uncompressed_size,
        }
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn only_data_of_the_declared_size_is_decompressed() {
        let bytes = b"a description of frames ".repeat(1000);
        let size = u64::try_from(bytes.len()).unwrap();
        let zstd = zstd::encode_all(bytes.as_slice(), 1).unwrap();
        for (format, data) in [
            (CompressionFormat::Zlib, zlib(&bytes)),
            (CompressionFormat::Zstandard, zstd),
        ] {
            let unpack = |data: &[u8], size, limit| unpacked(of(format, data, size), limit);
            assert_eq!(unpack(&data, size, size).as_deref(), Some(&*bytes));
            // Above the limit, and with a wrong declared size.
            assert_eq!(unpack(&data, size, size - 1), None);
            for lie in [0, size - 1, size + 1, u64::MAX] {
                assert_eq!(unpack(&data, lie, u64::MAX), None, "{lie}");
            }
            for cut in [0, 1, data.len() / 2, data.len() - 12] {
                assert_eq!(unpack(&data[..cut], size, size), None, "{format:?} {cut}");
            }
        }
        let unknown = of(CompressionFormat::Unknown, &bytes, size);
        assert_eq!(unpacked(unknown, size), None);
    }
}
