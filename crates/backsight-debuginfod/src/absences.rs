//! Which servers do not have a file, and since when: the marker beside its place in the cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fault::FetchFault;
use crate::server::Server;

/// The answers of servers that do not have a file, as its marker lists them. A server that is
/// not listed may have it.
#[derive(Debug)]
pub(crate) struct Absences {
    path: PathBuf,
    /// When each server was asked, in seconds since 1970.
    servers: Vec<(u64, String)>,
}

impl Absences {
    /// Reads the marker, without answers older than `absent_for`. A time in the future, from
    /// another clock, does not count.
    pub(crate) fn read(path: PathBuf, absent_for: Duration) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let now = seconds();
        let line = |line: &str| {
            let (time, server) = line.split_once(' ')?;
            let age = now.checked_sub(time.parse().ok()?)?;
            let is_young = age < absent_for.as_secs();
            is_young.then(|| (now.saturating_sub(age), server.to_owned()))
        };
        let servers = text.lines().filter_map(line).collect();
        Self { path, servers }
    }

    /// Whether this server was asked, and did not have it.
    pub(crate) fn has(&self, server: &Server) -> bool {
        let mut servers = self.servers.iter();
        servers.any(|(_, known)| known == server.as_str())
    }

    /// Adds that a server does not have it.
    pub(crate) fn add(&mut self, server: &Server) {
        if !self.has(server) {
            self.servers.push((seconds(), server.as_str().to_owned()));
        }
    }

    /// Writes the marker.
    pub(crate) fn write(&self) -> Result<(), FetchFault> {
        let lines = self.servers.iter();
        let text: String = lines
            .map(|(time, server)| format!("{time} {server}\n"))
            .collect();
        let failed = |error: io::Error| FetchFault::of_cache("create", &self.path, error);
        fs::write(&self.path, text).map_err(failed)
    }

    /// Removes the marker, because a server has the file.
    pub(crate) fn remove(path: &Path) {
        // Usually there is no marker.
        drop(fs::remove_file(path));
    }
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
