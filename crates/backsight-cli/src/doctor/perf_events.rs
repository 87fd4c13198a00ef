//! Whether perf events can be sampled: what `perf_event_paranoid` says, and whether one can be
//! opened, which a seccomp filter or a security module may forbid.

use std::io;

use super::finding::{Finding, State};
use super::inspected_proc::{Capability, InspectedProc};

pub(super) fn check(host: &InspectedProc) -> Finding {
    let may = host.may(Capability::Perfmon) || host.may(Capability::SysAdmin);
    let by_level = of_level(host.number("sys/kernel/perf_event_paranoid"), may);
    match by_level.state {
        State::Missing => by_level,
        _ => opened(
            by_level,
            backsight_agent::try_event(),
            host.status().seccomp,
        ),
    }
}

/// What is found when an event is opened.
fn opened(by_level: Finding, event: io::Result<()>, seccomp: u32) -> Finding {
    let Err(error) = event else {
        return by_level;
    };
    let way_out = match seccomp {
        0 => {
            "a security module (SELinux, AppArmor), or a kernel without CONFIG_PERF_EVENTS, \
              refuses it: run where it does not"
        }
        _ => {
            "if the seccomp filter forbids perf_event_open(2): --security-opt \
              seccomp=unconfined, or a profile that allows it, as containers with CAP_PERFMON get"
        }
    };
    Finding::missing(format!("none: perf_event_open: {error}"), way_out)
}

fn of_level(level: Option<i64>, may_perfmon: bool) -> Finding {
    let lower = "run with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=1";
    match level {
        None => Finding::missing(
            "not supported by this kernel",
            "use a kernel with CONFIG_PERF_EVENTS; in a sandbox, ask for access to them",
        ),
        Some(level) if may_perfmon || level <= 1 => Finding::ok(format!(
            "of user and kernel code (perf_event_paranoid is {level})"
        )),
        Some(2) => Finding::limited(
            "of this user's code, without the kernel's (perf_event_paranoid is 2)",
            lower,
        ),
        Some(level) => Finding::missing(format!("none (perf_event_paranoid is {level})"), lower),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::finding::State;
    use super::{of_level, opened};

    #[test]
    fn what_cannot_be_opened_is_missing() {
        let by_level = || of_level(Some(-1), true);
        assert_eq!(opened(by_level(), Ok(()), 2).state, State::Ok);
        for (seccomp, advice) in [(2, "seccomp"), (0, "security module")] {
            let refused = Err(io::Error::from_raw_os_error(1));
            let finding = opened(by_level(), refused, seccomp);
            assert_eq!(finding.state, State::Missing);
            assert!(finding.found.contains("os error 1"), "{finding:?}");
            assert!(finding.advice.is_some_and(|it| it.contains(advice)));
        }
    }

    #[test]
    fn the_level_says_what_may_be_sampled() {
        let cases = [
            (None, true, State::Missing),
            (Some(-1), false, State::Ok),
            (Some(1), false, State::Ok),
            (Some(2), false, State::Limited),
            (Some(3), false, State::Missing),
            (Some(4), false, State::Missing),
            (Some(4), true, State::Ok),
        ];
        for (level, capable, want) in cases {
            assert_eq!(of_level(level, capable).state, want, "{level:?}, {capable}");
        }
    }
}
