//! A process that lives: when it began, what it is called in its own namespace, whose it is.

use std::path::{Path, PathBuf};
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

/// What `/proc` says of a process, as far as its list of names is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveProcess {
    /// Its root directory.
    pub(crate) root: PathBuf,
    /// Its number in its own namespace, by which it calls its list.
    pub(crate) pid: u32,
    /// Its user.
    pub(crate) user: u32,
    /// When it began.
    pub(crate) began: Option<SystemTime>,
}

impl LiveProcess {
    /// Asks about a process; `None` when it is gone.
    pub(crate) fn of(proc_root: &Path, pid: u32) -> Option<Self> {
        let folder = proc_root.join(pid.to_string());
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let field = |name: &str| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        // The last one is of the innermost namespace; kernels before 4.1 do not say.
        let inner = field("NSpid").and_then(|all| all.split_whitespace().next_back());
        let user = field("Uid")?.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self {
            root: folder.join("root"),
            pid: inner.and_then(|pid| pid.parse().ok()).unwrap_or(pid),
            user,
            began: began(proc_root, pid),
        })
    }

    /// Returns what it calls its list of names.
    pub(crate) fn map_name(&self) -> PathBuf {
        PathBuf::from(format!("perf-{}.map", self.pid))
    }
}

/// Returns when a process began, to the second.
pub(crate) fn began(proc_root: &Path, pid: u32) -> Option<SystemTime> {
    let stat = std::fs::read(proc_root.join(pid.to_string()).join("stat")).ok()?;
    let ticks = vma_query::start_ticks(&stat)?;
    let a_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let since_boot = ticks.checked_div(u64::try_from(a_second).ok()?)?;
    let stat = std::fs::read_to_string(proc_root.join("stat")).ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds = since_boot.checked_add(boot.trim().parse().ok()?)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
