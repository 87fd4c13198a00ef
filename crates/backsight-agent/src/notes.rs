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
    /// The mappings of processes: their stacks have no names, but for files that they map from now
    /// on.
    MapsUnreadable {
        /// How many processes.
        processes: u64,
        /// One of them.
        pid: u32,
        /// Why it could not be read: an error number of the system.
        errno: i32,
    },
    /// A process of several: it has exited or never existed.
    ProcessGone {
        /// Its ID.
        pid: u32,
    },
    /// Threads alone: their process is sampled, with all its threads.
    ThreadOfProcess {
        /// The ID of a thread that was given for a process.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// The processor's counter of cycles: a timer of the kernel takes the samples.
    NoHardwareCounter,
    /// The stacks with which threads stop running: that happens in the kernel, which this user may
    /// not record. Each wait counts for the last stack that the thread had while it ran, in an
    /// event of its own name.
    SwitchesWithoutStacks,
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
            Self::MapsUnreadable {
                processes,
                pid,
                errno,
            } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "what process {pid} ")?;
                match processes.saturating_sub(1) {
                    0 => {}
                    1 => f.write_str("and 1 other ")?,
                    others => write!(f, "and {others} others ")?,
                }
                write!(
                    f,
                    "had mapped before may not be read ({error}): CAP_PERFMON or CAP_SYS_PTRACE in \
                     the user namespace of the process allows it"
                )
            }
            Self::ProcessGone { pid } => write!(
                f,
                "no process {pid}: it has exited or never existed; the others are recorded"
            ),
            Self::ThreadOfProcess { tid, pid } => write!(
                f,
                "{tid} is a thread of process {pid}, which is recorded with all its threads"
            ),
            Self::NoHardwareCounter => f.write_str(
                "the processor's counter of cycles cannot be used here: a timer takes the samples",
            ),
            Self::SwitchesWithoutStacks => f.write_str(
                "waits are shown at the last stack that their threads had while they ran \
                 (off-cpu-last-stack): to record where threads wait, run as root or with \
                 CAP_PERFMON, or lower kernel.perf_event_paranoid to 1",
            ),
            Self::NoBuildIds => f.write_str(
                "this kernel records no build IDs with mappings: files are known by device and \
                 inode",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SamplingNote;

    #[test]
    fn processes_that_cannot_be_read_are_named_and_counted() {
        for (processes, whom) in [
            (1, "process 7 had"),
            (2, "process 7 and 1 other had"),
            (3, "process 7 and 2 others had"),
        ] {
            let (pid, errno) = (7, nix::errno::Errno::EPERM as i32);
            let note = SamplingNote::MapsUnreadable {
                processes,
                pid,
                errno,
            };
            let text = note.to_string();
            assert!(text.contains(whom), "{text}");
            assert!(text.contains("Operation not permitted"), "{text}");
        }
    }
}
