//! Callbacks for the progress of transfers.

use std::fmt::Debug;

use backsight_types::BuildId;

use crate::file_kind::FileKind;
use crate::server::Server;
use crate::transfer::Transfer;

/// Callbacks for the progress of transfers. Several threads may call them at once.
pub trait Progress: Debug + Send + Sync {
    /// A transfer is running. Called before the first byte, and after each part of at
    /// most 64 KiB.
    fn advanced(&self, ongoing: &Ongoing<'_>);

    /// The request of a file has ended, with or without success.
    fn ended(&self, transfer: &Transfer);
}

/// A running transfer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ongoing<'o> {
    /// The build ID.
    pub build_id: &'o BuildId,
    /// The kind of file.
    pub kind: FileKind,
    /// The server that sends it.
    pub server: &'o Server,
    /// The bytes of the file received so far.
    pub received_bytes: u64,
    /// Its length in bytes, if the server announced it.
    pub announced_bytes: Option<u64>,
}
