//! The bytes of a file: mapped if that is safe, otherwise read into memory.
//!
//! If a mapped file is truncated, an access to a missing page kills the process (SIGBUS), and
//! any user who can write to the file can truncate it. So by default, a file is mapped only if
//! it is owned by root or this user and not writable by others. This is the only `unsafe` code
//! of the crate.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, MmapOptions, UncheckedAdvice};

use crate::access::Access;
use crate::archive_member::ArchiveMember;
use crate::error::FileError;
use crate::error::{Error, NonRegularKind};
use crate::owner::only_root_or_user_can_write;

/// The bytes of a file. They do not move while the image exists.
#[derive(Debug)]
pub struct Image(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
    Given(Arc<[u8]>),
    Pages(MmapMut),
}

impl Deref for Image {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
            Bytes::Given(bytes) => bytes,
            Bytes::Pages(pages) => pages,
        }
    }
}

/// Owned bytes, which count as read.
impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Read(bytes))
    }
}

/// Bytes shared with the caller.
impl From<Arc<[u8]>> for Image {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Bytes::Given(bytes))
    }
}

impl Image {
    /// Maps or reads an open file; `limit` is the maximum size for reading.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotRegular`] and [`Error::TooLarge`], without a path.
    pub fn of_file(file: &File, access: Access, limit: u64) -> Result<Self, FileError> {
        Self::of_range(file, None, access, limit)
    }

    /// Maps or reads what `path` names in an open file: if it is the path of an archive's member
    /// ([`ArchiveMember::split`]) and the file is an archive, that member; otherwise all of it.
    ///
    /// # Errors
    /// As [`Image::of_file`]; [`Error::DamagedArchive`] and [`Error::NoMember`], without a path.
    pub fn of_path(
        file: &File,
        path: Option<&Path>,
        access: Access,
        limit: u64,
    ) -> Result<Self, FileError> {
        let member = ArchiveMember::of_path(file, path)?;
        Self::of_range(file, member.map(|member| member.range), access, limit)
    }

    /// Maps or reads a range of an open file, or all of it.
    fn of_range(
        file: &File,
        range: Option<Range<u64>>,
        access: Access,
        limit: u64,
    ) -> Result<Self, FileError> {
        let failed = |operation| move |error: Error| FileError::new(operation, None, error);
        let metadata = file
            .metadata()
            .map_err(|error| failed("stat")(error.into()))?;
        if !metadata.is_file() {
            let kind = NonRegularKind::of(metadata.file_type());
            return Err(failed("read")(Error::NotRegular(kind)));
        }
        let map = match access {
            Access::Map => true,
            Access::Read => false,
            Access::Auto => only_root_or_user_can_write(&metadata),
        };
        // A page after the end of the file cannot be read.
        let range = range.unwrap_or(0..metadata.len());
        let range = range.start.min(metadata.len())..range.end.min(metadata.len());
        // An empty file cannot be mapped.
        if map && !range.is_empty() {
            let map = map_file(file, &range).map_err(failed("map"))?;
            return Ok(Self(Bytes::Mapped(map)));
        }
        let bytes = read_file(file, &range, limit);
        bytes.map(Self::from).map_err(failed("read"))
    }

    /// Allocates pages of this size directly from the system, and fills them. They are returned
    /// to the system when dropped, whatever the allocator does. Returns `None` if the system has
    /// no memory.
    #[must_use]
    pub fn in_pages(size: usize, fill: impl FnOnce(&mut [u8])) -> Option<Self> {
        let mut pages = MmapMut::map_anon(size).ok()?;
        fill(&mut pages);
        Some(Self(Bytes::Pages(pages)))
    }

    /// Returns the size of the memory it uses: 0 if it is mapped or shared with the caller.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        let bytes = match &self.0 {
            Bytes::Read(bytes) => bytes.len(),
            Bytes::Pages(pages) => pages.len(),
            Bytes::Mapped(_) | Bytes::Given(_) => 0,
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Releases the pages of a mapped file that are not needed soon; they are read again from
    /// the file on access.
    pub fn release(&self) {
        if let Bytes::Mapped(map) = &self.0 {
            release_pages(map);
        }
    }
}

#[expect(unsafe_code, reason = "releasing pages is unsafe in memmap2")]
fn release_pages(map: &Mmap) {
    // SAFETY: the mapping is never written, so its pages do not differ from the file's: a
    // released page is read again from the same file on access, and `map_file` argues why the
    // file does not change.
    let released = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
    // This only saves memory, so a failure is ignored.
    drop(released);
}

#[expect(unsafe_code, reason = "mapping a file is unsafe in any crate")]
fn map_file(file: &File, range: &Range<u64>) -> Result<Mmap, Error> {
    let size = range.end.saturating_sub(range.start);
    let size = usize::try_from(size).map_err(|_| Error::Io(ErrorKind::OutOfMemory.into()))?;
    let mut options = MmapOptions::new();
    let options = options.offset(range.start).len(size);
    // SAFETY: the mapping is private and read-only, so nothing here writes to it. `Access`
    // ensures that the file does not change: with `Auto`, a file is mapped only if
    // `only_root_or_user_can_write` excludes writes by other users, and with `Map` the caller guarantees
    // it. The bytes are parsed as untrusted, whatever they are.
    let map = unsafe { options.map(file) }?;
    Ok(map)
}

fn read_file(file: &File, range: &Range<u64>, limit: u64) -> Result<Vec<u8>, Error> {
    let size = range.end.saturating_sub(range.start);
    let too_large = Error::TooLarge { limit };
    if size > limit {
        return Err(too_large);
    }
    let size = usize::try_from(size).map_err(|_| too_large)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size)
        .map_err(|_| Error::Io(ErrorKind::OutOfMemory.into()))?;
    bytes.resize(size, 0);
    // A file that shrinks meanwhile ends early; one that grows is cut at its previous size.
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = u64::try_from(filled).unwrap_or(u64::MAX);
        match file.read_at(rest, range.start.saturating_add(at)) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
