//! What would help frames that have no name.

use backsight_types::{ModuleKind, Reason};

/// How runtimes are told to write the names of the code that they make.
pub(super) const RUNTIMES: &str = "node --perf-basic-prof, python -X perf, \
    java -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit, erl +JPperf true";

const NAMES: &str = "a list of its names, which runtimes write when they are told to (node \
    --perf-basic-prof, python -X perf, java -XX:+UnlockDiagnosticVMOptions \
    -XX:+DumpPerfMapAtExit, erl +JPperf true)";

/// Returns what a reason is called.
pub(super) fn name(reason: Option<Reason>) -> &'static str {
    reason.map_or("unknown", Reason::as_str)
}

/// Returns what gives names to the frames of a module.
pub(super) fn module_s_help(kind: ModuleKind, reason: Option<Reason>) -> &'static str {
    match (kind, reason) {
        (ModuleKind::Kernel, _) => {
            "names of the running kernel alone, for root or with kernel.kptr_restrict=0"
        }
        (ModuleKind::Anonymous, _) => NAMES,
        (_, Some(Reason::NoSymbols | Reason::VdsoNoSymbols)) => "its debug package",
        (_, Some(Reason::IdentityUnproven)) => {
            "the file that was mapped, below a --root, or its build ID in what is read (perf record \
             --buildid-mmap); --trust-paths takes what stands under its path"
        }
        (_, Some(Reason::Limit)) => "a higher limit",
        _ => {
            "its file, below a --root (/proc/PID/root while a process of a container lives) or by \
             build ID in a --debug-dir"
        }
    }
}

/// Returns what helps where no module is known.
pub(super) fn reason_s_help(reason: Option<Reason>) -> Option<&'static str> {
    match reason? {
        Reason::Unmapped | Reason::NotExecutable => Some(
            "stacks that went astray: record with --call-graph dwarf, or compile with \
             -fno-omit-frame-pointer",
        ),
        Reason::Anonymous => Some("code that was made at run time has no file"),
        Reason::Kernel => Some("the kernel's mappings are recorded for root alone"),
        _ => None,
    }
}
