//! Whether a seccomp filter is active.

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

pub(super) fn check(host: &InspectedProc) -> Finding {
    of_mode(host.status().seccomp)
}

fn of_mode(mode: u32) -> Finding {
    if mode == 0 {
        return Finding::ok("no filter");
    }
    Finding::limited(
        "a filter is active: it may refuse system calls that the kernel supports",
        "nothing, if the other checks are ok; --security-opt seccomp=unconfined runs a \
         container without a filter",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::of_mode;

    #[test]
    fn a_filter_may_take_something_away() {
        assert_eq!(of_mode(0).state, State::Ok);
        assert_eq!(of_mode(2).state, State::Limited);
    }
}
