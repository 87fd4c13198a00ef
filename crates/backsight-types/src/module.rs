//! Modules: what one host hands to another about the files its addresses lie in.

use std::borrow::Cow;
use std::fmt;

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

/// The place of a module in the list that was handed over with it.
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
pub enum ModuleKind {
    /// A file, or a memfd, which has an inode like a file.
    #[default]
    File,
    /// The code page that the kernel maps into every process.
    Vdso,
    /// The kernel's image, or one of its modules, in a captured trace. File offsets
    /// count from the first address of its mapping: of the image, from `_text`.
    Kernel,
}

/// A file's identity across processes, and what is known of its layout.
///
/// Its identity is device, inode and build ID. The path is for show: another
/// file may stand under it by now, and in another mount namespace surely does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Returns the virtual offset of a byte of this file; `None` without
    /// segments, or when none of them loads that byte.
    #[must_use]
    pub fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        self.segments.as_ref()?.virt_offset_of(offset)
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
