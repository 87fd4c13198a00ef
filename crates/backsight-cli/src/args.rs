//! Options that several commands have.

use std::path::Path;

use backsight_types::AbsAddr;
use clap::ValueEnum;

use crate::failure::Failure;
use crate::file::Shown;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object a line (NDJSON); documented, and stable within a schema_version
    Json,
}

/// How the VMAs of a process are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The ioctl where the kernel knows it, else the text
    #[default]
    Auto,
    /// PROCMAP_QUERY alone (Linux 6.11 and later)
    Ioctl,
    /// The text of /proc/PID/maps alone
    Text,
}

impl From<Backend> for vma_query::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => Self::Auto,
            Backend::Ioctl => Self::Ioctl,
            Backend::Text => Self::Text,
        }
    }
}

/// Names a backend as the NDJSON header does.
pub(crate) fn backend_name(backend: vma_query::Backend) -> Option<&'static str> {
    match backend {
        vma_query::Backend::Ioctl => Some("ioctl"),
        vma_query::Backend::Text => Some("text"),
        vma_query::Backend::Auto => None,
    }
}

/// For clap: hexadecimal, `0x` optional.
pub(crate) fn parse_addr(text: &str) -> Result<AbsAddr, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// For clap: a process ID.
pub(crate) fn parse_pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| (1..=MAX_PID).contains(pid));
    pid.ok_or_else(|| "a process ID is a number from 1 to 2147483647".to_owned())
}

/// Returns whether processes can be looked for in a folder at all. One that is not
/// there would make every process look absent.
pub(crate) fn check_proc_root(proc_root: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = proc_root else {
        return Ok(());
    };
    let what = format!("--proc-root {}", Shown(path));
    let metadata = path.metadata();
    match metadata
        .map_err(|error| Failure::io(&what, &error))?
        .is_dir()
    {
        true => Ok(()),
        false => Err(Failure::of(what, "not a directory: name a mounted /proc")),
    }
}

const MAX_PID: u32 = i32::MAX.unsigned_abs();
