//! The zstd stream that compressed records make together.

use super::error::ReadEnd;

/// Decompresses it in pieces. Without the feature `zstd`, there is none.
pub(super) struct ZstdStream {
    #[cfg(feature = "zstd")]
    decoder: zstd::stream::raw::Decoder<'static>,
    #[cfg(not(feature = "zstd"))]
    never: std::convert::Infallible,
}

impl ZstdStream {
    #[cfg(feature = "zstd")]
    pub(super) fn new() -> Result<Self, ReadEnd> {
        let decoder = zstd::stream::raw::Decoder::new().map_err(ReadEnd::Io)?;
        Ok(Self { decoder })
    }

    #[cfg(not(feature = "zstd"))]
    pub(super) fn new() -> Result<Self, ReadEnd> {
        Err(ReadEnd::ZstdNotBuilt)
    }

    /// Decompresses from `packed` into `room`. Returns how many bytes were read and written, and
    /// whether they are sound.
    #[cfg(feature = "zstd")]
    pub(super) fn step(&mut self, packed: &[u8], room: &mut [u8]) -> (usize, usize, bool) {
        use zstd::stream::raw::{InBuffer, Operation, OutBuffer};
        let mut input = InBuffer::around(packed);
        let mut output = OutBuffer::around(room);
        let run = self.decoder.run(&mut input, &mut output);
        (input.pos(), output.pos(), run.is_ok())
    }

    #[cfg(not(feature = "zstd"))]
    pub(super) fn step(&mut self, _: &[u8], _: &mut [u8]) -> (usize, usize, bool) {
        match self.never {}
    }
}
