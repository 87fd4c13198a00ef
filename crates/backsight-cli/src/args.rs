//! Argument types that several commands share.

use std::path::{Path, PathBuf};

use backsight_types::AbsAddr;
use clap::ValueEnum;

use crate::failure::Failure;
use crate::file::Shown;

/// The format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for reading
    #[default]
    Text,
    /// One JSON object a line (NDJSON); documented, and stable within a schema_version
    Json,
}

/// Whether to do what may be impossible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AutoOrNever {
    /// If possible
    #[default]
    Auto,
    /// Never
    Never,
}

/// How to read the VMAs of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// The ioctl if the kernel supports it, otherwise the text
    #[default]
    Auto,
    /// Only PROCMAP_QUERY (Linux 6.11 and later)
    Ioctl,
    /// Only the text of /proc/PID/maps
    Text,
}

impl From<BackendArg> for vma_query::Backend {
    fn from(backend: BackendArg) -> Self {
        match backend {
            BackendArg::Auto => Self::Auto,
            BackendArg::Ioctl => Self::Ioctl,
            BackendArg::Text => Self::Text,
        }
    }
}

/// Returns the name of a backend in the NDJSON header.
pub(crate) fn backend_name(backend: vma_query::Backend) -> Option<&'static str> {
    match backend {
        vma_query::Backend::Ioctl => Some("ioctl"),
        vma_query::Backend::Text => Some("text"),
        // Not chosen yet, or one that the header has no name for.
        _ => None,
    }
}

/// Parses an address for clap: hexadecimal, `0x` optional.
pub(crate) fn parse_addr(text: &str) -> Result<AbsAddr, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Parses a process ID for clap.
pub(crate) fn parse_pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| (1..=MAX_PID).contains(pid));
    pid.ok_or_else(|| "a process ID is a number from 1 to 2147483647".to_owned())
}

/// Process IDs in one argument: `1`, `1,2`, or `"$(pidof name)"` separated by blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pids(pub(crate) Vec<u32>);

/// Parses one or several process IDs for clap.
pub(crate) fn parse_pids(text: &str) -> Result<Pids, String> {
    let words = text.split([',', ' ', '\t', '\n']);
    let pids: Result<Vec<u32>, String> = words
        .filter(|word| !word.is_empty())
        .map(parse_pid)
        .collect();
    match pids?.as_slice() {
        [] => parse_pid(text).map(|pid| Pids(vec![pid])),
        pids => Ok(Pids(pids.to_vec())),
    }
}

/// Returns the process IDs of all arguments in order, without duplicates.
pub(crate) fn all_pids(lists: &[Pids]) -> Vec<u32> {
    let mut all = Vec::new();
    for pid in lists.iter().flat_map(|Pids(pids)| pids) {
        if !all.contains(pid) {
            all.push(*pid);
        }
    }
    all
}

/// Parses a size for clap: a number of bytes, or a number followed by K, M, G or T for KiB, MiB,
/// GiB or TiB.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let unit = text
        .chars()
        .last()
        .and_then(|last| match last.to_ascii_uppercase() {
            'K' => Some(10),
            'M' => Some(20),
            'G' => Some(30),
            'T' => Some(40),
            _ => None,
        });
    let digits = unit.map_or(text, |_| &text[..text.len() - 1]);
    let number: Option<u64> = digits.parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(1 << unit.unwrap_or(0)));
    bytes.ok_or_else(|| "a size is a number of bytes, for example 500M or 4G".to_owned())
}

/// Parses a part of the whole, in percent.
pub(crate) fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok();
    let percent = number.filter(|number| (0.0..=100.0).contains(number));
    percent.ok_or_else(|| "a number from 0 to 100".to_owned())
}

/// Returns the directory of the kernel whose processes are in `--proc-root`.
pub(crate) fn kernel_root_of(proc_root: Option<&Path>) -> PathBuf {
    let root = match proc_root {
        None => Path::new("/"),
        Some(proc) => proc.parent().unwrap_or(Path::new("/")),
    };
    root.to_owned()
}

/// Checks that `--proc-root` is a directory. Otherwise every process would be reported as
/// missing.
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

#[cfg(test)]
mod tests {
    use super::{Pids, all_pids, parse_pids, parse_size};

    #[test]
    fn processes_are_listed_with_commas_or_blanks() {
        let cases = [
            ("7", Some(vec![7])),
            ("1,2", Some(vec![1, 2])),
            ("3 2 1\n", Some(vec![3, 2, 1])),
            ("1,,2", Some(vec![1, 2])),
            ("", None),
            (",", None),
            ("1,x", None),
            ("0", None),
            ("-1", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_pids(text).ok(), want.map(Pids), "{text:?}");
        }
        let lists = [Pids(vec![3, 1]), Pids(vec![1, 2])];
        assert_eq!(all_pids(&lists), [3, 1, 2]);
    }

    #[test]
    fn sizes_have_units() {
        let cases = [
            ("0", Ok(0)),
            ("123", Ok(123)),
            ("2k", Ok(2048)),
            ("500M", Ok(500 << 20)),
            ("4G", Ok(4 << 30)),
            ("1t", Ok(1 << 40)),
        ];
        for (text, want) in cases {
            assert_eq!(parse_size(text), want, "{text}");
        }
        for text in ["", "G", "-1", "1.5G", "4GB", "99999999999G", "é"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
