//! Why a bucket cannot be used, or a file of it.

use std::time::Duration;

use backsight_files::FileError;
use backsight_store::StoreError;

/// Why a bucket cannot be used, or a file of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// The service has no setting of this name.
    #[error("{0:?} is no setting of this service")]
    UnknownSetting(String),
    /// The service cannot be reached, refuses the request, or a setting is missing or wrong.
    #[error("{0}")]
    Service(String),
    /// The file is larger than [`BucketOptions::file_bytes`](crate::BucketOptions::file_bytes).
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It took longer than [`BucketOptions::file_time`](crate::BucketOptions::file_time).
    #[error("not complete within {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    /// The object is no ELF file of the build ID that was asked for.
    #[error("the bucket has a file without the build ID that was asked for")]
    WrongBuildId,
    /// The object is an ELF file of this build, but not of the kind that was asked for.
    #[error(
        "the bucket has a file of another kind: an executable for a debug file, or the reverse"
    )]
    WrongKind,
    /// The store, or a file of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A failed operation on a file of this host.
    #[error(transparent)]
    File(#[from] FileError),
}
