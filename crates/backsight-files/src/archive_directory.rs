//! The central directory of a zip archive, wherever in the file the archive begins and ends.
//!
//! ```text
//!   [a program, a script]   members   [signatures]   directory   [zip64 end]   end   comment
//! ```
//!
//! An archive is found by its end, whose signature may be a part of the comment, too. What is
//! in front of the members is known from the end: the directory is right before it, and says
//! where it would be without anything in front. So do Python's `zipfile` and `unzip`.
//!
//! Format: APPNOTE.TXT, sections 4.3.7 (local file header), 4.3.12 (central directory), 4.3.14
//! to 4.3.16 (its ends); read by `rawzip`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memchr::memmem;
use rawzip::{CompressionMethod, ErrorKind, ReaderAt, ZipArchive, ZipLocator};

use crate::error::{Error, FileError};

/// The signature of a local file header, with which most archives begin.
const LOCAL: &[u8] = b"PK\x03\x04";

/// The signature of the end of the directory.
const END: &[u8] = b"PK\x05\x06";

/// The size of the end without its comment.
const END_BYTES: usize = 22;

/// The signature of what leads to the end with 64 bits, right before the other end, and its
/// size.
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;

/// The signature of the end with 64 bits, and its size without extensions.
const END_64: &[u8] = b"PK\x06\x06";
const END_64_BYTES: u64 = 56;

/// The last bytes of a file that the end is looked for in. Its comment has up to 65,535 bytes,
/// and something else may follow.
const TAIL_BYTES: u64 = 1 << 17;

/// The last bytes that it is looked for in first: most archives have no comment, or a short one.
const FIRST_TAIL_BYTES: u64 = 1 << 10;

/// How many signatures are taken for the end. A comment seldom has even one.
const MAX_ENDS: usize = 64;

/// Entries of the directory that are read. The largest APKs have tens of thousands; 16-bit
/// archives cannot have more than 65,535.
const MAX_ENTRIES: usize = 1 << 20;

/// The size of an entry with the longest name, extra field and comment.
const ENTRY_BYTES: usize = 46 + 3 * 65_535;

/// The directory of an archive.
pub(crate) struct ArchiveDirectory<'f> {
    archive: ZipArchive<At<'f>>,
    /// Where in the file the archive begins.
    base: u64,
    file_size: u64,
}

/// One entry of a directory.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveEntry {
    /// The offset of its local header in the file.
    pub(crate) header: u64,
    /// Whether its contents are in the file as they are: neither compressed nor encrypted.
    pub(crate) is_stored: bool,
    place: rawzip::ZipArchiveEntryWayfinder,
}

/// A signature that may be that of the end, and what follows it.
#[derive(Clone, Copy, Debug)]
struct End {
    at: u64,
    /// Whether its comment reaches the end of the file.
    is_exact: bool,
    directory_size: u64,
    directory_offset: u64,
}

impl<'f> ArchiveDirectory<'f> {
    /// Finds the directory. `None` if the file is not an archive.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::DamagedArchive`] if it begins or ends as an archive does, and
    /// has no directory that can be read; without a path.
    pub(crate) fn open(file: &'f File) -> Result<Option<Self>, FileError> {
        let of_system = |error: io::Error| FileError::new("read", None, Error::from(error));
        let metadata = file.metadata().map_err(of_system)?;
        // Others have no end, or cannot be read at an offset.
        if !metadata.is_file() {
            return Ok(None);
        }
        let size = metadata.len();
        let mut has_end = false;
        for tail_bytes in [FIRST_TAIL_BYTES, TAIL_BYTES] {
            let start = size.saturating_sub(tail_bytes);
            let tail = read_up_to(file, start, tail_bytes.min(size)).map_err(of_system)?;
            let mut ends = ends_in(&tail, start, size);
            // The others come after each that is exact.
            ends.retain(|end| end.is_exact || start == 0 || tail_bytes == TAIL_BYTES);
            has_end |= ends.iter().any(|end| end.is_exact);
            for end in ends {
                for base in bases(file, end).map_err(of_system)? {
                    let opened = Self::located(file, end, base, size);
                    if let Some(directory) = opened.map_err(of_system)? {
                        return Ok(Some(directory));
                    }
                }
            }
            if start == 0 {
                break;
            }
        }
        let begins = read_up_to(file, 0, 4).map_err(of_system)?;
        match has_end || begins == LOCAL {
            true => Err(FileError::new("read", None, Error::DamagedArchive)),
            false => Ok(None),
        }
    }

    /// Returns the directory of this end if it begins with an entry, or is empty.
    fn located(file: &'f File, end: End, base: u64, file_size: u64) -> io::Result<Option<Self>> {
        // The last signature before this offset is that of this end.
        let behind = end.at.saturating_add(4);
        let Some(behind) = behind.checked_sub(base) else {
            return Ok(None);
        };
        let mut buffer = entry_buffer(file_size);
        let locator = ZipLocator::new().max_search_space(4);
        let located = locator.locate_in_reader(At { file, base }, &mut buffer, behind);
        let archive = match located {
            Ok(archive) => archive,
            Err((_, error)) => return of_damage(error).map(|()| None),
        };
        let mut entries = archive.entries(&mut buffer);
        let begins = match entries.next_entry() {
            Ok(first) => first.is_some() || archive.entries_hint() == 0,
            Err(error) => of_damage(error).map(|()| false)?,
        };
        Ok(begins.then_some(Self {
            archive,
            base,
            file_size,
        }))
    }

    /// Calls `visit` for each entry with its name, raw bytes.
    ///
    /// # Errors
    /// As [`ArchiveDirectory::open`].
    pub(crate) fn each(&self, mut visit: impl FnMut(&[u8], ArchiveEntry)) -> Result<(), FileError> {
        let mut buffer = entry_buffer(self.file_size);
        let mut entries = self.archive.entries(&mut buffer);
        for _ in 0..MAX_ENTRIES {
            let Some(entry) = entries.next_entry().map_err(failed)? else {
                return Ok(());
            };
            let header = entry.local_header_offset().checked_add(self.base);
            let header = header.ok_or_else(damaged)?;
            let is_stored = entry.compression_method() == CompressionMethod::STORE
                && !entry.flags().is_encrypted();
            let place = entry.wayfinder();
            visit(
                entry.file_path().as_ref(),
                ArchiveEntry {
                    header,
                    is_stored,
                    place,
                },
            );
        }
        Err(damaged())
    }

    /// Returns where in the file the contents of an entry are.
    ///
    /// # Errors
    /// As [`ArchiveDirectory::open`].
    pub(crate) fn range_of(&self, entry: &ArchiveEntry) -> Result<Range<u64>, FileError> {
        let contents = self.archive.get_entry(entry.place).map_err(failed)?;
        let (start, end) = contents.compressed_data_range();
        let in_file = |at: u64| at.checked_add(self.base).ok_or_else(damaged);
        let (start, end) = (in_file(start)?, in_file(end)?);
        match start <= end && end <= self.file_size {
            true => Ok(start..end),
            false => Err(damaged()),
        }
    }
}

/// Returns the signatures that may be that of the end: first those whose comment reaches the end
/// of the file, then the others, the last ones first.
fn ends_in(tail: &[u8], tail_start: u64, size: u64) -> Vec<End> {
    let mut ends = Vec::new();
    for at in memmem::rfind_iter(tail, END) {
        let record = tail.get(at..).unwrap_or_default();
        let number = |from: usize, size: usize| {
            let bytes = record.get(from..from.checked_add(size)?)?;
            let whole = bytes.iter().rev();
            Some(whole.fold(0, |all: u64, byte| all << 8 | u64::from(*byte)))
        };
        let fields = (number(12, 4), number(16, 4), number(20, 2));
        let (Some(directory_size), Some(directory_offset), Some(comment)) = fields else {
            continue;
        };
        let at = tail_start.saturating_add(wide(at));
        let behind = at.saturating_add(wide(END_BYTES)).saturating_add(comment);
        // A comment that is cut off is another's.
        if behind > size {
            continue;
        }
        ends.push(End {
            at,
            is_exact: behind == size,
            directory_size,
            directory_offset,
        });
    }
    ends.sort_by_key(|end| !end.is_exact);
    ends.truncate(MAX_ENDS);
    ends
}

/// Returns where an archive with this end may begin: so that its directory is right before the
/// end, or where the file does.
fn bases(file: &File, end: End) -> io::Result<Vec<u64>> {
    let mut directory_end = end.at;
    let (mut size, mut offset) = (end.directory_size, end.directory_offset);
    let locator = end.at.checked_sub(LOCATOR_BYTES);
    let record = locator.and_then(|at| at.checked_sub(END_64_BYTES));
    if let (Some(locator), Some(record)) = (locator, record)
        && read_up_to(file, locator, 4)? == LOCATOR
    {
        let bytes = read_up_to(file, record, END_64_BYTES)?;
        let number = |at: usize| {
            let bytes = bytes.get(at..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        if let (true, Some(wide_size), Some(wide_offset)) =
            (bytes.starts_with(END_64), number(40), number(48))
        {
            (directory_end, size, offset) = (record, wide_size, wide_offset);
        }
    }
    let before = directory_end.checked_sub(size);
    let base = before.and_then(|start| start.checked_sub(offset));
    let mut bases: Vec<u64> = base.into_iter().chain([0]).collect();
    bases.dedup();
    Ok(bases)
}

/// Returns room for any entry of a file of this size.
fn entry_buffer(file_size: u64) -> Vec<u8> {
    // Smaller ones than this are refused.
    let size = usize::try_from(file_size).unwrap_or(usize::MAX);
    vec![0; size.clamp(1 << 10, ENTRY_BYTES)]
}

/// Reads an open file at an offset, as many bytes as it has there.
fn read_up_to(file: &File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut filled = 0_usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(wide(filled))) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// Passes errors of the system on. Any other is damage.
fn of_damage(error: rawzip::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::IO(error) if error.raw_os_error().is_some() => Err(error.kind().into()),
        _ => Ok(()),
    }
}

fn failed(error: rawzip::Error) -> FileError {
    match of_damage(error) {
        Ok(()) => damaged(),
        Err(error) => FileError::new("read", None, Error::from(error)),
    }
}

fn damaged() -> FileError {
    FileError::new("read", None, Error::DamagedArchive)
}

/// An archive that begins at an offset of an open file, which is read without moving its
/// position.
struct At<'f> {
    file: &'f File,
    base: u64,
}

impl ReaderAt for At<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.base.checked_add(offset) {
            Some(offset) => self.file.read_at(bytes, offset),
            // No file has bytes there.
            None => Ok(0),
        }
    }
}
