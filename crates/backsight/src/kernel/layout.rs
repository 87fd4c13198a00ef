//! How distances from the first byte of the image or of a module become virtual offsets.

use backsight_types::{FileOffset, Perms, Segment, Segments, VirtOffset};

/// No image is larger: `KERNEL_IMAGE_SIZE` of x86-64.
pub(super) const MAX_IMAGE_BYTES: u64 = 1 << 30;

/// No module is larger: it is allocated in a range of 1.5 GiB at most, that of x86-64.
pub(super) const MAX_MODULE_BYTES: u64 = 1 << 30;

/// Returns a segment whose first byte is at distance 0.
pub(super) fn one_segment(virt_offset: VirtOffset, size: u64) -> Segments {
    Segments::new(vec![Segment {
        flags: Perms::READ | Perms::EXECUTE,
        file_offset: FileOffset(0),
        virt_offset,
        file_size: size,
        memory_size: size,
    }])
}
