//! Advice on how to get names for nameless frames.

use std::io::ErrorKind;

use backsight_files::{By, Error, open};
use backsight_types::{Module, ModuleKind, Reason};

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
pub(crate) fn module_advice(module: &Module, reason: Option<Reason>) -> &'static str {
    match (module.kind, reason) {
        (ModuleKind::Kernel, _) => {
            "reading /proc/kallsyms as root or with kernel.kptr_restrict=0, while the recorded kernel runs,"
        }
        (_, Some(Reason::VdsoNoSymbols)) => {
            "converting on the machine of the recording, before it is restarted with another \
             kernel, and with build IDs in the input (perf record without -B and -N)"
        }
        (ModuleKind::Vdso, Some(Reason::NoSymbols)) => "the debug package of the kernel",
        (_, Some(Reason::NoSymbols)) => "its debug package",
        // With another file at its path, paths are not to be trusted.
        (_, Some(Reason::IdentityUnproven)) if module.build_id.is_some() => {
            "the file with its build ID (at its path is another build), below a --root or in a \
             --debug-dir,"
        }
        (_, Some(Reason::IdentityUnproven)) => {
            "the mapped file below a --root, or its build ID in the input (perf record \
             --buildid-mmap), or --trust-paths, which uses the file at its path unproven,"
        }
        (_, Some(Reason::Limit)) => "a higher limit",
        (ModuleKind::File, Some(Reason::Unreadable)) if is_closed(module) => {
            "the right to read it (its user, root, or CAP_DAC_READ_SEARCH)"
        }
        _ => {
            "its file, below a --root (/proc/PID/root while a process of the container runs) or by \
             build ID in a --debug-dir,"
        }
    }
}

/// Whether there is a file at the path of a module that this user may not read.
fn is_closed(module: &Module) -> bool {
    let path = module.as_path();
    let opened = path.is_absolute().then(|| open(path, By::File));
    matches!(opened, Some(Err(error)) if matches!(error.error(), Error::Io(cause)
        if cause.kind() == ErrorKind::PermissionDenied))
}

/// Returns advice for a reason that applies to addresses outside of modules.
pub(super) fn reason_advice(reason: Option<Reason>) -> Option<&'static str> {
    match reason? {
        Reason::Unmapped | Reason::NotExecutable => Some(
            "broken stacks: record with --call-graph dwarf, or compile with \
             -fno-omit-frame-pointer",
        ),
        Reason::Anonymous => Some(
            "code generated at run time has no file. Nor has text that a program moved: if it moved \
             all of it, before it was recorded, perf record -d tells what is around it, and backsight \
             record asks the program",
        ),
        Reason::Kernel => Some(
            "the recording does not say where the kernel's image is ([kernel.kallsyms]_text): that \
             is known only to who may read the addresses in /proc/kallsyms when recording (root, or \
             with kernel.kptr_restrict=0)",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    use backsight_types::{BuildId, Module, Reason};

    use super::module_advice;

    #[test]
    fn a_file_of_another_build_is_not_to_be_trusted() {
        let module = Module::default().with_path("/bin/true");
        let advice = |module: &Module| module_advice(module, Some(Reason::IdentityUnproven));
        assert!(advice(&module).contains("--trust-paths"));
        let module = module.with_build_id(BuildId::from_bytes(&[7; 20]).ok());
        let advice = advice(&module);
        assert!(!advice.contains("--trust-paths") && !advice.contains("perf record"));
        assert!(advice.contains("another build"), "{advice}");
    }

    #[test]
    fn a_file_that_is_closed_to_the_user_is_told_from_one_that_is_gone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let module = Module::default().with_path(file.path().as_os_str().as_bytes());
        set_permissions(file.path(), Permissions::from_mode(0o000)).unwrap();
        let advice =
            || testkit::user::unprivileged(|| module_advice(&module, Some(Reason::Unreadable)));
        assert!(advice().contains("CAP_DAC_READ_SEARCH"), "{}", advice());
        drop(file);
        assert!(advice().contains("--root"), "{}", advice());
    }
}
