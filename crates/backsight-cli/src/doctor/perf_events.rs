//! Whether perf events could be sampled, which depends on `perf_event_paranoid`.

use super::finding::Finding;
use super::inspected_proc::{Capability, InspectedProc};

pub(super) fn check(host: &InspectedProc) -> Finding {
    let may = host.may(Capability::Perfmon) || host.may(Capability::SysAdmin);
    of_level(host.number("sys/kernel/perf_event_paranoid"), may)
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
    use super::super::finding::State;
    use super::of_level;

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
