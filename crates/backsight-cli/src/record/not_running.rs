//! Why a process does not run.

use std::fs;
use std::path::{Path, PathBuf};

/// `PF_KTHREAD` of the kernel: a thread of the kernel itself.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Returns why a process does not run: by its state in proc_pid_stat(5), or by that of its cgroup.
pub(super) fn not_running(pid: u32) -> Option<&'static str> {
    let stat = Stat::of(format!("/proc/{pid}").as_ref())?;
    match stat.state {
        'Z' => Some("has ended, and its parent has not waited for it (a zombie)"),
        'T' => Some("is stopped (SIGCONT lets it go on)"),
        't' => Some("is stopped by a tracer, such as a debugger"),
        _ if is_frozen(pid) => Some("is in a frozen cgroup (docker unpause, systemctl thaw)"),
        _ if stat.flags & KERNEL_THREAD != 0 => {
            Some("is a thread of the kernel, which had nothing to do, or may not be recorded")
        }
        _ if all_sleep(pid) => Some("sleeps: --off-cpu records the time that its threads wait"),
        _ => None,
    }
}

/// What proc_pid_stat(5) says of a process or a thread behind its name.
struct Stat {
    state: char,
    parent: u32,
    flags: u32,
}

impl Stat {
    /// Reads that of the process or thread with this folder in `/proc`.
    fn of(folder: &Path) -> Option<Self> {
        let stat = fs::read(folder.join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name may have parentheses and blanks, too.
        let (_, rest) = stat.rsplit_once(") ")?;
        let field = |at: usize| rest.split(' ').nth(at);
        Some(Self {
            state: field(0)?.chars().next()?,
            parent: field(1)?.parse().ok()?,
            flags: field(6)?.parse().ok()?,
        })
    }
}

/// Whether all threads of a process wait for something.
fn all_sleep(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten();
    let mut threads = tasks.filter_map(|task| Stat::of(&task.ok()?.path()));
    threads.all(|stat| matches!(stat.state, 'S' | 'D' | 'I'))
}

/// Returns the parent of a process.
pub(super) fn parent_of(pid: u32) -> Option<u32> {
    Some(Stat::of(format!("/proc/{pid}").as_ref())?.parent)
}

/// Whether the freezer of cgroups has stopped a process, by either version of cgroups.
fn is_frozen(pid: u32) -> bool {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    own.lines().any(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            return false;
        };
        let (kind, file, frozen) = match controllers {
            "" => ("cgroup2", "cgroup.events", "frozen 1"),
            all if all.split(',').any(|it| it == "freezer") => {
                ("cgroup", "freezer.state", "FROZEN")
            }
            _ => return false,
        };
        let Some(mount) = mount_of(&mounts, kind) else {
            return false;
        };
        let file = mount.join(path.trim_start_matches('/')).join(file);
        let state = fs::read_to_string(file).unwrap_or_default();
        state.lines().any(|line| line == frozen)
    })
}

/// Returns where cgroups of this kind are mounted: for version 1, those with the freezer.
fn mount_of(mounts: &str, kind: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = found == kind
            && (kind == "cgroup2" || options.split(',').any(|option| option == "freezer"));
        is_it.then(|| PathBuf::from(place))
    })
}
