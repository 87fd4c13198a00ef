//! What came of one file that was asked for.

use std::fmt;
use std::time::Duration;

use backsight_types::BuildId;

use crate::fault::FetchFault;
use crate::file_kind::FileKind;
use crate::server::Server;

/// What came of one file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// The build ID.
    pub build_id: BuildId,
    /// Which file of it.
    pub kind: FileKind,
    /// Bytes that came over the network for it, also where it failed.
    pub received_bytes: u64,
    /// Requests that were made for it.
    pub requests: u32,
    /// How long it took, waiting for other transfers included.
    pub elapsed: Duration,
    /// What came of it.
    pub outcome: TransferOutcome,
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferOutcome {
    /// This server sent it, and it is in the cache now.
    Fetched(Server),
    /// It was in the cache.
    Cached,
    /// No server has it. They are asked again after
    /// [`Options::absent_for`](crate::Options::absent_for).
    Absent,
    /// No server had it a while ago, and none was asked.
    KnownAbsent,
    /// It is not in the cache, and [`Options::offline`](crate::Options::offline) is set.
    Offline,
    /// Its module has a smaller share of the profile than is worth a request
    /// ([`Client::ask_only_for`](crate::Client::ask_only_for)).
    LeftOut,
    /// It could not be had; the last server's reason.
    Failed(Option<Server>, FetchFault),
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.kind, self.build_id)?;
        match &self.outcome {
            TransferOutcome::Fetched(server) => write!(
                f,
                "{} bytes from {server} in {:.1} s",
                self.received_bytes,
                self.elapsed.as_secs_f32()
            ),
            TransferOutcome::Cached => f.write_str("from the cache"),
            TransferOutcome::Absent => f.write_str("no server has it"),
            TransferOutcome::KnownAbsent => f.write_str("no server had it a while ago"),
            TransferOutcome::Offline => f.write_str("not in the cache, and no server is asked"),
            TransferOutcome::LeftOut => f.write_str("left out, as few samples want it"),
            TransferOutcome::Failed(Some(server), fault) => write!(f, "{server}: {fault}"),
            TransferOutcome::Failed(None, fault) => write!(f, "{fault}"),
        }
    }
}
