//! The peak memory of a process.

/// Returns this process's peak resident memory, in KiB: `VmHWM`, which is reset by execve,
/// unlike `ru_maxrss`.
///
/// # Errors
/// What is missing, where the kernel does not say.
pub fn kib() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|why| why.to_string())?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
    peak.ok_or_else(|| "the kernel does not say VmHWM".to_owned())
}
