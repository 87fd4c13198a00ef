//! Which bucket is asked, and the limits on it.

use std::sync::Arc;
use std::time::Duration;

use backsight_store::Store;

use crate::bucket_url::BucketUrl;
use crate::progress::BucketProgress;

/// Which bucket is asked, and the limits on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BucketOptions {
    /// The bucket.
    pub url: BucketUrl,
    /// Settings of the service by the names of the crate `object_store`, such as `region`,
    /// `access_key_id`, `secret_access_key`, `endpoint`, `allow_http` and `skip_signature` of
    /// S3, and `service_account` of Google. Default: none.
    pub settings: Vec<(String, String)>,
    /// Where fetched files are kept. Others must not be able to write to it.
    pub store: Store,
    /// Bytes of files in the store. The least recently used ones are removed when a new one
    /// exceeds it. Default: 8 GiB.
    pub store_bytes: u64,
    /// The time for a connection. Default: 10 s.
    pub connect_time: Duration,
    /// The longest wait for an answer and for each part of it. Default: 90 s.
    pub stall_time: Duration,
    /// The time for one file. Default: 15 min.
    pub file_time: Duration,
    /// Bytes of one file. Default: 4 GiB.
    pub file_bytes: u64,
    /// How often a request is repeated after a failure of the server, unless it took as long as
    /// [`stall_time`](Self::stall_time). Default: 2.
    pub retries: usize,
    /// After this many failures of the server in a row, it is no longer asked. Default: 3.
    pub failures: u32,
    /// Whether only the store is used, without requests. A directory is used as always.
    /// Default: false.
    pub offline: bool,
    /// Is told how far each file is. Default: none.
    pub progress: Option<Arc<dyn BucketProgress>>,
}

impl BucketOptions {
    /// The defaults for a bucket.
    #[must_use]
    pub fn new(url: BucketUrl, store: Store) -> Self {
        Self {
            url,
            settings: Vec::new(),
            store,
            store_bytes: 8 << 30,
            connect_time: Duration::from_secs(10),
            stall_time: Duration::from_secs(90),
            file_time: Duration::from_secs(15 * 60),
            file_bytes: 4 << 30,
            retries: 2,
            failures: 3,
            offline: false,
            progress: None,
        }
    }
}
