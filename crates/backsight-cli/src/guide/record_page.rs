//! The guide of `record`.

use super::entry::Guide;

pub(super) const RECORD: Guide = Guide {
    command: "record",
    examples: &[
        (
            "a flame graph of a program",
            "backsight record -o flame.svg -- ./program",
        ),
        (
            "ten seconds of what runs, for go tool pprof",
            "backsight record -p $(pidof server) -d 10 -o server.pb.gz",
        ),
        (
            "a program without frame pointers, and what it waits for",
            "backsight record --call-graph dwarf --off-cpu -- ./program",
        ),
        (
            "the whole machine, a file for each minute",
            "backsight record -a --every 60s -o profiles/",
        ),
        (
            "on a device without symbols; functions are looked up elsewhere",
            "backsight record -a -d 10 --normalize-only -o device.ndjson",
        ),
    ],
    exit_status: &[
        ("0", "success; with a command, its exit code"),
        (
            "1",
            "nothing can be recorded, there are no samples, or the output cannot be written",
        ),
        ("2", "wrong usage"),
        ("126, 127", "the command cannot be run, or does not exist"),
    ],
    files: &[
        (
            "/proc/sys/kernel/perf_event_paranoid",
            "who may record what",
        ),
        (
            "/usr/lib/debug",
            "separate debug files, at .build-id/xx/rest.debug or by debug link",
        ),
    ],
    see_also: &["backsight-convert(1)", "perf_event_open(2)"],
};
