//! How much memory is available.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};

/// Returns the number of bytes that can be allocated without swapping: the minimum of the
/// kernel's `MemAvailable`, what this process's control groups leave of their limits, and what
/// `ulimit -v` leaves. `None` if `/proc/meminfo` cannot be read.
pub(crate) fn available() -> Option<u64> {
    let machine = of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = group_dirs(&groups, Path::new("/sys/fs/cgroup"));
    let groups = groups.iter().filter_map(|dir| of_group(dir));
    Some(groups.chain(of_process()).fold(machine, u64::min))
}

/// Returns `MemAvailable` of `/proc/meminfo` (proc_meminfo(5)), in bytes.
fn of_machine(meminfo: &str) -> Option<u64> {
    let kib = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = kib.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Returns what `ulimit -v` leaves besides the memory that is mapped already.
fn of_process() -> Option<u64> {
    let (most, _) = getrlimit(Resource::RLIMIT_AS).ok()?;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    // RLIM_INFINITY is the largest number, so it does not lower the minimum.
    Some(most.saturating_sub(pages.saturating_mul(4096)))
}

/// Returns the directories of the control groups that limit a process with this
/// `/proc/self/cgroup`: its own group and the enclosing ones, of both versions (cgroups(7)).
/// Inside a container, the path may be that of the host although the container's own group is
/// mounted, so all prefixes are tried.
fn group_dirs(groups: &str, mounted: &Path) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let roots = if controllers.is_empty() {
            vec![mounted.to_owned(), mounted.join("unified")]
        } else if controllers.split(',').any(|name| name == "memory") {
            vec![mounted.join(controllers), mounted.join("memory")]
        } else {
            continue;
        };
        for root in roots {
            let around = Path::new(path).ancestors();
            let inside = around.filter_map(|path| path.strip_prefix("/").ok());
            dirs.extend(inside.map(|path| root.join(path)));
        }
    }
    dirs
}

/// Returns what one group leaves of its limit; `None` if it has no limit or does not exist. Page
/// cache does not count as used, because the kernel can reclaim it.
fn of_group(dir: &Path) -> Option<u64> {
    let read = |name| fs::read_to_string(dir.join(name)).ok();
    let number = |name| read(name)?.trim().parse::<u64>().ok();
    let (most, used, prefix) = match number("memory.max") {
        Some(most) => (most, number("memory.current"), ""),
        None => (
            number("memory.limit_in_bytes")?,
            number("memory.usage_in_bytes"),
            "total_",
        ),
    };
    let stat = read("memory.stat").unwrap_or_default();
    let pages_of_files = stat.lines().filter_map(|line| {
        let (name, bytes) = line.strip_prefix(prefix)?.split_once(' ')?;
        let counts = matches!(name, "active_file" | "inactive_file");
        counts.then(|| bytes.parse::<u64>().ok()).flatten()
    });
    let reclaimable = pages_of_files.fold(0, u64::saturating_add);
    let used = used.unwrap_or(0).saturating_sub(reclaimable);
    Some(most.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{available, group_dirs, of_group, of_machine};

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let text = "MemTotal:       24684368 kB\nMemAvailable:   24149392 kB\nBuffers: 1 kB\n";
        assert_eq!(of_machine(text), Some(24_149_392 * 1024));
        for text in [
            "",
            "MemFree: 3 kB\n",
            "MemAvailable: x kB\n",
            "MemAvailable: 3\n",
        ] {
            assert_eq!(of_machine(text), None, "{text}");
        }
        assert!(available().expect("this is Linux") > 0);
    }

    #[test]
    fn all_enclosing_groups_count() {
        let of = |text| group_dirs(text, Path::new("/cg"));
        let paths = |dirs: &[&str]| dirs.iter().map(PathBuf::from).collect::<Vec<_>>();
        let v2 = [
            "/cg/a/b",
            "/cg/a",
            "/cg",
            "/cg/unified/a/b",
            "/cg/unified/a",
            "/cg/unified",
        ];
        assert_eq!(of("0::/a/b\n").len(), v2.len());
        for (got, want) in of("0::/a/b\n").iter().zip(paths(&v2)) {
            assert_eq!(*got, want);
        }
        let v1 = of("5:devices:/x\n4:memory:/a\n");
        let want = paths(&["/cg/memory/a", "/cg/memory", "/cg/memory/a", "/cg/memory"]);
        assert_eq!(v1, want);
        assert!(of("nothing\n").is_empty());
    }

    #[test]
    fn a_group_leaves_what_it_does_not_use() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(of_group(dir.path()), None);
        write("memory.limit_in_bytes", "1000\n");
        write("memory.usage_in_bytes", "800\n");
        write(
            "memory.stat",
            "inactive_file 1\ntotal_inactive_file 300\ntotal_cache 900\n",
        );
        assert_eq!(of_group(dir.path()), Some(500));
        write("memory.max", "max\n");
        assert_eq!(of_group(dir.path()), Some(500), "no limit of version 2");
        write("memory.max", "5000\n");
        write("memory.current", "4900\n");
        write(
            "memory.stat",
            "anon 7\nactive_file 100\ninactive_file 200\n",
        );
        assert_eq!(of_group(dir.path()), Some(400));
        write("memory.current", "9999\n");
        assert_eq!(of_group(dir.path()), Some(0), "beyond its limit");
    }
}
