//! Says what is not known of the running kernel, and why.

use backsight::{KernelError, RunningKernel};

use crate::failure::complain;

/// Reports what is not known of the kernel.
pub(crate) fn report(kernel: &RunningKernel) {
    for shortfall in kernel.shortfalls() {
        complain(format_args!("{shortfall}"));
    }
}

/// Reports why nothing is known of the kernel, though a process has stacks in it.
pub(crate) fn report_none(pid: u32, error: &KernelError) {
    complain(format_args!(
        "process {pid}: its addresses in the kernel get no names: {error}"
    ));
}
