//! Which samples and frames of a profile are taken.

mod apply;
mod location;
mod stack;

use crate::pattern::NamePattern;

/// Which samples and frames of a profile are taken. The default takes all.
///
/// A sample is taken if all conditions hold; of conditions with several values, one value has to
/// match. Regular expressions match anywhere in a name.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SampleFilter {
    /// Samples of these processes.
    pub pids: Vec<u32>,
    /// Samples of these threads.
    pub tids: Vec<u32>,
    /// Samples of threads with one of these names; a thread without a name has that of its process.
    pub comms: Vec<String>,
    /// Samples from this time on, in nanoseconds after the first sample.
    pub from_ns: Option<u64>,
    /// Samples before this time, in nanoseconds after the first sample.
    pub to_ns: Option<u64>,
    /// Samples with a frame in a module whose path matches.
    pub module: Option<NamePattern>,
    /// Samples with a frame whose function matches.
    pub function: Option<NamePattern>,
    /// Frames of the kernel alone, or of user space alone. Samples without such frames are left
    /// out.
    pub space: Option<CodeSpace>,
    /// Samples with a frame whose function, source file or module matches, as pprof's `-focus`.
    pub focus: Option<NamePattern>,
    /// Not the samples with a frame whose function, source file or module matches, as pprof's
    /// `-ignore`.
    pub ignore: Option<NamePattern>,
    /// Takes frames whose function, source file or module matches out of their stacks, as pprof's
    /// `-hide`. Samples without other frames are left out.
    pub hide: Option<NamePattern>,
    /// Takes so many frames of each stack, from the outermost on.
    pub max_depth: Option<usize>,
    /// Gives the samples of all threads of a process to one thread.
    pub merge_threads: bool,
}

/// The kernel, or user space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeSpace {
    /// Code of processes.
    User,
    /// Code of the kernel.
    Kernel,
}

impl SampleFilter {
    /// Returns whether it takes everything as it is.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.pids.is_empty()
            && self.tids.is_empty()
            && self.comms.is_empty()
            && !self.needs_time()
            && !self.changes_stacks()
            && !self.merge_threads
    }

    /// Returns whether samples need times.
    #[must_use]
    pub fn needs_time(&self) -> bool {
        self.from_ns.is_some() || self.to_ns.is_some()
    }

    fn changes_stacks(&self) -> bool {
        let by_name = [
            &self.module,
            &self.function,
            &self.focus,
            &self.ignore,
            &self.hide,
        ];
        by_name.into_iter().any(Option::is_some) || self.space.is_some() || self.max_depth.is_some()
    }
}
