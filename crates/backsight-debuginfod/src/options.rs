//! The options of a client: servers and limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::progress::Progress;
use crate::server::Server;

/// The servers, and the limits of transfers. The defaults are those of elfutils' client,
/// if it has one (debuginfod-client-config(7)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The servers, in the order in which they are used. Default: none.
    pub servers: Vec<Server>,
    /// The cache directory, which is created if it does not exist. Other users must not
    /// be able to write to it.
    pub cache_dir: PathBuf,
    /// The maximum size of all files in the cache, in bytes. If a new file exceeds it,
    /// the least recently used ones are removed. Default: 8 GiB.
    pub cache_bytes: u64,
    /// Whether only the cache is used, without requests to servers. Default: false.
    pub offline: bool,
    /// The maximum time to connect. Default: 10 s.
    pub connect_time: Duration,
    /// The maximum time for one file, from its first byte to its last. Default: 15 min.
    pub file_time: Duration,
    /// The minimum number of bytes to receive in each [`stall_time`](Self::stall_time).
    /// Default: 100 KiB.
    pub stall_bytes: u64,
    /// The maximum time to wait for an answer, as a server may have to unpack a package,
    /// and then for each [`stall_bytes`](Self::stall_bytes). Default: 90 s.
    pub stall_time: Duration,
    /// The maximum size of one file in bytes. Default: 4 GiB.
    pub file_bytes: u64,
    /// The maximum number of bytes that one client receives in all. Default: 16 GiB.
    pub total_bytes: u64,
    /// The maximum number of simultaneous transfers. Default: 4.
    pub transfers_at_once: usize,
    /// How long a file is not requested again from a server that did not have it, and by the same
    /// client from one that answered with an error or with another file. Default: 10 min.
    pub absent_for: Duration,
    /// The maximum number of redirects. Redirects from `https` to `http` are never
    /// followed. Default: 5.
    pub redirects: u32,
    /// After this many consecutive failures, a server is no longer used. Default: 3.
    pub server_failures: u32,
    /// A callback for the progress of transfers. Default: none.
    pub progress: Option<Arc<dyn Progress>>,
}

impl Options {
    /// Returns the defaults, without a server.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            servers: Vec::new(),
            cache_dir: cache_dir.into(),
            cache_bytes: 8 << 30,
            offline: false,
            connect_time: Duration::from_secs(10),
            file_time: Duration::from_secs(15 * 60),
            stall_bytes: 100 << 10,
            stall_time: Duration::from_secs(90),
            file_bytes: 4 << 30,
            total_bytes: 16 << 30,
            transfers_at_once: 4,
            absent_for: Duration::from_secs(600),
            redirects: 5,
            server_failures: 3,
            progress: None,
        }
    }

    /// Sets the servers, in the order in which they are used.
    #[must_use]
    pub fn with_servers(self, servers: Vec<Server>) -> Self {
        Self { servers, ..self }
    }

    /// Sets whether only the cache is used.
    #[must_use]
    pub fn with_offline(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// Sets the callback for the progress of transfers.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn Progress>) -> Self {
        Self {
            progress: Some(progress),
            ..self
        }
    }
}
