//! The bytes of a file: mapped where that is safe, else read.
//!
//! A mapped file that shrinks kills whoever touches the missing page (SIGBUS),
//! and any user who can write a file can shrink it. So by default only files
//! that root or we ourselves own, and nobody else may write, are mapped. This is
//! the crate's only `unsafe`.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, UncheckedAdvice};

use crate::access::Access;
use crate::error::{Error, Kind};
use crate::owner::only_we_can_change;

/// A file's bytes. They do not move while the image lives.
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

/// Bytes that were made here, as those of a file are that was read.
impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Read(bytes))
    }
}

/// Bytes that the caller keeps.
impl From<Arc<[u8]>> for Image {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Bytes::Given(bytes))
    }
}

impl Image {
    /// Takes the bytes of an open file; `limit` bounds those that are read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotRegular`] and [`Error::TooLarge`].
    pub fn of_file(file: &File, access: Access, limit: u64) -> Result<Self, Error> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Error::NotRegular(Kind::of(metadata.file_type())));
        }
        let map = match access {
            Access::Map => true,
            Access::Read => false,
            Access::Auto => only_we_can_change(&metadata),
        };
        // An empty file cannot be mapped.
        if map && metadata.len() > 0 {
            return map_file(file).map(Bytes::Mapped).map(Self);
        }
        read_file(file, metadata.len(), limit).map(Self::from)
    }

    /// Fills pages of our own with so many bytes. They go back to the system when they are
    /// let go of, whatever the allocator does. `None` if the system has no such pages.
    #[must_use]
    pub fn in_pages(size: usize, fill: impl FnOnce(&mut [u8])) -> Option<Self> {
        let mut pages = MmapMut::map_anon(size).ok()?;
        fill(&mut pages);
        Some(Self(Bytes::Pages(pages)))
    }

    /// Returns the bytes of memory it takes: none when it is mapped, or the caller's.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        let bytes = match &self.0 {
            Bytes::Read(bytes) => bytes.len(),
            Bytes::Pages(pages) => pages.len(),
            Bytes::Mapped(_) | Bytes::Given(_) => 0,
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Gives the pages of a mapped file back, which were read and will hardly be again:
    /// they come back from the file when they are.
    pub fn release(&self) {
        if let Bytes::Mapped(map) = &self.0 {
            release_pages(map);
        }
    }
}

#[expect(unsafe_code, reason = "that pages may be dropped is unsafe in memmap2")]
fn release_pages(map: &Mmap) {
    // SAFETY: nothing is ever written to the mapping, so no page of it differs from the
    // file's: a page that is dropped is read from the same file when it is touched
    // again, and that the file does not change is what `map_file` argues.
    let released = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
    // It is for the sake of memory alone, and whoever refuses it keeps the pages.
    drop(released);
}

#[expect(unsafe_code, reason = "mapping a file is unsafe in any crate")]
fn map_file(file: &File) -> Result<Mmap, Error> {
    // SAFETY: the mapping is private and read-only, so nothing here writes to
    // it. That the file does not change underneath is what `Access` is for:
    // `Auto` comes here only when `only_we_can_change` saw an owner and a mode
    // that keep every other user out, and `Map` is the caller's own promise.
    // The bytes are parsed as untrusted, whatever they turn into.
    let map = unsafe { Mmap::map(file) }?;
    Ok(map)
}

fn read_file(file: &File, size: u64, limit: u64) -> Result<Vec<u8>, Error> {
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
    // A file that shrinks meanwhile ends early; one that grows is cut off where
    // it ended before.
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
