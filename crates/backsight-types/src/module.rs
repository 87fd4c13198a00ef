//! Modules: the description of a mapped file that one host sends to another.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::addr::{FileOffset, VirtOffset};
use crate::arch::Arch;
use crate::build_id::BuildId;
use crate::reason::Reason;
use crate::segments::Segments;

/// A device number, as `stat` and the maps text print it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

impl fmt::Display for Device {
    /// Writes hexadecimal numbers of two digits or more, such as `fe:00`, as the maps
    /// text does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}", self.major, self.minor)
    }
}

/// The index of a module in the list that it belongs to: the modules of a normalized
/// batch, of a profile, or of a stream of NDJSON. A symbolizer identifies its modules by
/// `ModuleId` instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct ModuleIdx(pub u32);

impl ModuleIdx {
    /// Returns it as a slice index.
    #[must_use]
    pub fn as_usize(self) -> usize {
        // `usize` has at least 32 bits wherever Linux runs.
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Where a module's bytes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModuleKind {
    /// A file, or a memfd, which has an inode like a file.
    #[default]
    File,
    /// The vDSO: code that the kernel maps into every process.
    Vdso,
    /// The kernel's image, or one of its modules. File offsets count from the first address
    /// of its mapping, which is `_text` for the image. In code of the kernel that has no
    /// file, such as `[bpf]`, a file offset is the address itself.
    Kernel,
    /// Memory without a file, with code that was generated at run time. Its path is the
    /// name that `perf` uses, `/tmp/perf-PID.map`, whether that file exists or not. A
    /// file offset in it is the address itself.
    Anonymous,
}

impl ModuleKind {
    /// Returns the name that the formats use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Vdso => "vdso",
            Self::Kernel => "kernel",
            Self::Anonymous => "anonymous",
        }
    }

    /// Returns the kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::File, Self::Vdso, Self::Kernel, Self::Anonymous];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A file's identity across processes, and its layout, as far as it is known.
///
/// Its identity is device, inode and build ID. The path is only for display: another file
/// may have that path now, or in another mount namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// The kind of the module: where its bytes come from.
    pub kind: ModuleKind,
    /// The path from the kernel as raw bytes, without ` (deleted)`.
    pub path: Vec<u8>,
    /// Whether the kernel marked the path ` (deleted)`.
    pub deleted: bool,
    /// The device in the maps text. On overlayfs and btrfs, it differs from that of
    /// `stat`.
    pub device: Device,
    /// The inode number.
    pub inode: u64,
    /// The GNU build ID, if there is one and it could be read.
    pub build_id: Option<BuildId>,
    /// The `PT_LOAD` headers, if the file could be read as ELF.
    pub segments: Option<Segments>,
    /// The machine, if the file could be read as ELF.
    pub arch: Option<Arch>,
    /// Why the file could not be read, if reading it was tried and failed.
    pub unreadable: Option<Reason>,
    /// Whether the data is from a file that was found by path only. The user allowed
    /// that; nothing proves that it is the mapped file.
    pub by_path: bool,
    /// Whether build ID and segments were read from the memory of the process, because the file
    /// could not be opened: see [`unreadable`](Self::unreadable).
    pub from_memory: bool,
    /// Whether no mapping says that this code is of the file: it is in anonymous memory, where
    /// the program moved its text, and follows from the mappings around it.
    pub inferred: bool,
}

impl Module {
    /// Sets where the bytes come from.
    #[must_use]
    pub fn with_kind(self, kind: ModuleKind) -> Self {
        Self { kind, ..self }
    }

    /// Sets the path.
    #[must_use]
    pub fn with_path(self, path: impl Into<Vec<u8>>) -> Self {
        let path = path.into();
        Self { path, ..self }
    }

    /// Sets whether the kernel marked the path.
    #[must_use]
    pub fn with_deleted(self, deleted: bool) -> Self {
        Self { deleted, ..self }
    }

    /// Sets the device.
    #[must_use]
    pub fn with_device(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// Sets the inode number.
    #[must_use]
    pub fn with_inode(self, inode: u64) -> Self {
        Self { inode, ..self }
    }

    /// Sets the build ID.
    #[must_use]
    pub fn with_build_id(self, build_id: impl Into<Option<BuildId>>) -> Self {
        let build_id = build_id.into();
        Self { build_id, ..self }
    }

    /// Sets the `PT_LOAD` headers.
    #[must_use]
    pub fn with_segments(self, segments: impl Into<Option<Segments>>) -> Self {
        let segments = segments.into();
        Self { segments, ..self }
    }

    /// Sets the machine.
    #[must_use]
    pub fn with_arch(self, arch: impl Into<Option<Arch>>) -> Self {
        let arch = arch.into();
        Self { arch, ..self }
    }

    /// Sets why the file could not be read.
    #[must_use]
    pub fn with_unreadable(self, unreadable: impl Into<Option<Reason>>) -> Self {
        let unreadable = unreadable.into();
        Self { unreadable, ..self }
    }

    /// Sets whether the file was found by path only.
    #[must_use]
    pub fn with_by_path(self, by_path: bool) -> Self {
        Self { by_path, ..self }
    }

    /// Sets whether build ID and segments were read from the memory of the process.
    #[must_use]
    pub fn with_from_memory(self, from_memory: bool) -> Self {
        Self {
            from_memory,
            ..self
        }
    }

    /// Sets whether it follows from the mappings around it that this code is of the file.
    #[must_use]
    pub fn with_inferred(self, inferred: bool) -> Self {
        Self { inferred, ..self }
    }

    /// Returns the virtual offset of a byte of this file; `None` without segments, or if
    /// none of them loads that byte.
    #[must_use]
    pub fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        self.segments.as_ref()?.virt_offset_of(offset)
    }

    /// Returns the path as a [`Path`].
    ///
    /// ```
    /// # use backsight_types::Module;
    /// let module = Module::default().with_path(b"/usr/lib/libc.so.6");
    /// assert_eq!(module.as_path().file_name(), Some("libc.so.6".as_ref()));
    /// ```
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// Returns the path as text for messages; bytes that are not UTF-8 are replaced by �.
    #[must_use]
    pub fn path_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn a_device_has_two_digits_or_more() {
        assert_eq!(
            Device {
                major: 0xfe,
                minor: 0
            }
            .to_string(),
            "fe:00"
        );
        assert_eq!(
            Device {
                major: 0x103,
                minor: 0x12345
            }
            .to_string(),
            "103:12345"
        );
    }
}
