//! Whose processes may be looked at.
//!
//! `/proc/PID/maps` asks for a ptrace read, `PTRACE_MODE_READ`: the same user, or
//! `CAP_SYS_PTRACE`. Where the threads of a process stand asks for an attachment.

use super::finding::Finding;
use super::host::{Capability, Host};

pub(super) fn check(host: &Host) -> Finding {
    if host.may(Capability::SysPtrace) {
        return Finding::ok("processes of every user");
    }
    if host.may(Capability::Perfmon) {
        return Finding::limited(
            "the memory maps of every user's processes on newer kernels, by CAP_PERFMON; \
             files and threads of this user's alone",
            "run as root or with CAP_SYS_PTRACE for the rest",
        );
    }
    Finding::limited(
        "this user's processes alone, and of these none that is setuid or undumpable",
        "run as the user whose processes they are, as root, or with CAP_SYS_PTRACE",
    )
}
