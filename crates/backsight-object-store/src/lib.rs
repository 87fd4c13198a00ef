//! Debug files and executables by build ID, from buckets of S3 and Google Cloud Storage.
//!
//! A [`BucketFetcher`] is a [`Fetch`](backsight_symbolize::Fetch): a symbolizer asks it for what no
//! directory has. The objects are laid out as in a `.build-id` directory, which
//! `backsight store add` fills and any tool can copy to a bucket:
//!
//! ```text
//!   s3://BUCKET/PREFIX/.build-id/77/c7…4d          an executable or library
//!   s3://BUCKET/PREFIX/.build-id/77/c7…4d.debug    its debug file
//! ```
//!
//! What comes is bounded in bytes and time, has the build ID that was asked for, and is kept in
//! a [`Store`](backsight_store::Store). A `file://` URL names a directory with the same layout,
//! whose files are used where they are.
//!
//! Addresses and signatures of requests are those of the crate `object_store`; the requests are
//! made by `ureq`, which `backsight-debuginfod` uses, too, instead of a second HTTP client.
//!
//! Settings and credentials are [`BucketOptions::settings`]. Of the environment this crate reads
//! nothing; `object_store` looks where the host's provider of credentials is (`GCE_METADATA_HOST`),
//! and for the credentials that `gcloud` keeps in the home directory.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod bucket;
mod bucket_url;
mod error;
mod http;
mod options;
mod progress;
mod remote;
mod transfer;

pub use bucket::BucketFetcher;
pub use bucket_url::{BucketKind, BucketUrl, NotABucket};
pub use error::BucketError;
pub use options::BucketOptions;
pub use progress::{BucketOngoing, BucketProgress};
pub use remote::has_setting;
pub use transfer::{BucketOutcome, BucketTransfer};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
