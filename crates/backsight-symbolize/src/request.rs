//! What is asked: a module's bytes, and places in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_files::{ArchiveMember, By};
use backsight_types::{BuildId, FileOffset, Lookup, Segments, VirtOffset};

use crate::error::Error;
use crate::setters::setters;
use crate::source::SymbolSource;

/// Where a module's bytes come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModuleInput {
    /// An open file. Only a regular one is taken.
    File {
        /// Its position does not matter and does not change. It is closed as soon
        /// as its bytes are mapped or read, which happens at the first lookup.
        file: Arc<File>,
        /// Where it stands, in [`Options::roots`](crate::Options::roots) or on the
        /// host. It is never opened again: files that go with it, such as one that
        /// its debug link names, are looked for around there. Without a path they
        /// are looked for by build ID alone. If the file is a zip archive, the path names the
        /// member that is the module: `base.apk!/lib/x86_64/liba.so`
        /// ([`backsight_files::ArchiveMember`]).
        path: Option<PathBuf>,
    },
    /// Bytes in memory: a vDSO, or a file that was fetched from elsewhere.
    Bytes(Arc<[u8]>),
    /// The module itself is not at hand: it and its debug file are looked for in
    /// [`Options::debug_dirs`](crate::Options::debug_dirs). Where a debug file alone is
    /// found, file offsets have no answer, as it has lost the program headers they need.
    BuildId(BuildId),
    /// No file, but a source of its symbols.
    Symbols(Arc<dyn SymbolSource>),
}

impl ModuleInput {
    /// Opens a regular file, and keeps its path. Other kinds of files are not opened. If the
    /// path is that of an archive's member, the archive is opened.
    ///
    /// # Errors
    /// [`Cause::File`](crate::Cause::File), with the path: it cannot be opened, or is a
    /// directory, FIFO, socket or device.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::File {
            file: Arc::new(ArchiveMember::open_archive_or_file(path, |path| {
                backsight_files::open(path, By::Caller)
            })?),
            path: Some(path.to_owned()),
        })
    }
}

impl From<File> for ModuleInput {
    fn from(file: File) -> Self {
        Self::File {
            file: Arc::new(file),
            path: None,
        }
    }
}

/// A module that was given to a [`Symbolizer`](crate::Symbolizer), which hands this out and is
/// the only one that takes it back. No number can be made one: [`ModuleIdx`], the place of a
/// module in a list of modules, says nothing of what a symbolizer was given.
///
/// [`ModuleIdx`]: backsight_types::ModuleIdx
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId {
    pub(crate) slot: u32,
    /// Which of the modules that had this slot: the ID of a removed one finds no other.
    pub(crate) generation: u32,
}

/// A module that is given to a [`Symbolizer`](crate::Symbolizer).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewModule {
    /// Where its bytes come from.
    pub input: ModuleInput,
    /// The build ID it must have: other files are refused, and it leads to the debug file.
    /// Without one, the file's own leads there.
    pub build_id: Option<BuildId>,
    /// The executable's program headers where the caller knows them. File offsets need them
    /// when the executable itself is not at hand.
    pub segments: Option<Segments>,
    /// The root directories that its path begins at, such as those of the container of its
    /// process. `None` stands for those of [`Options::roots`](crate::Options::roots).
    pub roots: Option<Vec<PathBuf>>,
}

impl NewModule {
    /// A module of these bytes.
    #[must_use]
    pub fn new(input: ModuleInput) -> Self {
        Self {
            input,
            build_id: None,
            segments: None,
            roots: None,
        }
    }

    setters! {
        with_build_id build_id: Option<BuildId>,
        with_segments segments: Option<Segments>,
        with_roots roots: Option<Vec<PathBuf>>,
    }
}

/// A place in a module, in one of the two address spaces of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// An ELF virtual offset.
    Virt(VirtOffset),
    /// A file offset, in bytes from the start of the executable or library (not
    /// of its debug file).
    File(FileOffset),
}

impl Place {
    /// The offset, in whichever space.
    #[inline]
    pub(crate) fn raw(self) -> u64 {
        match self {
            Self::Virt(offset) => offset.0,
            Self::File(offset) => offset.0,
        }
    }
}

/// One place to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Request {
    /// The module.
    pub module: ModuleId,
    /// The place in it.
    pub place: Place,
    /// Whether the place is an instruction, or what a call returns to: then the
    /// byte before is looked up.
    pub lookup: Lookup,
}

impl Request {
    /// Asks for a place of a module.
    #[must_use]
    #[inline]
    pub fn new(module: ModuleId, place: Place, lookup: Lookup) -> Self {
        Self {
            module,
            place,
            lookup,
        }
    }

    /// The same place, looked up so.
    #[must_use]
    pub fn with_lookup(self, lookup: Lookup) -> Self {
        Self { lookup, ..self }
    }
}
