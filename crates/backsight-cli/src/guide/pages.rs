//! The table: a row for each subcommand.

use super::entry::Guide;

/// Of commands that answer for addresses.
const ANSWERS: &[(&str, &str)] = &[
    (
        "0",
        "all was answered; that nothing is known of an address is an answer",
    ),
    (
        "1",
        "a process or file cannot be read, or results cannot be written",
    ),
    ("2", "wrong usage"),
    (
        "3",
        "with --strict: an address is unresolved, or a line of input malformed",
    ),
];

/// Of commands that either do what they are told or fail.
const DOES: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "failed; the message names what, why, and the way out"),
    ("2", "wrong usage"),
];

const DEBUG_FILES: (&str, &str) = (
    "/usr/lib/debug",
    "separate debug files, as .build-id/xx/rest.debug or by debug link",
);

pub(super) const GUIDES: &[Guide] = &[
    Guide {
        command: "backsight",
        examples: &[
            (
                "where does each thread of a process stand?",
                "backsight symbolize -p $(pidof server)",
            ),
            (
                "a recording of perf as a flame graph",
                "backsight convert perf.data flame.svg",
            ),
            ("what may this user see on this kernel?", "backsight doctor"),
        ],
        exit_status: ANSWERS,
        files: &[],
        see_also: &["perf-record(1)", "addr2line(1)", "proc(5)"],
    },
    Guide {
        command: "maps",
        examples: &[
            (
                "code of a process that has a file",
                "backsight maps -p 1 --exec --file-backed",
            ),
            (
                "the VMA that covers an address, with its build ID",
                "backsight maps -p 1 --at 0x7f1b4c6d1a47 --build-id",
            ),
        ],
        exit_status: DOES,
        files: &[(
            "/proc/PID/maps",
            "asked by ioctl since Linux 6.11, read as text before",
        )],
        see_also: &["backsight-normalize(1)", "proc(5)"],
    },
    Guide {
        command: "normalize",
        examples: &[
            (
                "files and offsets that mean the same on any host",
                "backsight normalize -p 1 0x7f1b4c6d1a47 --format json > stack.ndjson",
            ),
            (
                "a whole recording, for another host",
                "backsight normalize -i perf.data -o captured.ndjson",
            ),
            (
                "addresses as they come through a pipe",
                "backsight normalize -p 1 --end-mark -",
            ),
        ],
        exit_status: ANSWERS,
        files: &[
            ("/proc/PID/maps", "where the process has which file mapped"),
            (
                "/proc/PID/map_files/",
                "the mapped files themselves, where permitted",
            ),
        ],
        see_also: &["backsight-symbolize(1)", "backsight-convert(1)", "proc(5)"],
    },
    Guide {
        command: "symbolize",
        examples: &[
            (
                "where each thread of some processes stands",
                "backsight symbolize -p $(pidof server)",
            ),
            (
                "a place in a file, as nm and objdump print it",
                "backsight symbolize -e /usr/bin/ls 0x6ab0",
            ),
            (
                "what another host has normalized",
                "backsight symbolize -i stack.ndjson --debug-dir debug",
            ),
            (
                "files of two containers' root directories, the first one first",
                "backsight symbolize -i stack.ndjson --root web --root db",
            ),
            (
                "as a co-process",
                "backsight symbolize -e /usr/bin/ls --end-mark -",
            ),
        ],
        exit_status: ANSWERS,
        files: &[
            DEBUG_FILES,
            (
                "/proc/PID/root/",
                "where the files of a process are looked for first",
            ),
        ],
        see_also: &[
            "backsight-normalize(1)",
            "backsight-addr2line(1)",
            "backsight-index(1)",
        ],
    },
    Guide {
        command: "convert",
        examples: &[
            (
                "a flame graph of a recording",
                "backsight convert perf.data flame.svg",
            ),
            (
                "for go tool pprof",
                "backsight convert perf.data profile.pb.gz",
            ),
            (
                "folded stacks, into a pipe",
                "backsight convert perf.data -o - --to folded | sort",
            ),
            (
                "with debug files from elsewhere",
                "backsight convert captured.ndjson profile.json --debug-dir debug",
            ),
        ],
        exit_status: &[
            (
                "0",
                "the output is written; parts of the input that are malformed were named",
            ),
            (
                "1",
                "the input cannot be read, or the output not be written: what was there stays",
            ),
            ("2", "wrong usage"),
            (
                "3",
                "with --strict: a place has no frame, or a part of the input is malformed",
            ),
        ],
        files: &[DEBUG_FILES],
        see_also: &["backsight-normalize(1)", "perf-record(1)", "perf-script(1)"],
    },
    Guide {
        command: "addr2line",
        examples: &[
            (
                "functions, inlined ones too, with demangled names",
                "backsight addr2line -e a.out -f -i -C 0x1139",
            ),
            (
                "addresses on standard input",
                "backsight addr2line -e a.out -f",
            ),
        ],
        exit_status: ANSWERS,
        files: &[("a.out", "the file that is read without -e"), DEBUG_FILES],
        see_also: &["addr2line(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "buildid",
        examples: &[(
            "of several files",
            "backsight buildid /usr/bin/ls /usr/bin/cat",
        )],
        exit_status: &[
            ("0", "each file has one"),
            ("1", "a file has none or cannot be read, and was named"),
            ("2", "wrong usage"),
        ],
        files: &[],
        see_also: &["backsight-inspect(1)", "readelf(1)"],
    },
    Guide {
        command: "index",
        examples: &[
            (
                "write one and look at it",
                "backsight index build /usr/bin/ls -o ls.index",
            ),
            ("is it sound?", "backsight index verify ls.index"),
        ],
        exit_status: DOES,
        files: &[],
        see_also: &["backsight-index-build(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "index build",
        examples: &[
            ("to a file", "backsight index build /usr/bin/ls -o ls.index"),
            (
                "where symbolize and convert find it by build ID",
                "backsight index build /usr/bin/ls --index-dir indexes",
            ),
        ],
        exit_status: DOES,
        files: &[DEBUG_FILES],
        see_also: &["backsight-index-show(1)", "backsight-index-verify(1)"],
    },
    Guide {
        command: "index show",
        examples: &[("what takes how much room", "backsight index show ls.index")],
        exit_status: DOES,
        files: &[],
        see_also: &["backsight-index-build(1)"],
    },
    Guide {
        command: "index verify",
        examples: &[("several", "backsight index verify ls.index cat.index")],
        exit_status: &[
            ("0", "all are sound"),
            ("1", "one is not, or cannot be read, and was named"),
            ("2", "wrong usage"),
        ],
        files: &[],
        see_also: &["backsight-index-build(1)"],
    },
    Guide {
        command: "inspect",
        examples: &[
            (
                "all that a file defines",
                "backsight inspect /usr/lib/x86_64-linux-gnu/libc.so.6",
            ),
            (
                "where is a function?",
                "backsight inspect /usr/lib/x86_64-linux-gnu/libc.so.6 qsort",
            ),
        ],
        exit_status: &[
            ("0", "done; every name that was asked for is there"),
            (
                "1",
                "a name is not there, and was named; or the file cannot be read",
            ),
            ("2", "wrong usage"),
        ],
        files: &[DEBUG_FILES],
        see_also: &["nm(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "demo",
        examples: &[("what does all this do?", "backsight demo")],
        exit_status: DOES,
        files: &[],
        see_also: &["backsight-symbolize(1)"],
    },
    Guide {
        command: "doctor",
        examples: &[
            (
                "what may this user see, and what would help?",
                "backsight doctor",
            ),
            ("for a script", "backsight doctor --format json"),
        ],
        exit_status: DOES,
        files: &[],
        see_also: &["capabilities(7)", "proc(5)"],
    },
    Guide {
        command: "completions",
        examples: &[(
            "for bash, from the next shell on",
            "backsight completions bash > ~/.local/share/bash-completion/completions/backsight",
        )],
        exit_status: DOES,
        files: &[],
        see_also: &["bash(1)", "zsh(1)", "fish(1)"],
    },
    Guide {
        command: "man",
        examples: &[
            ("read all pages", "backsight man | man -l -"),
            (
                "install them",
                "backsight man --out ~/.local/share/man/man1",
            ),
        ],
        exit_status: DOES,
        files: &[],
        see_also: &["man(1)"],
    },
];
