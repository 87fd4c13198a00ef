//! Advice on how to get names for nameless frames.

use backsight_types::{ModuleKind, Reason};

/// How runtimes are told to write the names of the code that they make.
pub(super) const RUNTIMES: &str = "node --perf-basic-prof, python -X perf, \
    java -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit, erl +JPperf true";

pub(crate) const NAMES: &str = "a list of its names, which runtimes write when they are told to (node \
    --perf-basic-prof, python -X perf, java -XX:+UnlockDiagnosticVMOptions \
    -XX:+DumpPerfMapAtExit, erl +JPperf true)";

/// Returns the name of a reason.
pub(super) fn name(reason: Option<Reason>) -> &'static str {
    reason.map_or("unknown", Reason::as_str)
}

/// Returns what would give names to the frames of a module with a file.
pub(super) fn module_advice(kind: ModuleKind, reason: Option<Reason>) -> &'static str {
    match (kind, reason) {
        (ModuleKind::Kernel, _) => {
            "reading /proc/kallsyms as root or with kernel.kptr_restrict=0, while the recorded kernel runs,"
        }
        (_, Some(Reason::NoSymbols | Reason::VdsoNoSymbols)) => "its debug package",
        (_, Some(Reason::IdentityUnproven)) => {
            "the mapped file below a --root, or its build ID in the input (perf record \
             --buildid-mmap), or --trust-paths, which uses the file at its path unproven,"
        }
        (_, Some(Reason::Limit)) => "a higher limit",
        _ => {
            "its file, below a --root (/proc/PID/root while a process of the container runs) or by \
             build ID in a --debug-dir,"
        }
    }
}

/// Returns advice for a reason that applies to addresses outside of modules.
pub(super) fn reason_advice(reason: Option<Reason>) -> Option<&'static str> {
    match reason? {
        Reason::Unmapped | Reason::NotExecutable => Some(
            "broken stacks: record with --call-graph dwarf, or compile with \
             -fno-omit-frame-pointer",
        ),
        Reason::Anonymous => Some("code generated at run time has no file"),
        Reason::Kernel => Some("perf records the kernel's mappings only for root"),
        _ => None,
    }
}
