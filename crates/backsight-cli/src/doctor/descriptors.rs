//! How many files may be open.
//!
//! `symbolize -p` keeps one file open for each module of the process. It raises the soft limit
//! to the hard limit by itself.

use nix::sys::resource::{Resource, getrlimit};

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

/// Few processes have more modules than this.
const ENOUGH_FILES: u64 = 1024;

pub(super) fn check(_: &InspectedProc) -> Finding {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, most)) => of_limit(most),
        Err(errno) => Finding::limited(
            format!("the limit cannot be read: {}", errno.desc()),
            "nothing: a module whose file cannot be opened is reported",
        ),
    }
}

fn of_limit(most: u64) -> Finding {
    if most >= ENOUGH_FILES {
        return Finding::ok(format!("{most} files may be open at once"));
    }
    Finding::limited(
        format!("{most} files may be open at once: symbolize -p keeps one open for each module"),
        "raise the hard limit: ulimit -Hn 4096 as root, or nofile in limits.conf",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::of_limit;

    #[test]
    fn a_thousand_is_enough() {
        assert_eq!(of_limit(1024).state, State::Ok);
        assert_eq!(of_limit(64).state, State::Limited);
    }
}
