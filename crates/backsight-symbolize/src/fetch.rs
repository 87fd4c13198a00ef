//! Files from elsewhere: a seam for stores and servers.
//!
//! This crate itself looks only in directories. A [`Fetch`] in
//! [`Options::fetchers`](crate::Options::fetchers) is asked when no directory has a file. The
//! file it returns is used only if it has the build ID that was asked for.

use std::fmt::Debug;
use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_types::BuildId;

use crate::fetch_error::FetchError;
use crate::sought::SoughtKind;

/// Fetches files. It is called from several threads at once, and may take long: lookups in
/// the module wait for it.
pub trait Fetch: Debug + Send + Sync {
    /// Returns a file; `None` when it has none. It is asked at most once for each file of a
    /// module.
    ///
    /// # Errors
    /// Why it cannot be had, though it may be there. [`Sought`](crate::Sought) lists it, and
    /// the next fetcher is asked.
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError>;
}

/// Which file is wanted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'w> {
    /// [`SoughtKind::Module`], [`SoughtKind::DebugFile`] or [`SoughtKind::Supplementary`].
    pub kind: SoughtKind,
    /// The build ID that it must carry.
    pub build_id: &'w BuildId,
    /// Where the module stood, if that is known.
    pub path: Option<&'w Path>,
}

/// A file that was brought.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// Open for reading.
    pub file: File,
    /// What it is called in [`Sought`](crate::Sought): where it is kept here, or where it
    /// is from.
    pub name: PathBuf,
}

impl Fetched {
    /// A file by this name.
    #[must_use]
    pub fn new(file: File, name: impl Into<PathBuf>) -> Self {
        Self {
            file,
            name: name.into(),
        }
    }
}
