//! What cannot be sampled, and why.

use std::fmt;

/// What a sampler does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamplingNote {
    /// Time and stacks inside of the kernel: this user may not record them.
    KernelLeftOut,
    /// The addresses of the kernel's functions: its stacks have no names.
    KernelNamesHidden,
    /// The mappings of so many processes: their stacks have no names, but for files that they map
    /// from now on.
    MapsUnreadable(u64),
    /// The processor's counter of cycles: a timer of the kernel takes the samples.
    NoHardwareCounter,
    /// The time that threads do not run: their switches happen in the kernel, which this user may
    /// not record.
    NoSwitches,
    /// Build IDs in records of mappings, which came with Linux 5.12: files are known by device
    /// and inode.
    NoBuildIds,
}

impl fmt::Display for SamplingNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KernelLeftOut => f.write_str(
                "time inside of the kernel is left out: to record it, run as root or with \
                 CAP_PERFMON, or lower kernel.perf_event_paranoid to 1",
            ),
            Self::KernelNamesHidden => f.write_str(
                "functions of the kernel get no names: to see its addresses, run with \
                 CAP_SYSLOG, and kernel.kptr_restrict at 1 or less",
            ),
            Self::MapsUnreadable(count) => write!(
                f,
                "what {count} processes had mapped before may not be read: run as root or with \
                 CAP_PERFMON or CAP_SYS_PTRACE"
            ),
            Self::NoHardwareCounter => f.write_str(
                "the processor's counter of cycles cannot be used here: a timer takes the samples",
            ),
            Self::NoSwitches => f.write_str(
                "the time that threads do not run is left out: to record it, run as root or \
                 with CAP_PERFMON, or lower kernel.perf_event_paranoid to 1",
            ),
            Self::NoBuildIds => f.write_str(
                "this kernel records no build IDs with mappings: files are known by device and \
                 inode",
            ),
        }
    }
}
