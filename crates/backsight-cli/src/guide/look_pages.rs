//! The guides of the commands that look at profiles.

use super::entry::Guide;

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "success"),
    (
        "1",
        "an input cannot be read, or has no samples that are taken",
    ),
    ("2", "wrong usage"),
    ("3", "with --strict: a part of an input is malformed"),
];

pub(super) const REPORT: Guide = Guide {
    command: "report",
    examples: &[
        ("the hottest functions of ./perf.data", "backsight report"),
        (
            "lines of source code, of any profile",
            "backsight report profile.pb.gz --by line",
        ),
        (
            "who calls a function",
            "backsight report --callers '^malloc$'",
        ),
        (
            "where the time goes, as a tree, without short branches",
            "backsight report --tree --fold 2",
        ),
        (
            "one process and ten seconds of it",
            "backsight report --pid 1234 --time 5,15",
        ),
        ("for a script", "backsight report --format csv --by module"),
    ],
    exit_status: EXIT_STATUS,
    files: &[("perf.data", "the input if none is named")],
    see_also: &["backsight-record(1)", "backsight-diff(1)", "perf-report(1)"],
};

pub(super) const ANNOTATE: Guide = Guide {
    command: "annotate",
    examples: &[
        ("the hottest function of ./perf.data", "backsight annotate"),
        (
            "the source lines of a function, in any profile",
            "backsight annotate profile.pb.gz main.work --source",
        ),
        (
            "the ten hottest instructions of the function in one library",
            "backsight annotate perf.data memcpy --module libc --asm -n 10",
        ),
        (
            "sources that are elsewhere than where the program was built",
            "backsight annotate perf.data parse --source-dir ~/src/app",
        ),
        (
            "for a script",
            "backsight annotate perf.data parse --format json",
        ),
    ],
    exit_status: EXIT_STATUS,
    files: &[("perf.data", "the input if none is named")],
    see_also: &[
        "backsight-report(1)",
        "backsight-view(1)",
        "perf-annotate(1)",
        "objdump(1)",
    ],
};

pub(super) const VIEW: Guide = Guide {
    command: "view",
    examples: &[
        ("look at ./perf.data", "backsight view"),
        (
            "the samples of one program in any profile",
            "backsight view profile.pb.gz --comm nginx",
        ),
    ],
    exit_status: EXIT_STATUS,
    files: &[("perf.data", "the input if none is named")],
    see_also: &["backsight-report(1)", "backsight-top(1)"],
};

pub(super) const TOP: Guide = Guide {
    command: "top",
    examples: &[
        ("what the whole machine runs", "backsight top -a"),
        (
            "a process, with a new picture every five seconds",
            "backsight top -p 1234 --every 5s",
        ),
        (
            "one table of ten seconds, as text",
            "backsight top -a --every 10s -d 10s --text",
        ),
    ],
    exit_status: &[
        ("0", "success"),
        (
            "1",
            "nothing can be sampled; the message names the cause and the way out",
        ),
        ("2", "wrong usage"),
    ],
    files: &[],
    see_also: &["backsight-record(1)", "backsight-view(1)", "perf-top(1)"],
};

pub(super) const DIFF: Guide = Guide {
    command: "diff",
    examples: &[
        (
            "which functions got slower",
            "backsight diff before.data after.data",
        ),
        (
            "a differential flame graph",
            "backsight diff before.data after.data -o diff.svg",
        ),
        (
            "fail a build when a function's share grows by more than 2 points",
            "backsight diff main.pb.gz branch.pb.gz --threshold 2",
        ),
    ],
    exit_status: &[
        ("0", "success"),
        (
            "1",
            "an input cannot be read, or has no samples that are taken",
        ),
        ("2", "wrong usage"),
        ("3", "with --strict: a part of an input is malformed"),
        ("4", "with --threshold: a row grew by more"),
    ],
    files: &[],
    see_also: &["backsight-report(1)", "perf-diff(1)"],
};
