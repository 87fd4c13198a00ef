//! A partly received file, which a later transfer can continue.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cache::PART;
use crate::fault::FetchFault;
use crate::server::Server;

/// The received part of a file of one server. After a failed transfer it is kept, and the
/// next transfer requests the rest.
#[derive(Debug)]
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    have: u64,
}

impl Partial {
    /// Opens the part of the file `target` from this server. Files with the same build ID
    /// may differ between servers (by compression), so each server has its own part.
    pub(crate) fn open(target: &Path, server: &Server) -> Result<Self, FetchFault> {
        let mut hasher = DefaultHasher::new();
        server.hash(&mut hasher);
        let path = target.with_extension(format!("{PART}{:016x}", hasher.finish()));
        let opened = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((have, file)) => Ok(Self { file, path, have }),
            Err(error) => Err(FetchFault::of_cache("create", &path, error)),
        }
    }

    /// Returns the size of the received part in bytes.
    pub(crate) fn have(&self) -> u64 {
        self.have
    }

    /// Discards the received part.
    pub(crate) fn restart(&mut self) -> Result<(), FetchFault> {
        self.have = 0;
        self.file
            .set_len(0)
            .map_err(|error| self.failed("truncate", error))
    }

    /// Appends received bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), FetchFault> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| self.failed("write", error))?;
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.have = self.have.saturating_add(more);
        Ok(())
    }

    /// Returns the file, positioned at its start.
    pub(crate) fn rewound(&mut self) -> Result<&File, FetchFault> {
        let rewound = self.file.seek(SeekFrom::Start(0));
        rewound.map_err(|error| self.failed("seek", error))?;
        Ok(&self.file)
    }

    /// Renames it to its final name, after it is complete and verified.
    pub(crate) fn finish(self, target: &Path) -> Result<(), FetchFault> {
        fs::rename(&self.path, target).map_err(|error| self.failed("rename", error))
    }

    /// Removes it, because it is not the requested file or nothing was received.
    pub(crate) fn remove(self) {
        // If this fails, a later trim of the cache removes it.
        drop(fs::remove_file(&self.path));
    }

    pub(crate) fn failed(&self, operation: &'static str, error: io::Error) -> FetchFault {
        FetchFault::of_cache(operation, &self.path, error)
    }
}
