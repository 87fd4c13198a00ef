//! Opens an input, recognizes its format, and decompresses it if needed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::failure::{Failure, Result};
use crate::file::{Shown, open_input};
use crate::foreign;
use crate::progress::{Progress, Reading};

/// How many bytes of a pipe are read to recognize its format.
const DETECT_BYTES: u64 = 4096;

/// Limit for decompressing a recording, which is written to an unnamed temporary file.
const MAX_UNPACKED_BYTES: u64 = 1 << 36;

/// The bytes read to recognize the format, followed by the rest.
pub(super) type PipedBytes = Chain<Cursor<Vec<u8>>, BufReader<Reading<File>>>;

/// An open input, and the start of its content.
pub(super) struct Opened<'p> {
    pub(super) path: &'p Path,
    /// The start of the content, decompressed.
    pub(super) begin: Vec<u8>,
    pub(super) is_packed: bool,
    /// The bytes already read from a pipe; empty for a file.
    taken: Vec<u8>,
    input: BufReader<Reading<File>>,
    is_file: bool,
    /// Shows the progress of reading.
    _progress: Progress,
}

impl<'p> Opened<'p> {
    pub(super) fn new(path: &'p Path) -> Result<Self> {
        let (file, path) = open_input(path)?;
        let failed = |error: io::Error| Failure::io(Shown(path), &error);
        let metadata = file.metadata().map_err(failed)?;
        let is_file = metadata.is_file();
        let progress = Progress::bytes("reading", is_file.then_some(metadata.len()));
        let mut input = BufReader::with_capacity(1 << 18, progress.reading(file));
        let mut taken = Vec::new();
        let raw = match is_file {
            true => input.fill_buf().map_err(failed)?.to_owned(),
            false => {
                take_begin(&mut input, &mut taken).map_err(failed)?;
                taken.clone()
            }
        };
        let inside = foreign::unpacked(&raw);
        let is_packed = inside.is_some();
        let begin = inside.unwrap_or(raw);
        Ok(Self {
            path,
            begin,
            is_packed,
            taken,
            input,
            is_file,
            _progress: progress,
        })
    }

    /// Returns the input without decompressing it.
    pub(super) fn raw(self) -> PipedBytes {
        Cursor::new(self.taken).chain(self.input)
    }

    /// Returns the input, decompressed if it is compressed.
    pub(super) fn unpacked(self) -> Box<dyn BufRead> {
        match self.is_packed {
            true => Box::new(BufReader::new(Decompressed::new(self.raw()))),
            false => Box::new(self.raw()),
        }
    }

    /// Returns an input that can seek if possible, and whether it can.
    pub(super) fn seekable(self) -> Result<(Seekable, bool)> {
        if self.is_packed {
            let path = self.path;
            return Ok((Seekable::Unpacked(self.unpack_to_file(path)?), true));
        }
        Ok(match self.is_file {
            true => (Seekable::File(self.input), true),
            false => (Seekable::Pipe(self.raw()), false),
        })
    }

    /// Decompresses a recording to a temporary file. It must be seekable, since its build IDs
    /// and other metadata are at the end.
    fn unpack_to_file(self, path: &Path) -> Result<BufReader<File>> {
        let mut file =
            tempfile::tempfile().map_err(|error| Failure::io("a file to unpack to", &error))?;
        let mut unpacked = Decompressed::new(self.raw()).take(MAX_UNPACKED_BYTES);
        io::copy(&mut unpacked, &mut file).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let way_out = "set $TMPDIR to a directory with more room";
                let to = "decompressing it to a temporary file";
                Failure::of(Shown(path), format_args!("{to}: {error}: {way_out}"))
            }
            _ => Failure::io(Shown(path), &error),
        })?;
        if unpacked.limit() == 0 {
            let cause = "decompressed, it exceeds 64 GiB: decompress it, and give the file";
            return Err(Failure::of(Shown(path), cause));
        }
        file.rewind()
            .map_err(|error| Failure::io(Shown(path), &error))?;
        Ok(BufReader::new(file))
    }
}

/// A decompressed input. Its errors tell damage of the compressed stream from errors of reading it.
struct Decompressed<R>(MultiGzDecoder<R>);

impl<R: BufRead> Decompressed<R> {
    fn new(input: R) -> Self {
        Self(MultiGzDecoder::new(input))
    }
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
                if error.raw_os_error().is_none() =>
            {
                let cause = "packed by gzip, and damaged or cut off";
                let way_out = "copy it again; `gunzip -t FILE` says what is wrong";
                io::Error::new(error.kind(), format!("{cause} ({error}): {way_out}"))
            }
            _ => error,
        })
    }
}

/// Reads enough from a pipe to recognize its format, and no more: a program that writes line by
/// line may be waiting for the first answer.
fn take_begin(input: &mut BufReader<Reading<File>>, taken: &mut Vec<u8>) -> io::Result<()> {
    while u64::try_from(taken.len()).is_ok_and(|len| len < DETECT_BYTES) {
        let more = input.fill_buf()?;
        let count = more.len();
        taken.extend_from_slice(more);
        input.consume(count);
        if count == 0 || taken.starts_with(b"{\"type\":\"header\"") {
            break;
        }
    }
    Ok(())
}

/// An input that may or may not support seeking.
pub(super) enum Seekable {
    File(BufReader<Reading<File>>),
    Unpacked(BufReader<File>),
    Pipe(PipedBytes),
}

impl Read for Seekable {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(input) => input.read(room),
            Self::Unpacked(input) => input.read(room),
            Self::Pipe(input) => input.read(room),
        }
    }
}

impl Seek for Seekable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(input) => input.seek(to),
            Self::Unpacked(input) => input.seek(to),
            Self::Pipe(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}
