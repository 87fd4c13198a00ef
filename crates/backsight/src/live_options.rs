//! How a live process is accessed.

use std::path::PathBuf;

use crate::jit::options::MapsOf;
use crate::kernel::KernelOptions;

/// How to access the process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveOptions {
    /// Where to find the process instead of `/proc`: for example, `/host/proc` in a sidecar.
    pub proc_root: Option<PathBuf>,
    /// Options of the symbolizer. If they have no roots, separate debug files are looked for in
    /// the process's own root first.
    pub symbols: backsight_symbolize::Options,
    /// Whose lists of names of code that was made at run time are read.
    pub maps: MapsOf,
    /// The directory with `proc`, `sys`, `boot` and `lib` of the kernel, which names its addresses
    /// in stacks; `/` by default. `None` names none.
    pub kernel_root: Option<PathBuf>,
    /// A file that is looked at before the usual places of the kernel's `vmlinux`, as this host
    /// names it. It counts if it has the kernel's build ID.
    pub vmlinux: Option<PathBuf>,
    /// Whether text that the program moved to memory without a file, such as huge pages, is
    /// taken as that of its file. The module is then marked as inferred.
    pub remapped_text: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            proc_root: None,
            symbols: backsight_symbolize::Options::default(),
            maps: MapsOf::default(),
            kernel_root: Some(PathBuf::from("/")),
            vmlinux: None,
            remapped_text: true,
        }
    }
}

impl LiveOptions {
    /// Looks for the process in this directory instead of `/proc`.
    #[must_use]
    pub fn with_proc_root(self, proc_root: Option<PathBuf>) -> Self {
        Self { proc_root, ..self }
    }

    /// Names code that processes of these users made at run time.
    #[must_use]
    pub fn with_maps_of(self, maps: MapsOf) -> Self {
        Self { maps, ..self }
    }

    /// Sets the options of the symbolizer, such as roots and debug directories.
    #[must_use]
    pub fn with_symbols(self, symbols: backsight_symbolize::Options) -> Self {
        Self { symbols, ..self }
    }

    /// Sets whether text that the program moved to memory without a file is recovered.
    #[must_use]
    pub fn with_remapped_text(self, remapped_text: bool) -> Self {
        Self {
            remapped_text,
            ..self
        }
    }

    /// Sets a file that is looked at before the usual places of the kernel's `vmlinux`.
    #[must_use]
    pub fn with_vmlinux(self, vmlinux: Option<PathBuf>) -> Self {
        Self { vmlinux, ..self }
    }

    /// Returns how the kernel is opened, whose files are not looked for in the root of a process.
    pub(crate) fn of_kernel(&self) -> Option<KernelOptions> {
        let root = self.kernel_root.as_ref()?;
        let options = KernelOptions::default().with_root(root);
        let options = options.with_vmlinux(self.vmlinux.clone());
        Some(options.with_symbols(self.symbols.clone()))
    }

    /// Sets the directory with `proc`, `sys`, `boot` and `lib` of the kernel.
    #[must_use]
    pub fn with_kernel_root(self, kernel_root: Option<PathBuf>) -> Self {
        Self {
            kernel_root,
            ..self
        }
    }
}
