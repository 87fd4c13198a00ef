//! The guide of `stack`.

use super::entry::Guide;

pub(super) const STACK: Guide = Guide {
    command: "stack",
    examples: &[
        (
            "the stacks of all threads of a process",
            "backsight stack -p $(pidof server)",
        ),
        (
            "one thread, whatever its depth, and for how long it was stopped",
            "backsight stack -p 1234 --tid 1240 -n 0 -v",
        ),
        (
            "for a script, a line for each frame and each thread",
            "backsight stack -p 1234 --format json",
        ),
    ],
    exit_status: &[
        ("0", "success"),
        (
            "1",
            "a process cannot be read or stopped; those of the others are printed",
        ),
        ("2", "wrong usage"),
        (
            "3",
            "with --strict: a thread has no stack, a stack is cut, or a frame has no name",
        ),
    ],
    files: &[
        (
            "/proc/PID/mem",
            "the memory of the process, of which its stacks are copied",
        ),
        (
            "/proc/sys/kernel/yama/ptrace_scope",
            "who may stop the processes of the same user",
        ),
    ],
    see_also: &[
        "backsight-symbolize(1)",
        "backsight-record(1)",
        "ptrace(2)",
        "pstack(1)",
    ],
};
