//! The guides of all subcommands.

use super::entry::Guide;
use super::look_pages::{ANNOTATE, DIFF, REPORT, TOP, VIEW};
use super::record_page::RECORD;
use super::stack_page::STACK;

/// Exit status of commands that answer addresses.
const ANSWER_STATUS: &[(&str, &str)] = &[
    (
        "0",
        "success; an address that is reported as unresolved counts as answered",
    ),
    (
        "1",
        "a process or file cannot be read, or results cannot be written",
    ),
    ("2", "wrong usage"),
    (
        "3",
        "with --strict: an address is unresolved, or a line of input is malformed",
    ),
];

/// Exit status of other commands.
const SIMPLE_STATUS: &[(&str, &str)] = &[
    ("0", "success"),
    ("1", "failure; the message names the cause and the way out"),
    ("2", "wrong usage"),
];

const DEBUG_FILES: (&str, &str) = (
    "/usr/lib/debug",
    "separate debug files, at .build-id/xx/rest.debug or by debug link",
);

const STORE: (&str, &str) = (
    "~/.local/share/backsight/store",
    "the default store, in $XDG_DATA_HOME if that is set",
);

pub(super) const GUIDES: &[Guide] = &[
    Guide {
        command: "backsight",
        examples: &[
            (
                "what does each thread of a process do?",
                "backsight stack -p $(pidof server)",
            ),
            (
                "a flame graph of a program",
                "backsight record -o flame.svg -- ./program",
            ),
            (
                "a flame graph of a perf recording",
                "backsight convert perf.data flame.svg",
            ),
            (
                "what do this kernel and this user allow?",
                "backsight doctor",
            ),
        ],
        exit_status: ANSWER_STATUS,
        files: &[],
        see_also: &["perf-record(1)", "addr2line(1)", "proc(5)"],
    },
    RECORD,
    STACK,
    REPORT,
    ANNOTATE,
    VIEW,
    TOP,
    DIFF,
    Guide {
        command: "maps",
        examples: &[
            (
                "file-backed code of a process",
                "backsight maps -p 1 --exec --file-backed",
            ),
            (
                "the VMA that covers an address, with its build ID",
                "backsight maps -p 1 --at 0x7f1b4c6d1a47 --build-id",
            ),
        ],
        exit_status: SIMPLE_STATUS,
        files: &[(
            "/proc/PID/maps",
            "queried by ioctl on Linux 6.11 and later, otherwise read as text",
        )],
        see_also: &["backsight-normalize(1)", "proc(5)"],
    },
    Guide {
        command: "normalize",
        examples: &[
            (
                "modules and offsets, which are valid on any host",
                "backsight normalize -p 1 0x7f1b4c6d1a47 --format json > stack.ndjson",
            ),
            (
                "a recording, to be symbolized on another host",
                "backsight normalize -i perf.data -o captured.ndjson",
            ),
            (
                "addresses from a pipe, as they arrive",
                "backsight normalize -p 1 --end-mark -",
            ),
        ],
        exit_status: ANSWER_STATUS,
        files: &[
            ("/proc/PID/maps", "the mappings of the process"),
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
                "where each thread of some processes is",
                "backsight symbolize -p $(pidof server)",
            ),
            (
                "an address in a file, as nm and objdump print it",
                "backsight symbolize -e /usr/bin/ls 0x6ab0",
            ),
            (
                "addresses normalized on another host",
                "backsight symbolize -i stack.ndjson --debug-dir debug",
            ),
            (
                "files of two containers, searched in this order",
                "backsight symbolize -i stack.ndjson --root web --root db",
            ),
            (
                "as a co-process",
                "backsight symbolize -e /usr/bin/ls --end-mark -",
            ),
        ],
        exit_status: ANSWER_STATUS,
        files: &[
            DEBUG_FILES,
            (
                "/proc/PID/root/",
                "the first place where files of a process are looked for",
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
            (
                "symbols for a trace of Perfetto, which are appended to it",
                "backsight convert a.pftrace a.perfetto-symbols && cat a.perfetto-symbols >>a.pftrace",
            ),
        ],
        exit_status: &[
            (
                "0",
                "the output is written; malformed parts of the input were reported",
            ),
            (
                "1",
                "the input cannot be read or the output cannot be written; an existing output file is kept",
            ),
            ("2", "wrong usage"),
            (
                "3",
                "with --strict: an address has no frame, or a part of the input is malformed",
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
        exit_status: ANSWER_STATUS,
        files: &[
            ("a.out", "the default file if -e is not given"),
            DEBUG_FILES,
        ],
        see_also: &["addr2line(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "buildid",
        examples: &[(
            "the build IDs of several files",
            "backsight buildid /usr/bin/ls /usr/bin/cat",
        )],
        exit_status: &[
            ("0", "each file has a build ID"),
            ("1", "a file that has none or cannot be read was reported"),
            ("2", "wrong usage"),
        ],
        files: &[],
        see_also: &["backsight-inspect(1)", "readelf(1)"],
    },
    Guide {
        command: "index",
        examples: &[
            (
                "build an index and show its size",
                "backsight index build /usr/bin/ls -o ls.index",
            ),
            (
                "check an index for damage",
                "backsight index verify ls.index",
            ),
        ],
        exit_status: SIMPLE_STATUS,
        files: &[],
        see_also: &["backsight-index-build(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "index build",
        examples: &[
            ("to a file", "backsight index build /usr/bin/ls -o ls.index"),
            (
                "to a directory where symbolize and convert find it by build ID",
                "backsight index build /usr/bin/ls --index-dir indexes",
            ),
        ],
        exit_status: SIMPLE_STATUS,
        files: &[DEBUG_FILES],
        see_also: &["backsight-index-show(1)", "backsight-index-verify(1)"],
    },
    Guide {
        command: "index show",
        examples: &[("the size of each table", "backsight index show ls.index")],
        exit_status: SIMPLE_STATUS,
        files: &[],
        see_also: &["backsight-index-build(1)"],
    },
    Guide {
        command: "index verify",
        examples: &[(
            "check several indexes",
            "backsight index verify ls.index cat.index",
        )],
        exit_status: &[
            ("0", "all are sound"),
            ("1", "one that is damaged or cannot be read was reported"),
            ("2", "wrong usage"),
        ],
        files: &[],
        see_also: &["backsight-index-build(1)"],
    },
    Guide {
        command: "store",
        examples: &[
            (
                "keep the binaries of a release and their debug files",
                "backsight store add target/release /usr/lib/debug/.build-id",
            ),
            ("at most 20 GiB", "backsight store gc --size 20G"),
        ],
        exit_status: SIMPLE_STATUS,
        files: &[STORE],
        see_also: &["backsight-store-add(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "store add",
        examples: &[
            (
                "a library",
                "backsight store add /usr/lib/x86_64-linux-gnu/libc.so.6",
            ),
            (
                "all that a build made, without copying it",
                "backsight store add --link target/release",
            ),
        ],
        exit_status: &[
            ("0", "each file that was named is in the store"),
            (
                "1",
                "a file that could not be added was reported, or the store cannot be used",
            ),
            ("2", "wrong usage"),
        ],
        files: &[STORE],
        see_also: &["backsight-store-ls(1)", "backsight-store-gc(1)"],
    },
    Guide {
        command: "store ls",
        examples: &[("what was not used for longest", "backsight store ls | head")],
        exit_status: SIMPLE_STATUS,
        files: &[STORE],
        see_also: &["backsight-store-add(1)"],
    },
    Guide {
        command: "store gc",
        examples: &[("at most 20 GiB", "backsight store gc --size 20G")],
        exit_status: SIMPLE_STATUS,
        files: &[STORE],
        see_also: &["backsight-store-ls(1)"],
    },
    Guide {
        command: "inspect",
        examples: &[
            (
                "all functions and data of a file",
                "backsight inspect /usr/lib/x86_64-linux-gnu/libc.so.6",
            ),
            (
                "where is a function?",
                "backsight inspect /usr/lib/x86_64-linux-gnu/libc.so.6 qsort",
            ),
        ],
        exit_status: &[
            ("0", "success; every requested name was found"),
            (
                "1",
                "a requested name was not found and was reported, or the file cannot be read",
            ),
            ("2", "wrong usage"),
        ],
        files: &[DEBUG_FILES],
        see_also: &["nm(1)", "backsight-symbolize(1)"],
    },
    Guide {
        command: "demo",
        examples: &[("a tour", "backsight demo")],
        exit_status: SIMPLE_STATUS,
        files: &[],
        see_also: &["backsight-symbolize(1)"],
    },
    Guide {
        command: "doctor",
        examples: &[
            (
                "what do this kernel and this user allow?",
                "backsight doctor",
            ),
            ("for a script", "backsight doctor --format json"),
        ],
        exit_status: SIMPLE_STATUS,
        files: &[],
        see_also: &["capabilities(7)", "proc(5)"],
    },
    Guide {
        command: "completions",
        examples: &[(
            "install for bash; used by new shells",
            "backsight completions bash > ~/.local/share/bash-completion/completions/backsight",
        )],
        exit_status: SIMPLE_STATUS,
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
        exit_status: SIMPLE_STATUS,
        files: &[],
        see_also: &["man(1)"],
    },
];
