//! Seccomp filters: one that makes `PROCMAP_QUERY` fail, as on an old kernel, and one that makes
//! `perf_event_open` fail, as in a container.
//!
//! Only this request fails, with the given errno. The filter is inherited by children and cannot
//! be removed, so apply it to a thread or command created for that purpose.

#![expect(unsafe_code, reason = "a filter must be in place before exec")]

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::kernel::PROCMAP_QUERY;

/// The errors worth testing: a kernel before 6.11 returns `ENOTTY`; the others have been seen in
/// sandboxes and emulators.
pub const ERRNOS: [Errno; 4] = [Errno::ENOTTY, Errno::EINVAL, Errno::EPERM, Errno::ENOSYS];

/// `BPF_RET | BPF_K`: returns the filter's result.
const RETURN: u16 = 0x06;

/// Returns the errno of [`ERRNOS`] with this name.
#[must_use]
pub fn errno_named(name: &str) -> Option<Errno> {
    ERRNOS
        .into_iter()
        .find(|errno| format!("{errno:?}") == name)
}

/// Makes `PROCMAP_QUERY` fail permanently in the calling thread and those it starts.
///
/// # Panics
/// When the kernel takes no filter.
pub fn filter_this_thread(errno: Errno) {
    seccompiler::apply_filter(&program(errno)).expect("the kernel takes a seccomp filter");
}

/// Makes `PROCMAP_QUERY` fail in `command` and all its children.
pub fn filter_command(command: &mut Command, errno: Errno) -> &mut Command {
    filter_with(command, program(errno))
}

/// Makes `perf_event_open` fail in `command` and all its children.
pub fn forbid_perf_events(command: &mut Command, errno: Errno) -> &mut Command {
    filter_with(command, refusing(libc::SYS_perf_event_open, vec![], errno))
}

fn filter_with(command: &mut Command, program: BpfProgram) -> &mut Command {
    let filter =
        move || seccompiler::apply_filter(&program).map_err(|_| std::io::Error::last_os_error());
    // SAFETY: between fork and exec, the closure makes two system calls and allocates nothing;
    // the program was compiled above.
    unsafe { command.pre_exec(filter) }
}

fn program(errno: Errno) -> BpfProgram {
    let is_procmap_query = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        PROCMAP_QUERY.into(),
    );
    let rule = SeccompRule::new(vec![is_procmap_query.expect("argument 1 of 6")]);
    refusing(libc::SYS_ioctl, vec![rule.expect("one condition")], errno)
}

/// A filter that refuses a system call by these rules; without any, always.
fn refusing(call: libc::c_long, rules: Vec<SeccompRule>, errno: Errno) -> BpfProgram {
    let rules = [(call, rules)];
    let refuse = SeccompAction::Errno(errno as u32);
    let arch = std::env::consts::ARCH.try_into();
    let filter = SeccompFilter::new(
        rules.into_iter().collect(),
        SeccompAction::Allow,
        refuse,
        arch.expect("an architecture that seccompiler knows"),
    );
    let program = filter.and_then(TryInto::try_into);
    let mut program: BpfProgram = program.expect("a filter of one rule");
    // seccompiler kills a process of another architecture, such as a 32-bit child. Such a child
    // does not use the ioctl, so it is allowed instead.
    let kill: u32 = SeccompAction::KillProcess.into();
    let allow: u32 = SeccompAction::Allow.into();
    for step in &mut program {
        if step.code == RETURN && step.k == kill {
            step.k = allow;
        }
    }
    program
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{ERRNOS, errno_named, filter_this_thread};
    use crate::kernel::{Ioctl, ioctl};

    #[test]
    fn only_a_filtered_thread_gets_the_errno() {
        let before = ioctl();
        for errno in ERRNOS {
            let refused = std::thread::spawn(move || {
                filter_this_thread(errno);
                ioctl()
            });
            // An outer filter may return an errno of its own, but that of the most recent filter
            // takes precedence.
            assert_eq!(refused.join().unwrap(), Ioctl::Refused(errno));
        }
        assert_eq!(ioctl(), before);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_32_bit_child_runs_under_the_filter() {
        if crate::child::spawn_32_bit().is_none() {
            return crate::skip("cc -m32 makes nothing that runs here");
        }
        let filtered = std::thread::spawn(|| {
            filter_this_thread(Errno::ENOTTY);
            crate::child::spawn_32_bit().is_some()
        });
        assert!(filtered.join().unwrap());
    }

    #[test]
    fn errnos_are_found_by_name() {
        assert_eq!(errno_named("ENOTTY"), Some(Errno::ENOTTY));
        assert_eq!(errno_named("EBADF"), None);
    }
}
