//! Who is told how far transfers are.

use std::fmt::Debug;

use backsight_types::BuildId;

use crate::file_kind::FileKind;
use crate::server::Server;
use crate::transfer::Transfer;

/// Is told how far transfers are, from several threads at once.
pub trait Progress: Debug + Send + Sync {
    /// A file is on its way. Told before the first byte, and after each part of at most
    /// 64 KiB.
    fn advanced(&self, ongoing: &Ongoing<'_>);

    /// A file that was asked for came, or did not.
    fn ended(&self, transfer: &Transfer);
}

/// A file on its way.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ongoing<'o> {
    /// The build ID.
    pub build_id: &'o BuildId,
    /// Which file of it.
    pub kind: FileKind,
    /// Who sends it.
    pub server: &'o Server,
    /// Bytes of the file that are here.
    pub received_bytes: u64,
    /// Its length, where the server announced it.
    pub announced_bytes: Option<u64>,
}
