//! What several checks share: `/proc`, and the status of this process.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::finding::Finding;

/// Numbers as in `capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capability {
    SysPtrace = 19,
    SysAdmin = 21,
    Syslog = 34,
    Perfmon = 38,
}

/// The `/proc` that the checks read.
#[derive(Debug)]
pub(super) struct InspectedProc {
    proc: PathBuf,
    status: Status,
    /// In another user namespace than the first one, capabilities do not count for what the kernel
    /// guards as a whole, such as perf events and its list of symbols (user_namespaces(7)).
    is_in_first_namespace: bool,
}

/// The fields of `/proc/self/status` that the checks use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// `CapEff`, a bit for each [`Capability`].
    pub(super) capabilities: u64,
    /// `Seccomp`: 0 is none, 1 strict, 2 a filter.
    pub(super) seccomp: u32,
}

impl InspectedProc {
    /// Returns the host that this process runs on.
    pub(super) fn this() -> Self {
        Self::new("/proc")
    }

    /// Returns a host with this directory as `/proc`.
    pub(super) fn new(proc: impl Into<PathBuf>) -> Self {
        let proc = proc.into();
        // Read as bytes: it starts with the name of this process, which may be any bytes.
        let status = fs::read(proc.join("self/status")).unwrap_or_default();
        let status = Status::parse(&String::from_utf8_lossy(&status));
        let users = fs::read_to_string(proc.join("self/uid_map"));
        Self {
            proc,
            status,
            is_in_first_namespace: users.map_or(true, |map| maps_each_user_to_itself(&map)),
        }
    }

    pub(super) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.proc.join(below)
    }

    /// Reads a small file below `/proc`, and trims blanks.
    pub(super) fn read(&self, below: &str) -> Option<String> {
        let text = fs::read(self.path(below)).ok()?;
        Some(String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Reads a file that contains a number.
    pub(super) fn number(&self, below: &str) -> Option<i64> {
        self.read(below)?.parse().ok()
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Whether this process has a capability in the first user namespace.
    pub(super) fn may(&self, capability: Capability) -> bool {
        self.is_in_first_namespace && self.status.capabilities & (1 << (capability as u32)) != 0
    }
}

/// Whether a map of users is that of the first user namespace: one line of all 2^32 - 1 users.
fn maps_each_user_to_itself(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

impl Status {
    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))
        };
        let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
        Self {
            capabilities: field("CapEff").and_then(hex).unwrap_or_default(),
            seccomp: field("Seccomp")
                .and_then(|digits| digits.parse().ok())
                .unwrap_or_default(),
        }
    }
}

/// The user and capabilities of this process. Always ok: an ordinary user is not a fault.
pub(super) fn user(host: &InspectedProc) -> Finding {
    let named = [
        (Capability::SysPtrace, "CAP_SYS_PTRACE"),
        (Capability::SysAdmin, "CAP_SYS_ADMIN"),
        (Capability::Syslog, "CAP_SYSLOG"),
        (Capability::Perfmon, "CAP_PERFMON"),
    ];
    let held: Vec<&str> = named
        .iter()
        .filter(|(capability, _)| host.may(*capability))
        .map(|(_, name)| *name)
        .collect();
    let held = match held.is_empty() {
        _ if !host.is_in_first_namespace => {
            "no capabilities outside of this user namespace".to_owned()
        }
        true => "none of the capabilities that matter here".to_owned(),
        false => held.join(", "),
    };
    Finding::ok(format!("user {}, with {held}", geteuid()))
}

#[cfg(test)]
mod tests {
    use super::{Capability, InspectedProc, Status};

    #[test]
    fn the_status_file_tells_capabilities_and_filters() {
        let text = "Name:\tSeccomp\nCapEff:\t000001fffeffffff\nSeccomp:\t2\nSeccomp_filters:\t7\n";
        let status = Status::parse(text);
        assert_eq!(status.capabilities, 0x1ff_feff_ffff);
        assert_eq!(status.seccomp, 2);
        assert_eq!(Status::parse(""), Status::default());
    }

    #[test]
    fn a_capability_is_a_bit() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("self")).unwrap();
        let status = dir.path().join("self/status");
        std::fs::write(status, "CapEff:\t0000000000080000\n").unwrap();
        let host = InspectedProc::new(dir.path());
        assert!(host.may(Capability::SysPtrace));
        assert!(!host.may(Capability::SysAdmin));
        let maps = [
            ("         0          0 4294967295\n", true),
            ("         0       1000          1\n", false),
            ("0 0 1\n1 100000 65536\n", false),
        ];
        for (map, may) in maps {
            std::fs::write(dir.path().join("self/uid_map"), map).unwrap();
            let host = InspectedProc::new(dir.path());
            assert_eq!(host.may(Capability::SysPtrace), may, "{map}");
            let said = super::user(&host).found;
            assert_eq!(said.contains("user namespace"), !may, "{said}");
        }
    }
}
