//! Which servers are asked, and how much of them is borne.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::progress::Progress;
use crate::server::Server;

/// Which servers are asked, and how much of them is borne. The defaults are those of
/// elfutils' client where it has one (debuginfod-client-config(7)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Asked in this order. Default: none.
    pub servers: Vec<Server>,
    /// Where files are kept: made when it is missing. Others must not be able to write to it.
    pub cache_dir: PathBuf,
    /// Bytes of files in the cache. Those that were not used for longest are removed when
    /// a new one exceeds it. Default: 8 GiB.
    pub cache_bytes: u64,
    /// Whether no server is asked. Default: false.
    pub offline: bool,
    /// The time for a connection. Default: 10 s.
    pub connect_time: Duration,
    /// The time for one file, from its first byte to its last. Default: 15 min.
    pub file_time: Duration,
    /// At least so many bytes must come in each [`stall_time`](Self::stall_time). Default:
    /// 100 KiB.
    pub stall_bytes: u64,
    /// The longest wait for an answer, in which a server may have to unpack a package, and
    /// for [`stall_bytes`](Self::stall_bytes) after it. Default: 90 s.
    pub stall_time: Duration,
    /// Bytes of one file. Default: 4 GiB.
    pub file_bytes: u64,
    /// Bytes of all files that one client fetches. Default: 16 GiB.
    pub total_bytes: u64,
    /// Transfers at once. Default: 4.
    pub transfers_at_once: usize,
    /// How long a server is not asked again for what it did not have. Default: 10 min.
    pub absent_for: Duration,
    /// How often an answer may lead to another address. From `https` it never leads to
    /// `http`. Default: 5.
    pub redirects: u32,
    /// After so many failures of a server in a row, it is asked no more. Default: 3.
    pub server_failures: u32,
    /// Who is told how far transfers are. Default: nobody.
    pub progress: Option<Arc<dyn Progress>>,
}

impl Options {
    /// The defaults, without a server.
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

    /// Sets the servers, in the order in which they are asked.
    #[must_use]
    pub fn with_servers(self, servers: Vec<Server>) -> Self {
        Self { servers, ..self }
    }

    /// Sets whether no server is asked.
    #[must_use]
    pub fn with_offline(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// Sets who is told how far transfers are.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn Progress>) -> Self {
        Self {
            progress: Some(progress),
            ..self
        }
    }
}
