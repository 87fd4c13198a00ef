//! Why a module has no bytes to look into.

use std::io;
use std::path::{Path, PathBuf};

use backsight_elf::ReadError;
use backsight_index::{IndexCause, IndexError, IndexFull};
use backsight_types::{BuildId, FileError, Reason};

use crate::fetch_error::FetchError;
use crate::packer::Packer;

/// Why a module, or a debug file, cannot be used: what was to be done with it, its path if it
/// has one, and the cause. Such as `open /a: Permission denied (os error 13)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Error(FileError<Cause>);

impl Error {
    /// Returns the error of an operation on the file at this path; `None` for bytes in memory.
    #[must_use]
    pub fn new(operation: &'static str, path: Option<&Path>, cause: impl Into<Cause>) -> Self {
        Self(FileError::new(operation, path, cause))
    }

    /// Returns the failed operation: `open`, `map`, `read`, `unpack`, `find`, …
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation()
    }

    /// Returns the path of the file, as this host knows it; `None` for bytes in memory, and for a
    /// module that is known by its build ID alone.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path()
    }

    /// Returns why it failed. Its text does not repeat the path.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        self.0.error()
    }

    /// Returns what each address of such a module is answered with.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.cause().reason()
    }

    /// Sets the path if none is known.
    pub(crate) fn or_path(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) if self.path().is_none() => Self(self.0.with_path(path)),
            _ => self,
        }
    }
}

/// Why an operation on a file failed, or why the file does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The system refused it, or the file is one that is not opened.
    /// [`backsight_files::Error::TooLarge`] is [`TooLarge`](Self::TooLarge) here.
    #[error(transparent)]
    File(backsight_files::Error),
    /// It is larger than the limit for files that are read into memory.
    #[error("larger than the limit of {limit} bytes for files that are not mapped")]
    TooLarge {
        /// [`Limits::file_bytes`](crate::Limits::file_bytes), or
        /// [`Limits::unpacked_bytes`](crate::Limits::unpacked_bytes) where it is unpacked.
        limit: u64,
    },
    /// It is packed by xz, zstd or gzip, and is damaged or cut off.
    #[error("packed by xz, zstd or gzip, and does not unpack: it is damaged or cut off")]
    Packed,
    /// It is packed, and this build has no decoder for it.
    #[error(
        "packed by {packer}, and this program was built without the feature `{packer}`: unpack it first, or build with the feature"
    )]
    NotBuilt {
        /// What it is packed by.
        packer: Packer,
    },
    /// Its debug information takes more memory than it may.
    #[error("{}", too_much(*needed, *allowed))]
    Oversized {
        /// Bytes that it takes unpacked.
        needed: u64,
        /// Bytes that [`Limits`](crate::Limits) allow; `None` when they allow it, and
        /// the memory could not be allocated.
        allowed: Option<u64>,
    },
    /// It is not an ELF file, or contradicts itself.
    #[error(transparent)]
    Elf(#[from] backsight_elf::Error),
    /// It is of another build than what it was to be used for.
    #[error("it is of {own}, and {wanted} was looked for")]
    OtherBuild {
        /// Its own identifier, such as `build ID 77c7aa4d`, or `a build without ID`.
        own: String,
        /// That of what was looked for.
        wanted: String,
    },
    /// It and another file claim to be of the same build, so that neither is used.
    #[error("it and {} claim to be of the same build: give one of them", other.display())]
    Ambiguous {
        /// The other file.
        other: PathBuf,
    },
    /// Another file of the same build proves it better, and is used: by the whole build ID
    /// rather than by a debug ID, which has the first 16 bytes of it.
    #[error("only its debug ID says of which build it is, and {} has the whole build ID: that one is used", other.display())]
    LessProven {
        /// The other file.
        other: PathBuf,
    },
    /// It claims to be of two builds, so that it is used for none.
    #[error(
        "it claims {first} and {second}, which contradict each other: write it again, with `dump_syms`"
    )]
    ContradictoryIds {
        /// One identifier, such as `debug ID 000102030405060708090A0B0C0D0E0F0`.
        first: String,
        /// The other one.
        second: String,
    },
    /// It has symbols in none of the formats of [`SymbolFile`](crate::SymbolFile).
    #[error("not a symbol file: neither GSYM nor Breakpad's")]
    NotSymbols,
    /// It is a directory without symbol files.
    #[error("no symbol file in it: *.gsym and *.sym are looked for, and NAME/DEBUG_ID/*.sym")]
    NoSymbolFiles,
    /// Its checksum is not the one of the link that leads to it.
    #[error("its checksum is {own}, and the link to it has {wanted}")]
    ChecksumMismatch {
        /// That of the file, in hexadecimal digits; `none` if it has none.
        own: String,
        /// That of the link.
        wanted: String,
    },
    /// It is a debug file, and the module itself was looked for.
    #[error("a debug file, without the code and its program headers")]
    NotTheModule,
    /// Others can change it, or the directory that it is in: an index is then not used.
    #[error("others can change it: make this user or root its owner, and run chmod go-w")]
    NotOurs,
    /// It is no index of this version, or is damaged.
    #[error("no sound symbol index of this version: build it again")]
    BadIndex,
    /// What was read of it, an index, is damaged, and there is nothing else to read.
    #[error("a damaged symbol index, and no other file of this build ID: build it again")]
    DamagedIndex,
    /// A part of it contradicts the rest. What can be read of it is.
    #[error("{part}: {wrong}")]
    Damaged {
        /// `.symtab`, `.dynsym`, the section headers, or the file as a whole.
        part: &'static str,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// It is a part of a program's debug information (`.dwo`, `.dwp`, or of dwz), and has
    /// no code that an index could be of.
    #[error("no code of its own: index the program that it belongs to")]
    NoCode,
    /// It is a file of split units, and has none of the id that was asked for.
    #[error(
        "it has no split unit of the id {wanted:#018x}, which was looked for: it is of another compilation"
    )]
    NotTheUnit {
        /// The id that was looked for.
        wanted: u64,
    },
    /// A fetcher could not bring it, though it may be there.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// No debug directory has a file of this build ID.
    #[error("no debug file of this build ID in the debug directories")]
    NotFound,
}

impl Cause {
    /// Of a file that goes with another and ends too early: its sections are not to be had.
    pub(crate) const CUT_OFF: Self = Self::Damaged {
        part: "the file",
        wrong: "it is cut off",
    };

    /// A file with this build ID was found, or with none, where another one was looked for.
    #[must_use]
    pub fn other_build(own: Option<&BuildId>, wanted: &BuildId) -> Self {
        Self::OtherBuild {
            own: own.map_or_else(
                || "a build without ID".to_owned(),
                |own| format!("build ID {own}"),
            ),
            wanted: format!("build ID {wanted}"),
        }
    }

    /// Returns whether the file begins as no ELF file does.
    #[must_use]
    pub fn is_not_elf(&self) -> bool {
        matches!(self, Self::Elf(backsight_elf::Error::NotElf))
    }

    /// Whether there is a file, and not a directory of that name, as perf's cache has.
    pub(crate) fn is_of_a_file(&self) -> bool {
        !matches!(self, Self::File(backsight_files::Error::NotRegular(_)))
    }

    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        let Self::File(backsight_files::Error::Io(error)) = self else {
            return false;
        };
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    }

    /// Returns what each address of such a module is answered with.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooLarge { .. } | Self::Oversized { .. } => Reason::Limit,
            Self::OtherBuild { .. }
            | Self::ChecksumMismatch { .. }
            | Self::NotTheUnit { .. }
            | Self::ContradictoryIds { .. }
            | Self::LessProven { .. }
            | Self::Ambiguous { .. } => Reason::IdentityUnproven,
            Self::NotFound | Self::NotTheModule | Self::NoCode | Self::NoSymbolFiles => {
                Reason::NoSymbols
            }
            Self::File(_)
            | Self::DamagedIndex
            | Self::NotOurs
            | Self::NotSymbols
            | Self::BadIndex
            | Self::Packed
            | Self::NotBuilt { .. }
            | Self::Fetch(_)
            | Self::Damaged { .. }
            | Self::Elf(_) => Reason::Unreadable,
        }
    }
}

impl From<backsight_files::Error> for Cause {
    fn from(error: backsight_files::Error) -> Self {
        match error {
            backsight_files::Error::TooLarge { limit } => Self::TooLarge { limit },
            other => Self::File(other),
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}

/// More than an index has room for, in its 32-bit offsets.
impl From<IndexFull> for Cause {
    fn from(_: IndexFull) -> Self {
        Self::TooLarge {
            limit: u32::MAX.into(),
        }
    }
}

/// Without a path. The operation is the one that finds out about such a cause.
impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        let operation = match cause {
            Cause::NotFound => "find",
            Cause::Packed | Cause::NotBuilt { .. } | Cause::Oversized { .. } => "unpack",
            Cause::NoCode => "index",
            _ => "read",
        };
        Self::new(operation, None, cause)
    }
}

impl From<backsight_elf::Error> for Error {
    fn from(error: backsight_elf::Error) -> Self {
        Cause::from(error).into()
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Elf(error) => error.into(),
            ReadError::Io(error) => Cause::from(error).into(),
            // `ReadError` may get variants; none of them is an ELF file.
            other => Cause::from(io::Error::other(other)).into(),
        }
    }
}

impl From<IndexFull> for Error {
    fn from(full: IndexFull) -> Self {
        Cause::from(full).into()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Cause::from(error).into()
    }
}

impl From<backsight_files::FileError> for Error {
    fn from(error: backsight_files::FileError) -> Self {
        Self::new(error.operation(), error.path(), error.error().clone())
    }
}

/// Why a file is not used as an index.
impl From<&IndexError> for Error {
    fn from(error: &IndexError) -> Self {
        let cause = match error.cause() {
            IndexCause::File(error) => error.clone().into(),
            IndexCause::NotOurs | IndexCause::Untrusted => Cause::NotOurs,
            IndexCause::OtherBuild { own, wanted } => Cause::OtherBuild {
                own: own.clone(),
                wanted: wanted.clone(),
            },
            // It does not begin like one, is of another version, or contradicts itself.
            _ => Cause::BadIndex,
        };
        Self::new(error.operation(), error.path(), cause)
    }
}

fn too_much(needed: u64, allowed: Option<u64>) -> String {
    match allowed {
        Some(allowed) => format!(
            "its debug information unpacks to {needed} bytes, and {allowed} bytes are allowed"
        ),
        None => format!("no memory for the {needed} bytes that its debug information unpacks to"),
    }
}
