//! Whether the Yama security module restricts attaching to processes.
//!
//! It never restricts reading memory maps, so `maps` and `normalize` are not affected;
//! `symbolize -p` without addresses and `demo` are.

use super::finding::Finding;
use super::inspected_proc::{Capability, InspectedProc};

pub(super) fn check(host: &InspectedProc) -> Finding {
    let scope = host.number("sys/kernel/yama/ptrace_scope");
    of_scope(scope, host.may(Capability::SysPtrace))
}

fn of_scope(scope: Option<i64>, may_ptrace: bool) -> Finding {
    let lower = "lower it with sysctl kernel.yama.ptrace_scope=0, or run as root";
    match scope {
        None => Finding::ok("not active in this kernel: no restriction"),
        Some(0) => Finding::ok("ptrace_scope is 0: no restriction"),
        Some(scope @ (1 | 2)) if may_ptrace => Finding::ok(format!(
            "ptrace_scope is {scope}: no restriction with CAP_SYS_PTRACE"
        )),
        Some(1) => Finding::limited(
            "ptrace_scope is 1: program counters of threads are readable only in child processes",
            lower,
        ),
        Some(2) => Finding::limited(
            "ptrace_scope is 2: program counters of threads are readable only with CAP_SYS_PTRACE",
            lower,
        ),
        Some(scope) => Finding::missing(
            format!("ptrace_scope is {scope}: no process may be attached to until the next boot"),
            "give addresses to symbolize -p; `demo` and symbolize -p without addresses need a \
             boot with a lower kernel.yama.ptrace_scope",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::of_scope;

    #[test]
    fn the_scope_says_who_may_attach() {
        let cases = [
            (None, false, State::Ok),
            (Some(0), false, State::Ok),
            (Some(1), false, State::Limited),
            (Some(1), true, State::Ok),
            (Some(2), false, State::Limited),
            (Some(2), true, State::Ok),
            (Some(3), true, State::Missing),
        ];
        for (scope, capable, want) in cases {
            assert_eq!(of_scope(scope, capable).state, want, "{scope:?}, {capable}");
        }
    }
}
