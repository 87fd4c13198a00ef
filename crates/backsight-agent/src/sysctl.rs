//! What the administrator and the rights of this process allow of perf events.

use std::fs;

fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// Returns `kernel.perf_event_paranoid`, or `unknown`.
pub(crate) fn paranoid() -> String {
    sysctl("perf_event_paranoid").unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the most addresses that the kernel records of a stack.
pub(crate) fn max_stack() -> usize {
    let most = sysctl("perf_event_max_stack").and_then(|most| most.parse().ok());
    most.unwrap_or(DEFAULT_MAX_STACK)
}

/// `PERF_MAX_STACK_DEPTH` of the kernel.
const DEFAULT_MAX_STACK: usize = 127;

/// Returns the most samples a second that the kernel takes.
pub(crate) fn max_sample_rate() -> u64 {
    let rate = sysctl("perf_event_max_sample_rate");
    rate.and_then(|rate| rate.parse().ok()).unwrap_or(u64::MAX)
}

/// Returns whether this process has the capability to sample, in the first user namespace: in
/// another one, it does not count.
pub(crate) fn may_sample() -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON: u64 = 1 << 38;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let has = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_first = users.split_whitespace().eq(["0", "0", "4294967295"]);
    is_first && has.is_some_and(|has| has & (SYS_ADMIN | PERFMON) != 0)
}
