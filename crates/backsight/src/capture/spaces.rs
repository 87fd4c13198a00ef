//! Chooses the address space in which an address is looked up.
//!
//! The recording tells: by the processor mode of the sample, and by the context markers within
//! chains. The address itself does not: 32-bit kernels start at 0xc0000000, and on s390x the
//! kernel and every process have addresses from 0 on.
//!
//! ```text
//!   chain  kernel  kernel  user  user  user
//!             └──────┴── the kernel's ─┘      each is replayed as a sample of its own
//!                              └─ the process's; inside execve, the old program's first
//! ```

use backsight_normalize::KERNEL_PID;
use backsight_types::trace::CapturedAddrs;
use backsight_types::trace::{ChainEntry, Context};
use backsight_types::{AbsAddr, Outcome, Reason};

/// The processes in which the user part of a chain is looked up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LookupPids {
    pub(super) pid: u32,
    /// The PID under which the old program is kept while the process is inside `execve`.
    pub(super) old_pid: Option<u32>,
}

/// Which replay samples were made from a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChainQuery {
    pid: u32,
    entries: usize,
    has_kernel: bool,
    has_old: bool,
}

/// Appends replay samples for a chain to `samples`, and returns which.
pub(super) fn query(
    entries: &[ChainEntry],
    time_ns: u64,
    who: LookupPids,
    samples: &mut Vec<CapturedAddrs>,
) -> ChainQuery {
    let addrs = |of_kernel: bool| -> Vec<AbsAddr> {
        let is_it = |entry: &&ChainEntry| (entry.context == Context::Kernel) == of_kernel;
        entries.iter().filter(is_it).map(|it| it.addr).collect()
    };
    let mut push = |pid, addrs| {
        samples.push(CapturedAddrs {
            time_ns,
            pid,
            addrs,
        });
    };
    let (in_kernel, others) = (addrs(true), addrs(false));
    let query = ChainQuery {
        pid: who.pid,
        entries: entries.len(),
        has_kernel: !in_kernel.is_empty(),
        has_old: who.old_pid.is_some() && !others.is_empty(),
    };
    if let Some(old_pid) = who.old_pid.filter(|_| query.has_old) {
        push(old_pid, others.clone());
    }
    push(who.pid, others);
    if query.has_kernel {
        push(KERNEL_PID, in_kernel);
    }
    query
}

impl ChainQuery {
    /// Returns the process of the chain.
    pub(super) fn pid(self) -> u32 {
        self.pid
    }

    /// Returns how many addresses the chain has.
    pub(super) fn entries(self) -> usize {
        self.entries
    }

    /// Takes the outcomes of one chain from those of all, and calls `each` with every entry and
    /// its outcome.
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
        let mut old = next(self.has_old);
        let (mut others, mut in_kernel) = (next(true), next(self.has_kernel));
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        for entry in entries {
            let outcome = match entry.context {
                Context::Kernel => in_kernel.next(),
                _ => match (old.next(), others.next()) {
                    (Some(old), _) if may_be_code(old) => Some(old),
                    (_, now) => now,
                },
            };
            each(entry, outcome.unwrap_or(unmapped));
        }
    }
}

/// Returns whether there may have been code at the address.
fn may_be_code(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Located { .. } | Outcome::Unresolved(Reason::Anonymous)
    )
}
