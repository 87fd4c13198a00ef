//! Members of zip archives that are mapped without being extracted.
//!
//! Android maps native libraries from inside an APK, which is a zip archive: such a member is
//! stored without compression and begins at a page boundary. The memory map then has the path
//! of the archive and offsets in it. A member is named `base.apk!/lib/arm64-v8a/libx.so`, as
//! the dynamic linker of Android names it.
//!
//! Format: APPNOTE.TXT, sections 4.3.7 (local file header), 4.3.12 (central directory) and
//! 4.3.16 (its end); read by `rawzip`.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipLocator};

use crate::error::{Error, FileError};

/// What separates the path of an archive from the name of its member.
const SEPARATOR: &[u8] = b"!/";

/// The signature of a local file header, with which an archive begins. A file with anything
/// before it, such as a program that unpacks itself, is not searched.
const MAGIC: [u8; 4] = *b"PK\x03\x04";

/// Entries of the central directory that are read. The largest APKs have tens of thousands;
/// 16-bit archives cannot have more than 65,535.
const MAX_ENTRIES: usize = 1 << 20;

/// The end of the central directory has a comment of up to 65,535 bytes after it.
const MAX_END_BYTES: u64 = 1 << 17;

/// A member of an archive that is stored without compression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveMember {
    /// Its name, such as `lib/arm64-v8a/libx.so`, raw bytes.
    pub name: Vec<u8>,
    /// Its contents, as offsets in the archive.
    pub range: Range<u64>,
}

impl ArchiveMember {
    /// Returns the member that has this offset of the archive. `None` if the file is not an
    /// archive, or the offset is not inside an uncompressed member.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::DamagedArchive`]; without a path.
    pub fn at(archive: &File, offset: u64) -> Result<Option<Self>, FileError> {
        let mut nearest = None;
        // A member's contents follow its local header, so only the last header before the
        // offset can be the one.
        let found = search(archive, |_, header| {
            if header <= offset && nearest.is_none_or(|known| known < header) {
                nearest = Some(header);
            }
            false
        })?;
        debug_assert!(found.is_none(), "nothing was accepted");
        let Some(nearest) = nearest else {
            return Ok(None);
        };
        let member = search(archive, |_, header| header == nearest)?;
        Ok(member.filter(|member| member.range.contains(&offset)))
    }

    /// Returns whether a file begins as an archive does.
    ///
    /// # Errors
    /// [`Error::Io`], without a path.
    pub fn is_archive(file: &File) -> Result<bool, FileError> {
        let mut magic = [0; MAGIC.len()];
        let read = file.read_at(&mut magic, 0);
        let read = read.map_err(|error| FileError::new("read", None, error))?;
        Ok(read == magic.len() && magic == MAGIC)
    }

    /// Returns the member of this name. `None` if the file is not an archive, or has no such
    /// member, or has it compressed.
    ///
    /// # Errors
    /// As [`ArchiveMember::at`].
    pub fn named(archive: &File, name: &[u8]) -> Result<Option<Self>, FileError> {
        search(archive, |found, _| found == name)
    }

    /// Returns the member that a path names, if the file is an archive and the path that of a
    /// member; `None` for any other file.
    ///
    /// # Errors
    /// As [`ArchiveMember::at`]; [`Error::NoMember`].
    pub fn of_path(file: &File, path: Option<&Path>) -> Result<Option<Self>, FileError> {
        let split = path.and_then(|path| Self::split(path.as_os_str().as_bytes()));
        match split {
            Some((_, name)) if Self::is_archive(file)? => {
                let none = || FileError::new("read", None, Error::NoMember);
                Self::named(file, name)?.ok_or_else(none).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Opens the file at a path by `open`; if there is none, and the path is that of a member, the
    /// archive. [`Image::of_path`](crate::Image::of_path) then has the member's bytes.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open_archive_or_file(
        path: &Path,
        open: impl Fn(&Path) -> Result<File, FileError>,
    ) -> Result<File, FileError> {
        open(path).or_else(|error| {
            let split = Self::split(path.as_os_str().as_bytes());
            match (split, error.error()) {
                (Some((archive, _)), Error::Io(cause)) if is_missing(cause.kind()) => {
                    let file = open(Path::new(OsStr::from_bytes(archive)))?;
                    // Any other file has no members.
                    Self::is_archive(&file)?.then_some(file).ok_or(error)
                }
                _ => Err(error),
            }
        })
    }

    /// Returns the path of the member: that of the archive, `!/`, and its name.
    #[must_use]
    pub fn path_in(&self, archive: &[u8]) -> Vec<u8> {
        [archive, SEPARATOR, &self.name].concat()
    }

    /// Splits the path of a member into that of the archive and the name of the member. `None`
    /// if it has no `!/`. A directory may have a name that ends in `!`, so a path that exists as
    /// it is takes precedence.
    #[must_use]
    pub fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
        let at = path
            .windows(SEPARATOR.len())
            .position(|it| it == SEPARATOR)?;
        let (archive, rest) = path.split_at_checked(at)?;
        let name = rest.strip_prefix(SEPARATOR)?;
        (!archive.is_empty() && !name.is_empty()).then_some((archive, name))
    }
}

fn is_missing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns the first uncompressed member that is accepted by its name and the offset of its
/// local header.
fn search(
    archive: &File,
    mut accepts: impl FnMut(&[u8], u64) -> bool,
) -> Result<Option<ArchiveMember>, FileError> {
    let failed = |error: Error| FileError::new("read", None, error);
    let of_system = |error: io::Error| failed(error.into());
    if !ArchiveMember::is_archive(archive)? {
        return Ok(None);
    }
    let size = archive.metadata().map_err(of_system)?.len();
    let damaged = |error: rawzip::Error| {
        failed(match error.kind() {
            rawzip::ErrorKind::IO(error) if error.raw_os_error().is_some() => {
                Error::Io(error.kind().into())
            }
            _ => Error::DamagedArchive,
        })
    };
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let locator = ZipLocator::new().max_search_space(MAX_END_BYTES);
    let located = locator.locate_in_reader(At(archive), &mut buffer, size);
    let directory: ZipArchive<At<'_>> = located.map_err(|(_, error)| damaged(error))?;
    let mut entries = directory.entries(&mut buffer);
    for _ in 0..MAX_ENTRIES {
        let Some(entry) = entries.next_entry().map_err(damaged)? else {
            return Ok(None);
        };
        if entry.compression_method() != CompressionMethod::STORE {
            continue;
        }
        let name = entry.file_path();
        let name: &[u8] = name.as_ref();
        if !accepts(name, entry.local_header_offset()) {
            continue;
        }
        let name = name.to_vec();
        let contents = directory.get_entry(entry.wayfinder()).map_err(damaged)?;
        let (start, end) = contents.compressed_data_range();
        if start > end || end > size {
            return Err(failed(Error::DamagedArchive));
        }
        let range = start..end;
        return Ok(Some(ArchiveMember { name, range }));
    }
    Err(failed(Error::DamagedArchive))
}

/// Reads an open file at any offset, without moving its position.
struct At<'f>(&'f File);

impl ReaderAt for At<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }
}
