//! Members of zip archives that are mapped without being extracted.
//!
//! Android maps native libraries from inside an APK, which is a zip archive: such a member is
//! stored without compression and begins at a page boundary. The memory map then has the path
//! of the archive and offsets in it. A member is named `base.apk!/lib/arm64-v8a/libx.so`, as
//! the dynamic linker of Android names it.
//!
//! Names need not be unique. If several members have the name, each is named with the offset of
//! its contents behind it, as `lib/x.so@0x1000`, and the bare name is ambiguous.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::archive_directory::{ArchiveDirectory, ArchiveEntry};
use crate::error::{Error, FileError};

/// What separates the path of an archive from the name of its member.
const SEPARATOR: &[u8] = b"!/";

/// What separates the name of a member from its offset.
const OFFSET_MARK: &[u8] = b"@0x";

/// A member of an archive that is stored without compression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveMember {
    /// Its name, such as `lib/arm64-v8a/libx.so`, raw bytes; with `@0x` and the offset of its
    /// contents behind it if other members have the same name.
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
        let Some(directory) = ArchiveDirectory::open(archive)? else {
            return Ok(None);
        };
        // A member's contents follow its local header, so only the last header before the
        // offset can be the one.
        let mut nearest: Option<(Vec<u8>, ArchiveEntry)> = None;
        directory.each(|name, entry| {
            let known = nearest.as_ref().map(|(_, known)| known.header);
            if entry.is_stored && entry.header <= offset && known.is_none_or(|at| at < entry.header)
            {
                nearest = Some((name.to_owned(), entry));
            }
        })?;
        let Some((name, entry)) = nearest else {
            return Ok(None);
        };
        let range = directory.range_of(&entry)?;
        if !range.contains(&offset) {
            return Ok(None);
        }
        let namesakes = Namesakes::of(&directory, &name)?;
        if namesakes.others == 0 {
            return Ok(Some(Self { name, range }));
        }
        let offset = format!("{:x}", range.start);
        let name = [&name, OFFSET_MARK, offset.as_bytes()].concat();
        // Another member may be called so.
        match Self::in_directory(&directory, &name)? {
            Some(found) if found.range == range => Ok(Some(found)),
            _ => Err(namesakes.ambiguous()),
        }
    }

    /// Returns whether a file is an archive, sound or damaged.
    ///
    /// # Errors
    /// [`Error::Io`], without a path.
    pub fn is_archive(file: &File) -> Result<bool, FileError> {
        match ArchiveDirectory::open(file) {
            Ok(directory) => Ok(directory.is_some()),
            Err(error) if *error.error() == Error::DamagedArchive => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Returns the member of this name. `None` if the file is not an archive, or has no such
    /// member, or has it compressed or encrypted.
    ///
    /// # Errors
    /// As [`ArchiveMember::at`]; [`Error::AmbiguousMember`].
    pub fn named(archive: &File, name: &[u8]) -> Result<Option<Self>, FileError> {
        match ArchiveDirectory::open(archive)? {
            Some(directory) => Self::in_directory(&directory, name),
            None => Ok(None),
        }
    }

    fn in_directory(
        directory: &ArchiveDirectory<'_>,
        name: &[u8],
    ) -> Result<Option<Self>, FileError> {
        let of = |entry: Option<ArchiveEntry>| {
            let entry = entry.filter(|entry| entry.is_stored);
            let range = entry.map(|entry| directory.range_of(&entry)).transpose()?;
            let name = name.to_owned();
            Ok(range.map(|range| Self { name, range }))
        };
        let namesakes = Namesakes::of(directory, name)?;
        match (&namesakes.first, namesakes.others) {
            (None, _) => {}
            (Some((entry, _)), 0) => return of(Some(entry.clone())),
            _ => return Err(namesakes.ambiguous()),
        }
        let Some((plain, offset)) = split_offset(name) else {
            return Ok(None);
        };
        let mut entries = Vec::new();
        directory.each(|found, entry| {
            if found == plain && entry.is_stored && entry.header < offset {
                entries.push(entry);
            }
        })?;
        for entry in entries {
            if directory.range_of(&entry)?.start == offset {
                return of(Some(entry));
            }
        }
        Ok(None)
    }

    /// Returns the member that a path names, if the file is an archive and the path that of a
    /// member; `None` for any other file.
    ///
    /// # Errors
    /// As [`ArchiveMember::named`]; [`Error::NoMember`].
    pub fn of_path(file: &File, path: Option<&Path>) -> Result<Option<Self>, FileError> {
        let split = path.and_then(|path| Self::split(path.as_os_str().as_bytes()));
        let (Some((_, name)), Some(path)) = (split, path) else {
            return Ok(None);
        };
        // A file in a directory `a!`, such as a program that unpacks itself.
        if is_at(file, path) {
            return Ok(None);
        }
        let Some(directory) = ArchiveDirectory::open(file)? else {
            return Ok(None);
        };
        let none = || FileError::new("read", None, Error::NoMember);
        Self::in_directory(&directory, name)?
            .ok_or_else(none)
            .map(Some)
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

/// Whether this file is what the whole path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let there = std::fs::metadata(path).map(identity);
    there.is_ok_and(|there| file.metadata().is_ok_and(|file| identity(file) == there))
}

fn is_missing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Splits the offset off a name.
fn split_offset(name: &[u8]) -> Option<(&[u8], u64)> {
    let mark = |window: &[u8]| window == OFFSET_MARK;
    let at = name.windows(OFFSET_MARK.len()).rposition(mark)?;
    let (plain, rest) = name.split_at_checked(at)?;
    let digits = str::from_utf8(rest.strip_prefix(OFFSET_MARK)?).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let offset = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((plain, offset))
}

/// The entries of one name.
#[derive(Debug, Default)]
struct Namesakes {
    /// With where its contents begin, if other entries have the same name.
    first: Option<(ArchiveEntry, u64)>,
    second: u64,
    /// How many more there are with contents of their own.
    others: usize,
}

impl Namesakes {
    fn of(directory: &ArchiveDirectory<'_>, name: &[u8]) -> Result<Self, FileError> {
        let mut namesakes = Self::default();
        let mut second: Option<ArchiveEntry> = None;
        directory.each(|found, entry| {
            if found != name {
                return;
            }
            match &namesakes.first {
                None => namesakes.first = Some((entry, 0)),
                // Listed twice, it is one member.
                Some((first, _)) if first.header == entry.header => {
                    if entry.is_stored && !first.is_stored {
                        namesakes.first = Some((entry, 0));
                    }
                }
                Some(_) => {
                    namesakes.others = namesakes.others.saturating_add(1);
                    second.get_or_insert(entry);
                }
            }
        })?;
        if let (Some((first, start)), Some(second)) = (&mut namesakes.first, second) {
            *start = directory.range_of(first)?.start;
            namesakes.second = directory.range_of(&second)?.start;
        }
        Ok(namesakes)
    }

    fn ambiguous(&self) -> FileError {
        let error = Error::AmbiguousMember {
            first: self.first.as_ref().map_or(0, |(_, start)| *start),
            second: self.second,
        };
        FileError::new("read", None, error)
    }
}
