//! What is not known of the running kernel, though it should be.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use backsight_files::FileError;
use backsight_types::AbsAddr;

/// What is not known of the running kernel, and what that costs. The text says both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelShortfall {
    /// Lines of a list are malformed, or name something a second time.
    #[error("{}: {lines} malformed lines were skipped", path.display())]
    SkippedLines {
        /// `kallsyms` or `modules`.
        path: PathBuf,
        /// How many.
        lines: u64,
    },
    /// The list of symbols is larger than that of any kernel.
    #[error("{}: more symbols than any kernel has: the rest was not read", path.display())]
    CutOff {
        /// `kallsyms`.
        path: PathBuf,
    },
    /// The list of symbols does not say where the image is.
    #[error(
        "{}: no _text and no _stext: addresses in the kernel's image have names, but no offset",
        path.display()
    )]
    NoText {
        /// `kallsyms`.
        path: PathBuf,
    },
    /// The modules that are loaded cannot be listed.
    #[error("{0}: addresses in kernel modules have names, but no offset")]
    NoModules(FileError),
    /// The addresses of modules are hidden.
    #[error(
        "{}: the addresses of {modules} modules are hidden (kernel.kptr_restrict), so addresses \
         in them have no offset: run as root or with CAP_SYSLOG",
        path.display()
    )]
    HiddenModules {
        /// `modules`.
        path: PathBuf,
        /// How many.
        modules: u64,
    },
    /// The kernel does not tell this process of BPF programs.
    #[error(
        "lines of BPF programs: bpf(2): {cause}: run as root or with CAP_SYS_ADMIN, or go without"
    )]
    NoBpfLines {
        /// The kernel's refusal.
        cause: String,
    },
    /// The kernel hides the addresses of BPF programs from this process.
    #[error(
        "the addresses of {programs} BPF programs are hidden (kernel.kptr_restrict), so they have \
         no lines: run as root or with CAP_SYSLOG"
    )]
    HiddenBpfPrograms {
        /// How many.
        programs: usize,
    },
    /// The build ID of the image cannot be read.
    #[error("{}: no build ID: no vmlinux can be proven to be that of the kernel", path.display())]
    NoBuildId {
        /// `notes`.
        path: PathBuf,
    },
    /// The build ID of a module cannot be read.
    #[error("kernel module {name}: no build ID: no .ko file can be proven to be its own")]
    NoModuleBuildId {
        /// The module.
        name: String,
    },
    /// The kernel says in two ways where a module's code is, and they differ.
    #[error(
        "kernel module {name}: its section .text is at {text}, outside of its memory at \
         {base}: its .ko file is not used"
    )]
    TextElsewhere {
        /// The module.
        name: String,
        /// The absolute address of `.text`, from `/sys/module/NAME/sections/.text`.
        text: AbsAddr,
        /// The absolute address in `/proc/modules`.
        base: AbsAddr,
    },
    /// Functions do not begin in the file of a module where the kernel lists them.
    #[error(
        "{}: functions begin elsewhere in it than in memory: it is not used, so there are names \
         but no lines",
        path.display()
    )]
    OtherLayout {
        /// The `.ko` file.
        path: PathBuf,
    },
}

/// What was not known so far, each once.
#[derive(Debug, Default)]
pub(super) struct Shortfalls(Mutex<Vec<KernelShortfall>>);

impl Shortfalls {
    pub(super) fn note(&self, shortfall: KernelShortfall) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&shortfall) {
            all.push(shortfall);
        }
    }

    pub(super) fn list(&self) -> Vec<KernelShortfall> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}
