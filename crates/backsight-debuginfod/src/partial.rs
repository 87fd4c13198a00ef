//! A file on its way into the cache, which a later transfer may go on with.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::fault::FetchFault;
use crate::server::Server;

/// The file of one server, as much of it as is here. What is here of a transfer that failed
/// is kept, and the next one asks for the rest.
#[derive(Debug)]
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    have: u64,
}

impl Partial {
    /// Opens what is here of the file `target` from this server. Servers may have files of one
    /// build ID that differ (in how they are compressed), so each has one of its own.
    pub(crate) fn open(target: &Path, server: &Server) -> Result<Self, FetchFault> {
        let mut hasher = DefaultHasher::new();
        server.hash(&mut hasher);
        let path = target.with_extension(format!("part-{:016x}", hasher.finish()));
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

    /// Returns how much of it is here, in bytes.
    pub(crate) fn have(&self) -> u64 {
        self.have
    }

    /// Begins again.
    pub(crate) fn restart(&mut self) -> Result<(), FetchFault> {
        self.have = 0;
        self.file
            .set_len(0)
            .map_err(|error| self.failed("truncate", error))
    }

    /// Adds the bytes that come next.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), FetchFault> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| self.failed("write", error))?;
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.have = self.have.saturating_add(more);
        Ok(())
    }

    /// Returns what is here, from its start.
    pub(crate) fn rewound(&mut self) -> Result<&File, FetchFault> {
        let rewound = self.file.seek(SeekFrom::Start(0));
        rewound.map_err(|error| self.failed("seek", error))?;
        Ok(&self.file)
    }

    /// Gives it its name: it is complete, and proven.
    pub(crate) fn finish(self, target: &Path) -> Result<(), FetchFault> {
        fs::rename(&self.path, target).map_err(|error| self.failed("rename", error))
    }

    /// Removes it: it is not what was asked for, or nothing came.
    pub(crate) fn remove(self) {
        // Should it stay, the cache is trimmed of it some day.
        drop(fs::remove_file(&self.path));
    }

    pub(crate) fn failed(&self, operation: &'static str, error: io::Error) -> FetchFault {
        FetchFault::of_cache(operation, &self.path, error)
    }
}
