//! Whether `/proc` hides the processes of other users.
//!
//! ```text
//! 22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw,gid=4,hidepid=invisible
//! └ mount, …   └ where  └ options           └ type    └ the file system's options
//! ```

use super::finding::Finding;
use super::inspected_proc::{Capability, InspectedProc};

pub(super) fn check(host: &InspectedProc) -> Finding {
    let mounts = host.read("self/mountinfo").unwrap_or_default();
    match option(&mounts) {
        None => Finding::ok("/proc hides no process"),
        Some(how) if host.may(Capability::SysPtrace) => Finding::ok(format!(
            "/proc is mounted with hidepid={how}; with CAP_SYS_PTRACE nothing is hidden"
        )),
        Some(how) => Finding::limited(
            format!(
                "/proc is mounted with hidepid={how}: processes of other users seem not to exist"
            ),
            "run as their user or as root; a group can be excepted by mounting with gid=GROUP",
        ),
    }
}

/// Returns the `hidepid` option of `/proc`; `None` if it hides no processes.
fn option(mountinfo: &str) -> Option<&str> {
    // The last mount hides earlier ones.
    let proc = mountinfo.lines().rev().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let is_proc = mount.split(' ').nth(4) == Some("/proc");
        is_proc.then(|| system.rsplit(' ').next())?
    })?;
    let how = proc
        .split(',')
        .find_map(|option| option.strip_prefix("hidepid="))?;
    (!["0", "off"].contains(&how)).then_some(how)
}

#[cfg(test)]
mod tests {
    use super::option;

    #[test]
    fn the_topmost_mount_counts() {
        let plain = "22 27 0:21 / /proc rw,relatime - proc proc rw\n";
        let hiding =
            "90 22 0:50 / /proc rw,relatime shared:5 - proc proc rw,gid=4,hidepid=invisible\n";
        let number = "90 22 0:50 / /proc rw - proc none rw,hidepid=2\n";
        let other = "91 22 0:51 / /mnt rw - proc proc rw,hidepid=invisible\n";
        let off = "90 22 0:50 / /proc rw - proc proc rw,hidepid=off\n";
        let cases = [
            ("nothing", String::new(), None),
            ("plain", plain.to_owned(), None),
            ("hiding", format!("{plain}{hiding}"), Some("invisible")),
            ("below", format!("{hiding}{plain}"), None),
            ("an old kernel's", number.to_owned(), Some("2")),
            ("elsewhere", format!("{plain}{other}"), None),
            ("off", off.to_owned(), None),
            ("torn", "90 22".to_owned(), None),
        ];
        for (name, text, want) in cases {
            assert_eq!(option(&text), want, "{name}");
        }
    }
}
