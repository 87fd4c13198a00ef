//! The progress of files that are received.

use std::fmt::Debug;

use backsight_store::StoredKind;
use backsight_types::BuildId;

use crate::bucket_url::BucketUrl;
use crate::transfer::BucketTransfer;

/// Is told how far each file is. It is called from several threads at once.
pub trait BucketProgress: Debug + Send + Sync {
    /// More of a file was received.
    fn advanced(&self, ongoing: &BucketOngoing<'_>);

    /// A file was received, or not.
    fn ended(&self, transfer: &BucketTransfer);
}

/// A file that is being received.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BucketOngoing<'o> {
    /// Which bucket has it.
    pub bucket: &'o BucketUrl,
    /// Its build ID.
    pub build_id: &'o BuildId,
    /// Its kind.
    pub kind: StoredKind,
    /// The bytes so far.
    pub received_bytes: u64,
    /// All of its bytes.
    pub bytes: u64,
}
