//! What came of a file that was asked for.

use std::fmt;
use std::time::Duration;

use backsight_store::StoredKind;
use backsight_types::BuildId;

use crate::error::BucketError;

/// What came of a file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketTransfer {
    /// Its build ID.
    pub build_id: BuildId,
    /// Its kind.
    pub kind: StoredKind,
    /// The bytes that were received for it.
    pub received_bytes: u64,
    /// The time that it took.
    pub elapsed: Duration,
    /// The outcome.
    pub outcome: BucketOutcome,
}

/// What came of a file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BucketOutcome {
    /// It was received, and is in the store now.
    Fetched,
    /// It was in the store.
    Stored,
    /// It is in the directory that the URL names, and is used there.
    InDirectory,
    /// The bucket does not have it.
    Absent,
    /// It is not in the store, and [`BucketOptions::offline`](crate::BucketOptions::offline) is
    /// set.
    Offline,
    /// Its module is not among those to ask for
    /// ([`BucketFetcher::ask_only_for`](crate::BucketFetcher::ask_only_for)).
    LeftOut,
    /// It could not be had, though it may be there.
    Failed(BucketError),
}

impl fmt::Display for BucketTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.kind.name(), self.build_id)?;
        match &self.outcome {
            BucketOutcome::Fetched => write!(
                f,
                "{} bytes in {:.1} s",
                self.received_bytes,
                self.elapsed.as_secs_f32()
            ),
            BucketOutcome::Stored => f.write_str("fetched earlier"),
            BucketOutcome::InDirectory => f.write_str("found"),
            BucketOutcome::Absent => f.write_str("the bucket does not have it"),
            BucketOutcome::Offline => {
                f.write_str("not fetched earlier, and the bucket is not asked")
            }
            BucketOutcome::LeftOut => f.write_str("not asked for: too few samples need it"),
            BucketOutcome::Failed(error) => write!(f, "{error}"),
        }
    }
}
