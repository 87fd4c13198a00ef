//! Why a module has no bytes to look into.

use std::io::ErrorKind;

use backsight_files::IoError;
use backsight_index::{IndexError, IndexFull};
use backsight_types::Reason;

use crate::fetch_error::FetchError;

/// Why a module, or a debug file, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be opened, mapped or read.
    #[error("cannot be read: {0}")]
    Io(IoError),
    /// It is a directory, a FIFO, a socket or a device. It was not opened to find out.
    #[error("not a regular file")]
    NotRegularFile,
    /// It is one that the kernel makes up, or is behind a link of `/proc`, and another
    /// file named it. It was not opened.
    #[error("a file of the kernel's own, which is not opened because another file names it")]
    KernelFile,
    /// `/proc` is not mounted here, and without it a file cannot be looked at before it
    /// is opened.
    #[error("not opened because another file names it and procfs is not mounted: mount it")]
    NoProc,
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
    /// It is not the file that was asked for.
    #[error("its build ID is missing or differs from the one asked for")]
    BuildIdMismatch,
    /// Its checksum is not the one of the link that leads to it.
    #[error("its checksum is not the one that the debug link has")]
    ChecksumMismatch,
    /// It is a debug file, and the module itself was looked for.
    #[error("a debug file, without the code and its program headers")]
    NotTheModule,
    /// Others can change it, or the directory that it is in: an index is then not used.
    #[error("others can change it: have it owned by this user or root, with chmod go-w")]
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
    #[error("no split unit of the id asked for: it is of another compilation")]
    NotTheUnit,
    /// A fetcher could not bring it, though it may be there.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// No debug directory has a file of this build ID.
    #[error("no debug file of this build ID in the debug directories")]
    NotFound,
}

impl Error {
    /// Of a file that goes with another and ends too early: its sections are not to be had.
    pub(crate) const CUT_OFF: Self = Self::Damaged {
        part: "the file",
        wrong: "it is cut off",
    };

    /// Returns what each address of such a module is answered with.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooLarge { .. } | Self::Oversized { .. } => Reason::Limit,
            Self::BuildIdMismatch | Self::ChecksumMismatch | Self::NotTheUnit => {
                Reason::IdentityUnproven
            }
            Self::NotFound | Self::NotTheModule | Self::NoCode => Reason::NoSymbols,
            Self::Io(_)
            | Self::NotRegularFile
            | Self::KernelFile
            | Self::NoProc
            | Self::DamagedIndex
            | Self::NotOurs
            | Self::BadIndex
            | Self::Packed
            | Self::Fetch(_)
            | Self::Damaged { .. }
            | Self::Elf(_) => Reason::Unreadable,
        }
    }
}

impl From<backsight_files::Error> for Error {
    fn from(error: backsight_files::Error) -> Self {
        use backsight_files::Error as Refused;
        match error {
            Refused::Io(error) => Self::Io(error),
            Refused::Replaced => Self::Io(ErrorKind::Other.into()),
            Refused::TooLarge { limit } => Self::TooLarge { limit },
            Refused::Kernels => Self::KernelFile,
            Refused::NoProc => Self::NoProc,
            _ => Self::NotRegularFile,
        }
    }
}

/// Why a file is not used as an index.
impl From<&IndexError> for Error {
    fn from(error: &IndexError) -> Self {
        match error {
            IndexError::File { error, .. } => error.clone().into(),
            IndexError::NotOurs | IndexError::OfStrangers => Self::NotOurs,
            IndexError::BuildIdMismatch => Self::BuildIdMismatch,
            // It does not begin like one, is of another version, or contradicts itself.
            _ => Self::BadIndex,
        }
    }
}

/// More than an index has room for, in its 32-bit offsets.
impl From<IndexFull> for Error {
    fn from(_: IndexFull) -> Self {
        Self::TooLarge {
            limit: u32::MAX.into(),
        }
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

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.into())
    }
}
