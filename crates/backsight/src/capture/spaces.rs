//! In whose memory an address is looked up.
//!
//! That is told by the recording: by the mode of the processor and the markers within
//! chains. The address alone does not say it. Kernels of 32-bit machines begin at
//! 0xc0000000, and on s390x the kernel and every process have addresses from 0 on.
//!
//! ```text
//!   chain  kernel  kernel  user  user  user
//!             └──────┴── the kernel's ─┘      each asked for as a sample of its own
//!                              └─ the process's; within execve, the old program's first
//! ```

use backsight_normalize::KERNEL_PID;
use backsight_types::trace::CapturedAddrs;
use backsight_types::trace::{ChainEntry, Context};
use backsight_types::{AbsAddr, Outcome, Reason};

/// Whose memory a chain was caught in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    pub(super) pid: u32,
    /// The pid that the program before has, while the process is within `execve`.
    pub(super) before: Option<u32>,
}

/// A chain that is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    entries: usize,
    has_kernel: bool,
    has_before: bool,
}

/// Makes samples of a chain, and says which.
pub(super) fn ask(
    entries: &[ChainEntry],
    time_ns: u64,
    who: Who,
    samples: &mut Vec<CapturedAddrs>,
) -> Asked {
    let addrs = |of_kernel: bool| -> Vec<AbsAddr> {
        let is_it = |entry: &&ChainEntry| (entry.context == Context::Kernel) == of_kernel;
        entries.iter().filter(is_it).map(|it| it.addr).collect()
    };
    let mut ask = |pid, addrs| {
        samples.push(CapturedAddrs {
            time_ns,
            pid,
            addrs,
        });
    };
    let (in_kernel, others) = (addrs(true), addrs(false));
    let asked = Asked {
        entries: entries.len(),
        has_kernel: !in_kernel.is_empty(),
        has_before: who.before.is_some() && !others.is_empty(),
    };
    if let Some(before) = who.before.filter(|_| asked.has_before) {
        ask(before, others.clone());
    }
    ask(who.pid, others);
    if asked.has_kernel {
        ask(KERNEL_PID, in_kernel);
    }
    asked
}

impl Asked {
    /// Returns how many addresses the chain has.
    pub(super) fn entries(self) -> usize {
        self.entries
    }

    /// Takes the answers to one chain from those to all, and gives each entry its own.
    pub(super) fn answers(
        self,
        entries: &[ChainEntry],
        all: &mut impl Iterator<Item = Vec<Outcome>>,
        mut each: impl FnMut(&ChainEntry, Outcome),
    ) {
        let mut next = |is_there: bool| {
            let answers = if is_there { all.next() } else { None };
            answers.unwrap_or_default().into_iter()
        };
        let mut before = next(self.has_before);
        let (mut others, mut in_kernel) = (next(true), next(self.has_kernel));
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        for entry in entries {
            let outcome = match entry.context {
                Context::Kernel => in_kernel.next(),
                _ => match (before.next(), others.next()) {
                    (Some(before), _) if is_somewhere(before) => Some(before),
                    (_, now) => now,
                },
            };
            each(entry, outcome.unwrap_or(unmapped));
        }
    }
}

/// Returns whether code may have stood there.
fn is_somewhere(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Located { .. } | Outcome::Unresolved(Reason::Anonymous)
    )
}
