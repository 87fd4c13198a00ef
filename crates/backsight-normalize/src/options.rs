//! The options of normalization.

use std::path::PathBuf;

use vma_query::{Backend, OpenOptions};

/// Where build IDs come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildIds {
    /// The kernel, or else the notes of the file.
    #[default]
    Auto,
    /// Only the kernel: no file is opened for it.
    Kernel,
    /// Only the notes of the file.
    File,
    /// No build IDs are read.
    None,
}

/// Whether a session verifies what it cached in earlier calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Each VMA and gap that is needed is queried again, once in each call.
    #[default]
    Recheck,
    /// Nothing is queried twice, until the caller reports a change.
    UntilInvalidated,
}

/// How a process is normalized.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How VMAs are read.
    pub backend: Backend,
    /// Where build IDs come from.
    pub build_ids: BuildIds,
    /// Whether the program headers of each module are read, so that its file offsets can
    /// be converted to ELF virtual offsets here and elsewhere.
    pub segments: bool,
    /// Whether the file of each module is kept open, or the vDSO's image kept, for a
    /// symbolizer. This takes one file descriptor for each module.
    pub images: bool,
    /// Whether files are opened through `/proc/PID/map_files` if that is permitted. Such
    /// a link is the mapped file itself, even if it was deleted or replaced.
    pub map_files: bool,
    /// Whether executable memory without a file is taken as the text of a file that was moved
    /// there, for example to huge pages, if the mappings around it and the program headers of
    /// that file prove it. Such a module is marked [inferred](backsight_types::Module::inferred).
    /// Without [`segments`](Self::segments) it has no effect.
    pub remapped_text: bool,
    /// Whether a session verifies what it cached in earlier calls.
    pub trust: Trust,
    /// The directory to use instead of `/proc`.
    pub proc_root: Option<PathBuf>,
}

impl Default for Options {
    /// Everything that another host needs to use an address, and no files kept open.
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            build_ids: BuildIds::Auto,
            segments: true,
            images: false,
            map_files: true,
            remapped_text: true,
            trust: Trust::Recheck,
            proc_root: None,
        }
    }
}

impl Options {
    /// Returns options with which only addresses and paths are read, and no mapped file
    /// is opened.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            build_ids: BuildIds::None,
            segments: false,
            ..Self::default()
        }
    }

    /// Sets how VMAs are read.
    #[must_use]
    pub fn with_backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Sets where build IDs come from.
    #[must_use]
    pub fn with_build_ids(self, build_ids: BuildIds) -> Self {
        Self { build_ids, ..self }
    }

    /// Sets whether program headers are read.
    #[must_use]
    pub fn with_segments(self, segments: bool) -> Self {
        Self { segments, ..self }
    }

    /// Sets whether files are kept open, or the vDSO's image kept.
    #[must_use]
    pub fn with_images(self, images: bool) -> Self {
        Self { images, ..self }
    }

    /// Sets whether files are opened through `map_files`.
    #[must_use]
    pub fn with_map_files(self, map_files: bool) -> Self {
        Self { map_files, ..self }
    }

    /// Sets whether text that was moved to anonymous memory is recovered.
    #[must_use]
    pub fn with_remapped_text(self, remapped_text: bool) -> Self {
        Self {
            remapped_text,
            ..self
        }
    }

    /// Sets whether a session verifies what it cached.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Sets the directory to use instead of `/proc`.
    #[must_use]
    pub fn with_proc_root(self, proc_root: impl Into<Option<PathBuf>>) -> Self {
        let proc_root = proc_root.into();
        Self { proc_root, ..self }
    }

    /// Returns whether anything of a module is requested beyond its path and inode.
    pub(crate) fn reads_modules(&self) -> bool {
        self.opens_files() || self.build_ids == BuildIds::Kernel
    }

    /// Returns whether text that was moved to anonymous memory is recovered. That takes program
    /// headers.
    pub(crate) fn recovers_remapped_text(&self) -> bool {
        self.remapped_text && self.segments
    }

    /// Returns whether the kernel is queried for build IDs.
    pub(crate) fn asks_kernel(&self) -> bool {
        matches!(self.build_ids, BuildIds::Auto | BuildIds::Kernel)
    }

    /// Returns whether files of the process other than its maps may be opened.
    fn opens_files(&self) -> bool {
        self.segments || self.images || matches!(self.build_ids, BuildIds::Auto | BuildIds::File)
    }

    pub(crate) fn open(&self) -> OpenOptions {
        let open = OpenOptions::new()
            .backend(self.backend)
            .directory(self.opens_files());
        match &self.proc_root {
            Some(proc_root) => open.proc_root(proc_root),
            None => open,
        }
    }
}
