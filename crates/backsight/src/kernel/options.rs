//! Where the running kernel is described, and how its files are looked for.

use std::path::PathBuf;

/// Where the running kernel is described, and how its files are looked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KernelOptions {
    /// The directory with `proc`, `sys`, `boot` and `lib` of the kernel: `/`, or what the host's
    /// root is called in a sidecar. It must describe the kernel that runs here: its addresses
    /// are those of this boot.
    pub root: PathBuf,
    /// Options of the symbolizer, such as roots and debug directories. If `root` is not `/`, files
    /// are looked for in it, too.
    pub symbols: backsight_symbolize::Options,
    /// A file that is looked at before the usual places of `vmlinux`, as this host names it.
    /// It counts if it has the kernel's build ID.
    pub vmlinux: Option<PathBuf>,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            symbols: backsight_symbolize::Options::default(),
            vmlinux: None,
        }
    }
}

impl KernelOptions {
    /// Sets the directory with `proc`, `sys`, `boot` and `lib`.
    #[must_use]
    pub fn with_root(self, root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { root, ..self }
    }

    /// Sets the options of the symbolizer.
    #[must_use]
    pub fn with_symbols(self, symbols: backsight_symbolize::Options) -> Self {
        Self { symbols, ..self }
    }

    /// Sets a file that is looked at before the usual places of `vmlinux`.
    #[must_use]
    pub fn with_vmlinux(self, vmlinux: Option<PathBuf>) -> Self {
        Self { vmlinux, ..self }
    }
}
