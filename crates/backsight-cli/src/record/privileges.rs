//! The capabilities that recording needs. All others are dropped before the first thread starts
//! and the first untrusted file is read.
//!
//! The command that is recorded is started before, and keeps what it would have without us.
//!
//! `docs/EMBEDDING.md` has the table of what needs which, and the tests try each row.

use std::fmt;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};

/// What recording does, beyond what every process may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses {
    /// The kernel is recorded.
    pub(crate) kernel: bool,
    /// Files of modules are opened, and functions are looked up.
    pub(crate) names: bool,
}

/// What was dropped.
#[derive(Debug)]
pub(crate) struct Dropped {
    dropped: usize,
    kept: Vec<Capability>,
}

impl Uses {
    /// Returns the capabilities that may be needed.
    fn needs(self) -> CapsHashSet {
        let mut needed = CapsHashSet::from([
            // To open perf events, and since Linux 6.15 to read the mappings of processes.
            Capability::CAP_PERFMON,
            // To read these before.
            Capability::CAP_SYS_PTRACE,
            // For buffers above kernel.perf_event_mlock_kb.
            Capability::CAP_IPC_LOCK,
            // To write the output into a directory of another user, and replace a file in /tmp.
            Capability::CAP_DAC_OVERRIDE,
            Capability::CAP_FOWNER,
        ]);
        if !is_known(Capability::CAP_PERFMON) {
            // Before Linux 5.8, this is for perf events, too.
            needed.insert(Capability::CAP_SYS_ADMIN);
        }
        if self.kernel {
            // The addresses of the kernel's functions.
            needed.insert(Capability::CAP_SYSLOG);
        }
        if self.names {
            // To read programs that only their users may, and lists of code made at run time.
            needed.insert(Capability::CAP_DAC_READ_SEARCH);
            // To open deleted files that processes have mapped.
            if is_known(Capability::CAP_CHECKPOINT_RESTORE) {
                needed.insert(Capability::CAP_CHECKPOINT_RESTORE);
            }
        }
        if self.kernel && self.names {
            // The lines of BPF programs.
            needed.insert(Capability::CAP_SYS_ADMIN);
        }
        needed
    }
}

/// Whether this kernel has a capability.
fn is_known(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Bounding, capability).is_ok()
}

/// Drops all capabilities that are not needed. Call this before any thread is started, as each
/// thread has its own.
///
/// `None`, and nothing is dropped, if there is none to drop; or if this process has neither
/// CAP_PERFMON nor CAP_SYS_PTRACE: without these, the kernel lets it observe only processes that
/// have no capability which it lacks itself, so that each may be needed.
pub(crate) fn drop_others(uses: Uses) -> Result<Option<Dropped>, CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let observes = [Capability::CAP_PERFMON, Capability::CAP_SYS_PTRACE];
    if !observes.iter().any(|one| permitted.contains(one)) {
        return Ok(None);
    }
    let needed = uses.needs();
    let inheritable = caps::read(None, CapSet::Inheritable)?;
    if permitted.is_subset(&needed) && inheritable.is_subset(&needed) {
        return Ok(None);
    }
    // The permitted ones last, as the others must be among them. The ambient ones follow.
    for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        let held = caps::read(None, set)?;
        let kept: CapsHashSet = held.intersection(&needed).copied().collect();
        caps::set(None, set, &kept)?;
    }
    let mut kept: Vec<Capability> = permitted.intersection(&needed).copied().collect();
    kept.sort_by_key(Capability::index);
    Ok(Some(Dropped {
        dropped: permitted.len().saturating_sub(kept.len()),
        kept,
    }))
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept: Vec<String> = self.kept.iter().map(Capability::to_string).collect();
        write!(
            f,
            "{} capabilities that recording does not need were dropped; kept: {}",
            self.dropped,
            kept.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use caps::Capability;

    use super::{Dropped, Uses};

    #[test]
    fn what_is_not_asked_for_needs_less() {
        let needs = |kernel, names| Uses { kernel, names }.needs();
        let [bare, all] = [needs(false, false), needs(true, true)];
        assert!(bare.is_subset(&all));
        for capability in [
            Capability::CAP_SYSLOG,
            Capability::CAP_SYS_ADMIN,
            Capability::CAP_DAC_READ_SEARCH,
        ] {
            assert!(all.contains(&capability), "{capability}");
            let is_old = capability == Capability::CAP_SYS_ADMIN
                && !super::is_known(Capability::CAP_PERFMON);
            assert_eq!(bare.contains(&capability), is_old, "{capability}");
        }
        assert!(!all.contains(&Capability::CAP_SYS_MODULE));
    }

    #[test]
    fn what_is_kept_is_named() {
        let dropped = Dropped {
            dropped: 3,
            kept: vec![Capability::CAP_PERFMON, Capability::CAP_SYSLOG],
        };
        let text = dropped.to_string();
        assert!(text.starts_with("3 capabilities"), "{text}");
        assert!(text.ends_with("kept: CAP_PERFMON, CAP_SYSLOG"), "{text}");
    }
}
