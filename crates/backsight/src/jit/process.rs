//! When a process began.

use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::unistd::{SysconfVar, sysconf};

/// When a process and the recording of it were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// The process began no earlier.
    pub(crate) began: Option<SystemTime>,
    /// The recording had ended.
    pub(crate) recorded: Option<SystemTime>,
}

/// Returns when a process began, to the second.
pub(crate) fn began(proc_root: &Path, pid: u32) -> Option<SystemTime> {
    let stat = std::fs::read(proc_root.join(pid.to_string()).join("stat")).ok()?;
    // The name may have spaces and parentheses in it.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
    // The 22nd field; the first behind the name is the third.
    let ticks: u64 = rest.split_whitespace().nth(19)?.parse().ok()?;
    let a_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let since_boot = ticks.checked_div(u64::try_from(a_second).ok()?)?;
    let stat = std::fs::read_to_string(proc_root.join("stat")).ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds = since_boot.checked_add(boot.trim().parse().ok()?)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
