//! Reads records as bytes, from the input and from compressed records.
//!
//! ```text
//!   input ──▶ header, body ──▶ a record
//!                 └ COMPRESSED ──▶ zstd ──▶ header, body ──▶ a record
//! ```
//!
//! All compressed records form a single zstd stream, and a record can start in one of them and end
//! in the next. They are decompressed in pieces, so that a small input that expands to gigabytes
//! takes little memory. To bound the time, too, a compressed record may expand by at most
//! [`MAX_GROWTH`].
//!
//! Source: `tools/perf/util/event.h` and `session.c` of the kernel.

use std::io::{self, Read};

use super::error::ReadEnd;
use super::kinds::{behind, kind};
use super::zstd_stream::ZstdStream;
use crate::bytes::Bytes;

/// The size of `perf_event_header`.
const HEADER: usize = 8;

/// The number of bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// The maximum ratio by which a compressed record may expand. Real ones expand by 10 to 50.
pub const MAX_GROWTH: u64 = 1024;

/// A record that is not parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRecord<'a> {
    pub(super) kind: u32,
    pub(super) misc: u16,
    pub(super) body: &'a [u8],
    pub(super) big: bool,
}

/// Reads records.
pub(super) struct Records<R> {
    plain: RecordInput<R>,
    /// The contents of compressed records.
    inner: Option<CompressedRecords>,
    big: bool,
}

/// The input, buffered.
struct RecordInput<R> {
    input: R,
    /// The number of bytes left in the input; `None` if it is read up to its end.
    left: Option<u64>,
    /// Room for what is read; `filled` bytes of it were, and `at` of those were taken.
    buffer: Vec<u8>,
    filled: usize,
    at: usize,
    /// The offset of the next record, in bytes from the first.
    offset: u64,
}

/// A record, or why there is none. `Ok(None)` is the regular end.
type RecordResult<T> = Result<Option<T>, ReadEnd>;

impl<R: Read> Records<R> {
    /// Creates a reader of an input that is at the first record. `size` is the size of all records,
    /// if known.
    pub(super) fn new(input: R, size: Option<u64>, big: bool) -> Self {
        Self {
            plain: RecordInput {
                input,
                left: size,
                buffer: Vec::new(),
                filled: 0,
                at: 0,
                offset: 0,
            },
            inner: None,
            big,
        }
    }

    /// Returns the next record.
    pub(super) fn next(&mut self) -> RecordResult<RawRecord<'_>> {
        let big = self.big;
        loop {
            if let Some(inner) = &mut self.inner
                && inner
                    .advance(big)
                    .map_err(|reason| self.plain.damaged(reason))?
            {
                break;
            }
            let Some((kind, misc, size)) = self.plain.peek(big)? else {
                return match &self.inner {
                    // The input ended within a record.
                    Some(inner) if inner.holds_part() => Err(ReadEnd::Cut),
                    _ => Ok(None),
                };
            };
            let whole = self.plain.hold(size)?;
            match kind {
                kind::COMPRESSED | kind::COMPRESSED2 => {
                    let body = self.plain.take(size);
                    let packed = packed_in(kind, body, big);
                    let inner = match &mut self.inner {
                        Some(inner) => inner,
                        none => none.insert(CompressedRecords::new()?),
                    };
                    inner.feed(packed);
                }
                _ if !whole => return Err(ReadEnd::Cut),
                kind::HEADER_TRACING_DATA | kind::AUXTRACE => {
                    let Some(count) = behind(kind, self.plain.take(size), big) else {
                        let reason = "a record without the size of the data after it";
                        return Err(self.plain.damaged(reason));
                    };
                    self.plain.skip(count)?;
                    let body = &[][..];
                    return Ok(Some(RawRecord {
                        kind,
                        misc,
                        body,
                        big,
                    }));
                }
                _ => {
                    let body = self.plain.take(size);
                    return Ok(Some(RawRecord {
                        kind,
                        misc,
                        body,
                        big,
                    }));
                }
            }
        }
        // After the loop, because the borrow checker would extend a borrow that is returned from
        // within it.
        Ok(self.inner.as_mut().and_then(|inner| inner.take(big)))
    }
}

/// Returns the compressed bytes of a record.
fn packed_in(kind: u32, body: &[u8], big: bool) -> &[u8] {
    if kind == kind::COMPRESSED {
        return body;
    }
    let mut at = Bytes::new(body, big);
    let size = at.u64().unwrap_or_default();
    // A record that was cut off has fewer bytes.
    at.take_u64(size).unwrap_or(at.rest())
}

impl<R: Read> RecordInput<R> {
    /// Reads until `size` bytes are buffered. Returns `false` at the end of the input.
    fn hold(&mut self, size: usize) -> Result<bool, ReadEnd> {
        if self.filled.saturating_sub(self.at) >= size {
            return Ok(true);
        }
        let rest = self.at.min(self.filled)..self.filled;
        self.filled = rest.len();
        self.buffer.copy_within(rest, 0);
        self.at = 0;
        if self.buffer.len() < size.max(CHUNK) {
            self.buffer.resize(size.max(CHUNK), 0);
        }
        while self.filled < size {
            let room = self.buffer.len().saturating_sub(self.filled);
            let most = (self.left).map_or(room, |left| {
                usize::try_from(left).map_or(room, |left| left.min(room))
            });
            let end = self.filled.saturating_add(most);
            let count = loop {
                let room = self.buffer.get_mut(self.filled..end).unwrap_or_default();
                match self.input.read(room) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.map_err(ReadEnd::Io)?,
                }
            };
            self.filled = self.filled.saturating_add(count);
            if count == 0 {
                return Ok(false);
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            }
        }
        Ok(true)
    }

    /// Returns type, `misc` and size of the next record, without taking it.
    fn peek(&mut self, big: bool) -> RecordResult<(u32, u16, usize)> {
        if !self.hold(HEADER)? {
            let is_end = self.filled == 0 && self.left.unwrap_or_default() == 0;
            return if is_end { Ok(None) } else { Err(ReadEnd::Cut) };
        }
        let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
        match header(rest, big) {
            Some(header) => Ok(Some(header)),
            None => Err(self.damaged("a record smaller than its header")),
        }
    }

    /// Takes a record of this size, or what is left of it, and returns its body.
    fn take(&mut self, size: usize) -> &[u8] {
        let end = self.at.saturating_add(size).min(self.filled);
        let record = self.buffer.get(self.at..end).unwrap_or_default();
        self.at = end;
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(size);
        record.get(HEADER..).unwrap_or_default()
    }

    /// Skips data after a record.
    fn skip(&mut self, count: u64) -> Result<(), ReadEnd> {
        let mut left = count;
        while left > 0 {
            let most = u64::try_from(CHUNK).unwrap_or(u64::MAX).min(left);
            let some = usize::try_from(most).unwrap_or(CHUNK);
            if !self.hold(some)? {
                return Err(ReadEnd::Cut);
            }
            self.at = self.at.saturating_add(some);
            left = left.saturating_sub(most);
        }
        self.offset = self.offset.saturating_add(count);
        Ok(())
    }

    fn damaged(&self, reason: &'static str) -> ReadEnd {
        let offset = self.offset;
        ReadEnd::Damaged { offset, reason }
    }
}

/// Parses type, `misc` and size of a record; `None` if the size is invalid, or if there are too few
/// bytes.
fn header(bytes: &[u8], big: bool) -> Option<(u32, u16, usize)> {
    let mut at = Bytes::new(bytes, big);
    let (kind, misc) = (at.u32()?, at.u16()?);
    let size = usize::from(at.u16()?);
    (size >= HEADER).then_some((kind, misc, size))
}

/// The records in compressed records.
struct CompressedRecords {
    stream: ZstdStream,
    /// The current compressed bytes, and how many of them are read.
    packed: Vec<u8>,
    packed_at: usize,
    /// Whether the decoder may have more output than fitted.
    full: bool,
    unpacked: Vec<u8>,
    at: usize,
    /// The number of bytes to which the current compressed bytes may still expand.
    allowance: u64,
}

/// The number of bytes that are decompressed at once; no record is larger.
const PIECE: usize = 1 << 17;

impl CompressedRecords {
    fn new() -> Result<Self, ReadEnd> {
        Ok(Self {
            stream: ZstdStream::new()?,
            packed: Vec::new(),
            packed_at: 0,
            full: false,
            unpacked: Vec::new(),
            at: 0,
            allowance: 0,
        })
    }

    fn feed(&mut self, packed: &[u8]) {
        self.packed.clear();
        self.packed.extend_from_slice(packed);
        self.packed_at = 0;
        let size = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        let piece = u64::try_from(PIECE).unwrap_or(u64::MAX);
        self.allowance = size.saturating_mul(MAX_GROWTH).saturating_add(piece);
    }

    fn holds_part(&self) -> bool {
        self.at < self.unpacked.len()
    }

    /// Decompresses until a whole record is available. Returns whether there is one.
    fn advance(&mut self, big: bool) -> Result<bool, &'static str> {
        loop {
            let rest = self.unpacked.get(self.at..).unwrap_or_default();
            if rest.len() >= HEADER {
                let (_, _, size) = header(rest, big).ok_or("a record smaller than its header")?;
                if size <= rest.len() {
                    return Ok(true);
                }
            }
            if self.packed_at >= self.packed.len() && !self.full {
                return Ok(false);
            }
            self.unpack()?;
        }
    }

    fn unpack(&mut self) -> Result<(), &'static str> {
        self.unpacked.drain(..self.at.min(self.unpacked.len()));
        self.at = 0;
        let from = self.unpacked.len();
        self.unpacked.resize(from.saturating_add(PIECE), 0);
        let room = self.unpacked.get_mut(from..).unwrap_or_default();
        let packed = self.packed.get(self.packed_at..).unwrap_or_default();
        let (read, written, is_sound) = self.stream.step(packed, room);
        self.full = written == PIECE;
        self.packed_at = self.packed_at.saturating_add(read);
        self.unpacked.truncate(from.saturating_add(written));
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        if !is_sound {
            return Err("a compressed record that cannot be decompressed");
        }
        self.allowance = (self.allowance.checked_sub(written))
            .ok_or("a compressed record that expands by more than a factor of 1024")?;
        // Prevents an endless loop if the decoder neither reads nor writes.
        if read == 0 && written == 0 {
            self.packed_at = self.packed.len();
        }
        Ok(())
    }

    fn take(&mut self, big: bool) -> Option<RawRecord<'_>> {
        let rest = self.unpacked.get(self.at..)?;
        let (kind, misc, size) = header(rest, big)?;
        let body = rest.get(HEADER..size)?;
        self.at = self.at.saturating_add(size);
        Some(RawRecord {
            kind,
            misc,
            body,
            big,
        })
    }
}
