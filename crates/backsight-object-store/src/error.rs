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
    /// There is no bucket of this name.
    #[error("there is no such bucket")]
    NoBucket,
    /// The service refuses the request, with its own word for why, as `AccessDenied`. It does
    /// so, too, for an object that does not exist, to those who may not list the bucket.
    #[error(
        "denied{}: the credentials may not read it, or may not list the bucket, which then does \
         not tell what it lacks", .0.as_ref().map(|code| format!(" ({code})")).unwrap_or_default()
    )]
    Denied(Option<String>),
    /// No credentials were given, and none can be had from this host's provider, as on a virtual
    /// machine of the service.
    #[error("no credentials: none were given, and this host's provider has none: {0}")]
    NoCredentials(String),
    /// The service failed so often in a row that it is no longer asked.
    #[error("not asked any more after {0} failures in a row")]
    GivenUp(u32),
    /// The service cannot be reached, or fails, or a setting is missing or wrong.
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

impl BucketError {
    /// Whether the service failed, and may do so again with the next file.
    pub(crate) fn is_of_service(&self) -> bool {
        matches!(
            self,
            Self::Service(_) | Self::TooSlow(_) | Self::NoBucket | Self::NoCredentials(_)
        )
    }

    /// Whether it fails for every other file, too.
    pub(crate) fn is_for_all(&self) -> bool {
        matches!(self, Self::NoBucket | Self::NoCredentials(_))
    }
}
