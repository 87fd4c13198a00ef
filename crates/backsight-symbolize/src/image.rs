//! The bytes of a file: mapped where that is safe, else read.
//!
//! A mapped file that shrinks kills whoever touches the missing page (SIGBUS),
//! and any user who can write a file can shrink it. So by default only files
//! that root or we ourselves own, and nobody else may write, are mapped. This is
//! the crate's only `unsafe`.

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use backsight_files::only_we_can_change;
use memmap2::{Mmap, MmapMut, UncheckedAdvice};

use crate::access::Access;
use crate::error::Error;
use crate::tally::wide;

/// A file's bytes. They do not move while the image lives.
#[derive(Debug)]
pub(crate) enum Image {
    Mapped(Mmap),
    Read(Vec<u8>),
    Given(Arc<[u8]>),
    /// Pages of our own, which go back to the system when they are let go of.
    Pages(MmapMut),
}

impl Deref for Image {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
            Self::Given(bytes) => bytes,
            Self::Pages(pages) => pages,
        }
    }
}

impl Image {
    /// Takes the bytes of an open file; `limit` bounds those that are read.
    pub(crate) fn of_file(file: &File, access: Access, limit: u64) -> Result<Self, Error> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Error::NotRegularFile);
        }
        let map = match access {
            Access::Map => true,
            Access::Read => false,
            Access::Auto => only_we_can_change(&metadata),
        };
        // An empty file cannot be mapped.
        if map && metadata.len() > 0 {
            return map_file(file).map(Self::Mapped);
        }
        read_file(file, metadata.len(), limit).map(Self::Read)
    }
}

impl Image {
    /// Returns the bytes of memory it takes: none when it is mapped, or the caller's.
    pub(crate) fn read_bytes(&self) -> u64 {
        match self {
            Self::Read(bytes) => wide(bytes.len()),
            Self::Pages(pages) => wide(pages.len()),
            Self::Mapped(_) | Self::Given(_) => 0,
        }
    }
}

impl Image {
    /// Gives the pages of a mapped file back, which were read and will hardly be again:
    /// they come back from the file when they are.
    pub(crate) fn release(&self) {
        if let Self::Mapped(map) = self {
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
        .map_err(|_| Error::Io(std::io::ErrorKind::OutOfMemory.into()))?;
    bytes.resize(size, 0);
    // A file that shrinks meanwhile ends early; one that grows is cut off where
    // it ended before.
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
