//! The kernel's version.

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

/// The first version with `PROCMAP_QUERY`.
const FIRST_WITH_IOCTL: (u32, u32) = (6, 11);

pub(super) fn check(host: &InspectedProc) -> Finding {
    match host.read("sys/kernel/osrelease") {
        Some(release) => of_release(&release),
        None => Finding::missing(
            "/proc/sys/kernel/osrelease cannot be read",
            "mount /proc: mount -t proc proc /proc",
        ),
    }
}

fn of_release(release: &str) -> Finding {
    let found = format!("Linux {release}");
    match version(release) {
        Some(version) if version >= FIRST_WITH_IOCTL => Finding::ok(found),
        _ => Finding::limited(
            found,
            "PROCMAP_QUERY came with Linux 6.11; on older kernels the text of /proc/PID/maps is read: \
             the answers are the same, but take longer",
        ),
    }
}

/// Whether the version is too old for `PROCMAP_QUERY`.
pub(super) fn is_old(host: &InspectedProc) -> bool {
    let release = host.read("sys/kernel/osrelease").unwrap_or_default();
    version(&release).is_some_and(|version| version < FIRST_WITH_IOCTL)
}

/// Parses a release such as `6.18.44-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::of_release;

    #[test]
    fn the_ioctl_came_with_6_11() {
        let cases = [
            ("6.18.44-amd64", State::Ok),
            ("6.11.0-rc1", State::Ok),
            ("7.0", State::Ok),
            ("6.9.1", State::Limited),
            ("5.15.0-91-generic", State::Limited),
            ("4.4.0", State::Limited), // gVisor says so whatever it can do
            ("", State::Limited),
            ("unknown", State::Limited),
        ];
        for (release, want) in cases {
            assert_eq!(of_release(release).state, want, "{release}");
        }
    }
}
