//! The result of the request of a file.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backsight_types::BuildId;

use crate::fault::FetchFault;
use crate::file_kind::FileKind;
use crate::server::Server;

/// The result of all requests of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// The build ID.
    pub build_id: BuildId,
    /// The kind of file.
    pub kind: FileKind,
    /// The path of a source file.
    pub source: Option<Arc<str>>,
    /// The bytes received over the network for it, also in failed attempts.
    pub received_bytes: u64,
    /// The number of HTTP requests for it.
    pub requests: u32,
    /// The time that it took, including waits for other transfers.
    pub elapsed: Duration,
    /// The outcome.
    pub outcome: TransferOutcome,
}

/// The outcome of the request of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferOutcome {
    /// This server sent it, and it is in the cache now.
    Fetched(Server),
    /// It was in the cache.
    Cached,
    /// No server has it. It is requested again after
    /// [`Options::absent_for`](crate::Options::absent_for).
    Absent,
    /// None of these servers had it within [`Options::absent_for`](crate::Options::absent_for), so
    /// it was not requested.
    KnownAbsent,
    /// It is not in the cache, and [`Options::offline`](crate::Options::offline) is set.
    Offline,
    /// Its module is not among those to request
    /// ([`Client::ask_only_for`](crate::Client::ask_only_for)), because its share of the
    /// profile is too small.
    LeftOut,
    /// It could not be fetched, with the error of the last server.
    Failed(Option<Server>, FetchFault),
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.build_id)?;
        if let Some(path) = &self.source {
            write!(f, " {path}")?;
        }
        f.write_str(": ")?;
        match &self.outcome {
            TransferOutcome::Fetched(server) => write!(
                f,
                "{} bytes from {server} in {:.1} s",
                self.received_bytes,
                self.elapsed.as_secs_f32()
            ),
            TransferOutcome::Cached => f.write_str("from the cache"),
            TransferOutcome::Absent => f.write_str("no server has it"),
            TransferOutcome::KnownAbsent => f.write_str("not requested: no server had it recently"),
            TransferOutcome::Offline => f.write_str("not in the cache, and servers are not used"),
            TransferOutcome::LeftOut => f.write_str("not requested: too few samples need it"),
            TransferOutcome::Failed(Some(server), fault) => write!(f, "{server}: {fault}"),
            TransferOutcome::Failed(None, fault) => write!(f, "{fault}"),
        }
    }
}
