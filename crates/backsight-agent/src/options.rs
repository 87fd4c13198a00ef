//! What is sampled, and how.

use std::path::PathBuf;

use crate::error::SamplingError;
use crate::sysctl::max_sample_rate;

/// Whose stacks are sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// These processes: all their threads, and all threads and processes that they start from
    /// now on.
    Processes(Vec<u32>),
    /// A process that waits to call `execve`, and all that it starts. Sampling begins with the
    /// program.
    Launched(u32),
    /// Everything on all processors.
    Everyone,
    /// The processes of a cgroup and of those below it, by its directory.
    Cgroup(PathBuf),
}

/// How the user part of a stack is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallGraph {
    /// The kernel follows frame pointers. It costs little. Functions that were compiled without
    /// frame pointers are missing, or hide their callers.
    #[default]
    FramePointers,
    /// The registers and so many bytes of the stack are recorded, and unwound here by the call
    /// frame information of the files (DWARF). It works without frame pointers, and costs a copy
    /// of the stack for each sample.
    StackMemory {
        /// The number of bytes: a multiple of 8, at most 65,528. What lies deeper is not unwound.
        bytes: u32,
    },
}

impl CallGraph {
    /// Stack memory of 8 KiB, as perf records by default.
    pub const DWARF: Self = Self::StackMemory { bytes: 8192 };
}

/// How it is sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingOptions {
    /// Samples a second of each processor.
    pub frequency: u64,
    /// How the user part of a stack is recorded.
    pub call_graph: CallGraph,
    /// Whether the time is recorded, too, that threads do not run: each time that a thread is
    /// taken from the processor, with its stack, until it runs again.
    pub off_cpu: bool,
    /// Whether the time and the stacks inside of the kernel are recorded. If this user may not
    /// do that, they are left out, and [`Sampler::notes`](crate::Sampler::notes) says so.
    pub kernel: bool,
    /// The size of the buffer of each processor, in pages: a power of two. `None` takes 128 pages
    /// with frame pointers, 1,024 with stack memory, and fewer if this user may not lock as many.
    pub buffer_pages: Option<usize>,
    /// Whether cycles of the processor are counted, if it can. Otherwise, and as a fallback, a
    /// timer of the kernel takes the samples.
    pub hardware: bool,
    /// Whether samples get labels of their process: `cgroup` and `container.id`, and the attributes
    /// that it publishes as OpenTelemetry says (`OTEL_CTX`), such as `service.name`.
    pub labels: bool,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self {
            frequency: 99,
            call_graph: CallGraph::default(),
            off_cpu: false,
            kernel: true,
            buffer_pages: None,
            hardware: true,
            labels: true,
        }
    }
}

impl SamplingOptions {
    /// Sets the number of samples a second of each processor.
    #[must_use]
    pub fn with_frequency(self, frequency: u64) -> Self {
        Self { frequency, ..self }
    }

    /// Sets how the user part of a stack is recorded.
    #[must_use]
    pub fn with_call_graph(self, call_graph: CallGraph) -> Self {
        Self { call_graph, ..self }
    }

    /// Sets whether the time is recorded, too, that threads do not run.
    #[must_use]
    pub fn with_off_cpu(self, off_cpu: bool) -> Self {
        Self { off_cpu, ..self }
    }

    /// Sets whether the kernel is recorded.
    #[must_use]
    pub fn with_kernel(self, kernel: bool) -> Self {
        Self { kernel, ..self }
    }

    /// Sets the size of the buffer of each processor.
    #[must_use]
    pub fn with_buffer_pages(self, buffer_pages: Option<usize>) -> Self {
        Self {
            buffer_pages,
            ..self
        }
    }

    /// Sets whether cycles of the processor are counted, if it can.
    #[must_use]
    pub fn with_hardware(self, hardware: bool) -> Self {
        Self { hardware, ..self }
    }

    /// Sets whether samples get labels of their process.
    #[must_use]
    pub fn with_labels(self, labels: bool) -> Self {
        Self { labels, ..self }
    }

    /// Checks what can be known before anything is sampled, or a command is started.
    ///
    /// # Errors
    /// [`SamplingError::Option`], and [`SamplingError::TooFast`] for a frequency above
    /// `kernel.perf_event_max_sample_rate`.
    pub fn check(&self) -> Result<(), SamplingError> {
        if self.frequency == 0 {
            return Err(SamplingError::Option(
                "at least one sample a second is needed",
            ));
        }
        if self
            .buffer_pages
            .is_some_and(|pages| !pages.is_power_of_two())
        {
            return Err(SamplingError::Option(
                "the pages of a buffer must be a power of two",
            ));
        }
        if let CallGraph::StackMemory { bytes } = self.call_graph
            && (bytes == 0 || bytes > 65_528 || bytes % 8 != 0)
        {
            let reason = "the bytes of a stack must be a multiple of 8, from 8 to 65528";
            return Err(SamplingError::Option(reason));
        }
        let limit = max_sample_rate();
        if self.frequency > limit {
            let frequency = self.frequency;
            return Err(SamplingError::TooFast { frequency, limit });
        }
        Ok(())
    }
}
