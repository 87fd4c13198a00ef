//! Why the stack of a thread is not known.

/// Why the stack of a thread is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StackRefusal {
    /// The caller may not trace the process.
    #[error("permission denied to trace it")]
    Denied,
    /// It is traced already, and a thread has only one tracer.
    #[error("it is traced by process {pid} ({name})")]
    Traced {
        /// The tracer.
        pid: u32,
        /// The tracer's name.
        name: String,
    },
    /// The thread belongs to the process that asks.
    #[error("a process cannot trace itself")]
    Own,
    /// It is a thread of the kernel, which has no stack in user memory.
    #[error("it is a thread of the kernel")]
    OfKernel,
    /// It has ended, and nobody has waited for it. If it is the first thread of a process, others
    /// may go on.
    #[error("it has ended")]
    Ended,
    /// It does not stop: it is in a system call that nothing interrupts, as when it waits for a
    /// disk, a file server, or the end of a `vfork`.
    #[error("it is in a system call that cannot be interrupted")]
    NotStopping,
    /// Its registers cannot be read on this machine: the machine, or its 32-bit programs, are not
    /// supported.
    #[error("stacks of this machine cannot be read")]
    Unsupported,
    /// Another error of the kernel, by its number.
    #[error("{}", std::io::Error::from_raw_os_error(*.0))]
    Failed(i32),
}
