//! Why a process has no stacks, and the way out.

use backsight::{StackRefusal, ThreadStack};

/// Returns the message of a process of which no thread has a stack.
pub(super) fn message(pid: u32, threads: &[ThreadStack]) -> Option<String> {
    let refusals: Option<Vec<&StackRefusal>> = threads
        .iter()
        .map(|thread| thread.stack.as_ref().err())
        .collect();
    let refusals = refusals?;
    // The first thread may have ended, and the reason of the others is of more use.
    let other = refusals.iter().find(|it| ***it != StackRefusal::Ended);
    let refusal = other.or(refusals.first())?;
    Some(format!("process {pid}: {}", text(pid, refusal)))
}

fn text(pid: u32, refusal: &StackRefusal) -> String {
    match refusal {
        StackRefusal::Denied => format!(
            "permission denied to stop its threads: run as root or with CAP_SYS_PTRACE, or as the \
             same user{}",
            yama()
        ),
        StackRefusal::Traced { pid, name } => format!(
            "{name} ({pid}) traces it, and a thread has one tracer only: detach that, or ask it \
             for the stacks (gdb: `thread apply all bt`)"
        ),
        StackRefusal::Own => "backsight does not stop itself".to_owned(),
        StackRefusal::OfKernel => format!(
            "a thread of the kernel, which has no stack in user memory: root reads \
             /proc/{pid}/stack"
        ),
        StackRefusal::Ended => {
            "a zombie: it has ended, and its parent has not waited for it".to_owned()
        }
        StackRefusal::NotStopping => format!(
            "its threads do not stop, since they wait in the kernel (for a disk, a file server, \
             the end of a vfork): root reads /proc/{pid}/task/*/stack"
        ),
        StackRefusal::Unsupported => {
            "stacks of its machine cannot be read here: x86-64, 32-bit x86 and 64-bit AArch64 \
             are supported"
                .to_owned()
        }
        other => format!("its threads cannot be stopped: {other}"),
    }
}

/// What the security module Yama says, where it restricts.
fn yama() -> String {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    match scope.as_deref().map(str::trim) {
        Ok("0") | Err(_) => String::new(),
        Ok(scope) => format!(
            " with kernel.yama.ptrace_scope=0 (it is {scope}: `backsight doctor` says what that \
             allows)"
        ),
    }
}
