//! The flags for what is kept of fetched files.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::args::parse_size;

/// What is kept of fetched files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FetchCache {
    /// Use only what was fetched earlier, and ask no server and no bucket
    #[arg(long, requires = "fetchers")]
    pub(crate) offline: bool,

    /// Where fetched files are kept; those of buckets in its subdirectory `buckets` [default:
    /// backsight/debuginfod and backsight/buckets in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR", requires = "fetchers")]
    cache_dir: Option<PathBuf>,

    /// The total size of the fetched files, of servers and of buckets each; the least recently
    /// used ones are removed first
    #[arg(long, value_name = "BYTES", default_value = "8G", value_parser = parse_size)]
    #[arg(requires = "fetchers")]
    pub(crate) cache_size: u64,

    /// A larger file is not fetched [default: 4G; of debuginfod servers, DEBUGINFOD_MAXSIZE if
    /// that is set]
    #[arg(long, value_name = "BYTES", value_parser = parse_size, requires = "fetchers")]
    max_fetched: Option<u64>,
}

/// The variable for the largest file that a server may send, in bytes; elfutils' client has it,
/// too. 0 is no limit.
const MAX_SIZE_VARIABLE: &str = "DEBUGINFOD_MAXSIZE";

/// The variable for the seconds in which a server must send 100 KB, and a bucket anything, which
/// elfutils' client has for servers. 0 is no limit.
const TIMEOUT_VARIABLE: &str = "DEBUGINFOD_TIMEOUT";

/// The same for the seconds that a file may take.
const MAX_TIME_VARIABLE: &str = "DEBUGINFOD_MAXTIME";

/// No limit: longer than anybody waits.
const NO_TIME_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long servers and buckets are waited for, as variables say; `None` for the defaults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerTimes {
    pub(crate) stall: Option<Duration>,
    pub(crate) file: Option<Duration>,
}

impl ServerTimes {
    /// Reads the variables.
    pub(crate) fn of_environment() -> Result<Self, String> {
        Ok(Self {
            stall: seconds_in(TIMEOUT_VARIABLE)?,
            file: seconds_in(MAX_TIME_VARIABLE)?,
        })
    }
}

fn seconds_in(variable: &str) -> Result<Option<Duration>, String> {
    match env::var(variable).unwrap_or_default().trim() {
        "" => Ok(None),
        text => match text.parse::<u32>() {
            Ok(0) => Ok(Some(NO_TIME_LIMIT)),
            Ok(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
            Err(_) => Err(format!("{variable}: {text:?} is not a number of seconds")),
        },
    }
}

impl FetchCache {
    /// Returns the size of the largest file to receive from a server; `None` for the default.
    pub(crate) fn largest_of_servers(&self) -> Result<Option<u64>, String> {
        if self.max_fetched.is_some() {
            return Ok(self.max_fetched);
        }
        match env::var(MAX_SIZE_VARIABLE).unwrap_or_default().trim() {
            "" => Ok(None),
            text => match text.parse() {
                Ok(0) => Ok(Some(u64::MAX)),
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => Err(format!(
                    "{MAX_SIZE_VARIABLE}: {text:?} is not a number of bytes"
                )),
            },
        }
    }

    /// Returns the size of the largest file to receive from a bucket; `None` for the default.
    pub(crate) fn largest_of_buckets(&self) -> Option<u64> {
        self.max_fetched
    }

    /// Returns where files of debuginfod servers are kept.
    pub(crate) fn of_servers(&self) -> Result<PathBuf, String> {
        match &self.cache_dir {
            Some(dir) => Ok(dir.clone()),
            None => user_cache("debuginfod"),
        }
    }

    /// Returns where files of buckets are kept. A directory that `--cache-dir` names is that of
    /// the servers, which is laid out otherwise.
    pub(crate) fn of_buckets(&self) -> Result<PathBuf, String> {
        match &self.cache_dir {
            Some(dir) => Ok(dir.join("buckets")),
            None => user_cache("buckets"),
        }
    }
}

fn user_cache(name: &str) -> Result<PathBuf, String> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cause = "neither XDG_CACHE_HOME nor HOME is set: give --cache-dir";
    let cache = cache.ok_or_else(|| cause.to_owned())?;
    Ok(cache.join("backsight").join(name))
}
