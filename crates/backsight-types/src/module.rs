//! Modules: what one host hands to another about the files its addresses lie in.

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

/// The number of a block device, as `stat` and the maps text print it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

impl fmt::Display for Device {
    /// Writes `fe:00`: hexadecimal, two digits or more, as the maps text does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}", self.major, self.minor)
    }
}

/// The index of a module in the list that came with it: the modules of a normalized batch, of a
/// profile, or of a stream of NDJSON. A symbolizer has a `ModuleId` of its own for a module
/// that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct ModuleIdx(pub u32);

impl ModuleIdx {
    /// Returns the place as a slice index.
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
    /// The code page that the kernel maps into every process.
    Vdso,
    /// The kernel's image, or one of its modules, in a captured trace. File offsets
    /// count from the first address of its mapping: of the image, from `_text`.
    Kernel,
    /// Memory without a file, in which code was made at run time. Its path is what `perf`
    /// calls it, `/tmp/perf-PID.map`, whether there is such a file or not; a file offset
    /// in it is the address itself.
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

    /// Reads such a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::File, Self::Vdso, Self::Kernel, Self::Anonymous];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A file's identity across processes, and what is known of its layout.
///
/// Its identity is device, inode and build ID. The path is for show: another
/// file may stand under it by now, and in another mount namespace surely does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// Where the bytes come from.
    pub kind: ModuleKind,
    /// The path as the kernel gave it, raw bytes, without ` (deleted)`.
    pub path: Vec<u8>,
    /// Whether the kernel marked the path ` (deleted)`.
    pub deleted: bool,
    /// The device in the maps text. Overlayfs and btrfs report another one
    /// than `stat` does.
    pub device: Device,
    /// The inode number.
    pub inode: u64,
    /// The GNU build ID, when there is one and it could be read.
    pub build_id: Option<BuildId>,
    /// The `PT_LOAD` headers, when the file could be read as ELF.
    pub segments: Option<Segments>,
    /// The machine, when the file could be read as ELF.
    pub arch: Option<Arch>,
    /// Why the file could not be read, when it was tried and could not.
    pub unreadable: Option<Reason>,
    /// Whether what is known of its file comes from one that stood under its path and that
    /// nothing proved to be the one, because the user said so.
    pub by_path: bool,
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

    /// Sets whether nothing but the path proves the file.
    #[must_use]
    pub fn with_by_path(self, by_path: bool) -> Self {
        Self { by_path, ..self }
    }

    /// Returns the virtual offset of a byte of this file; `None` without
    /// segments, or when none of them loads that byte.
    #[must_use]
    pub fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        self.segments.as_ref()?.virt_offset_of(offset)
    }

    /// Returns the path as the standard library has it.
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

    /// Returns the path as text for messages; bytes that are not UTF-8 show as �.
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
