//! Which processes may be inspected.
//!
//! Reading `/proc/PID/maps` requires `PTRACE_MODE_READ`: the same user, or `CAP_SYS_PTRACE`.
//! Reading the program counters of threads requires `PTRACE_MODE_ATTACH`.

use super::finding::Finding;
use super::inspected_proc::{Capability, InspectedProc};

pub(super) fn check(host: &InspectedProc) -> Finding {
    if host.may(Capability::SysPtrace) {
        return Finding::ok("processes of every user");
    }
    if host.may(Capability::Perfmon) {
        return Finding::limited(
            "memory maps of every user's processes on newer kernels, by CAP_PERFMON; \
             files and threads only of this user's processes",
            "run as root or with CAP_SYS_PTRACE for the rest",
        );
    }
    Finding::limited(
        "only this user's processes, except those that are setuid or not dumpable",
        "run as the owner of the processes, as root, or with CAP_SYS_PTRACE",
    )
}
