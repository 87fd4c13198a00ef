//! One virtual memory area, as the kernel reports it.

use backsight_types::{AbsAddr, AbsRange, Device, FileOffset, Perms};

/// A range of a process's memory with one backing and one set of permissions.
///
/// It is `Copy` and has no heap data: the name, which may be long, is fetched separately.
/// Both backends set every field to the same value.
///
/// Source of the fields: `Documentation/filesystems/proc.rst`, `/proc/PID/maps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Vma {
    /// The first address.
    pub start: AbsAddr,
    /// The first address after it.
    pub end: AbsAddr,
    /// The offset of its first byte in the backing file, in bytes; 0 if no file backs it.
    pub offset: FileOffset,
    /// The access permissions.
    pub perms: Perms,
    /// The device of the backing file; `00:00` when there is none.
    pub device: Device,
    /// The inode number of the backing file; 0 when there is none.
    pub inode: u64,
}

impl Vma {
    /// Returns the range of addresses.
    #[must_use]
    pub fn range(&self) -> AbsRange {
        AbsRange {
            start: self.start,
            end: self.end,
        }
    }

    /// Returns whether `addr` lies inside.
    #[must_use]
    #[inline]
    pub fn contains(&self, addr: AbsAddr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Returns whether a file backs it. Shared anonymous memory, memfds, System V
    /// segments and huge pages count, as each has an internal file of the kernel.
    #[must_use]
    #[inline]
    pub fn is_file_backed(&self) -> bool {
        self.inode != 0 || self.device != Device::default()
    }

    /// Returns whether code may run in it.
    #[must_use]
    #[inline]
    pub fn is_executable(&self) -> bool {
        self.perms.is_executable()
    }

    /// Returns the offset in the backing file of the byte at `addr`.
    ///
    /// A file offset is not an ELF virtual offset: lld, for example, gives code a
    /// `p_vaddr` that differs from its `p_offset`.
    ///
    /// Returns `None` when `addr` lies outside the VMA, when no file backs it, or when
    /// the sum exceeds `u64::MAX` (possible with a forged maps text).
    #[must_use]
    pub fn file_offset_of(&self, addr: AbsAddr) -> Option<FileOffset> {
        if !self.is_file_backed() || addr >= self.end {
            return None;
        }
        self.offset.checked_add(addr.distance_from(self.start)?)
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, Device, FileOffset};

    use super::Vma;

    fn libc_text() -> Vma {
        Vma {
            start: AbsAddr(0x7f00_0000_0000),
            end: AbsAddr(0x7f00_0000_3000),
            offset: FileOffset(0x2_6000),
            inode: 42,
            ..Vma::default()
        }
    }

    #[test]
    fn an_address_inside_has_a_file_offset() {
        let overflow = Vma {
            offset: FileOffset(u64::MAX),
            ..libc_text()
        };
        let no_file = Vma {
            inode: 0,
            ..libc_text()
        };
        let device_alone = Vma {
            inode: 0,
            device: Device { major: 0, minor: 5 },
            ..libc_text()
        };
        let cases = [
            ("first byte", libc_text(), 0x7f00_0000_0000, Some(0x2_6000)),
            ("last byte", libc_text(), 0x7f00_0000_2fff, Some(0x2_8fff)),
            ("the end is exclusive", libc_text(), 0x7f00_0000_3000, None),
            ("below start", libc_text(), 0x7eff_ffff_ffff, None),
            ("not file-backed", no_file, 0x7f00_0000_0000, None),
            (
                "inode 0 on a real device",
                device_alone,
                0x7f00_0000_0001,
                Some(0x2_6001),
            ),
            ("sum overflows", overflow, 0x7f00_0000_0001, None),
        ];
        for (name, vma, addr, want) in cases {
            assert_eq!(
                vma.file_offset_of(AbsAddr(addr)),
                want.map(FileOffset),
                "{name}"
            );
        }
    }
}
