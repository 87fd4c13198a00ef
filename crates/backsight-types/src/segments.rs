//! Converts between file offsets and virtual offsets of an ELF file.
//!
//! A profiler has *file offsets*; symbol tables and DWARF use *virtual offsets*. Only the
//! `PT_LOAD` headers relate the two: lld, for example, gives code a `p_vaddr` that
//! differs from its `p_offset`.

use crate::addr::{FileOffset, VirtOffset};
use crate::perms::Perms;

/// One `PT_LOAD` program header: which bytes of the file are loaded at which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// `p_flags`: the permissions of the loaded bytes.
    pub flags: Perms,
    /// `p_offset`, in bytes from the file's start.
    pub file_offset: FileOffset,
    /// `p_vaddr`.
    pub virt_offset: VirtOffset,
    /// `p_filesz`: how many bytes come from the file.
    pub file_size: u64,
    /// `p_memsz`: how many bytes it occupies in memory; those after `p_filesz` are zero.
    pub memory_size: u64,
}

impl Segment {
    fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        let into = offset.distance_from(self.file_offset)?;
        (into < self.file_size).then(|| self.virt_offset.checked_add(into))?
    }

    fn file_offset_of(&self, virt: VirtOffset) -> Option<FileOffset> {
        let into = virt.distance_from(self.virt_offset)?;
        (into < self.file_size).then(|| self.file_offset.checked_add(into))?
    }
}

/// All `PT_LOAD` headers of one ELF file, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Segments(Vec<Segment>);

impl Segments {
    /// Returns the segments with these headers, in the file's order.
    #[must_use]
    pub fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// Returns the headers in the file's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Segment] {
        &self.0
    }

    /// Returns the virtual offset that the byte at `offset` is loaded to.
    ///
    /// Segments may share file bytes. Profilers look up code, so executable segments take
    /// precedence, and among them the first in the file.
    ///
    /// Returns `None` if no segment loads that byte (section headers, debug sections, the
    /// padding that fills a segment's last page), or if the sum exceeds `u64::MAX`
    /// (possible with a forged file).
    #[must_use]
    pub fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        self.code_first()
            .find_map(|segment| segment.virt_offset_of(offset))
    }

    /// Returns the file offset of the byte that is loaded to `virt`.
    ///
    /// Returns `None` if no segment covers it, or if it has no byte in the file (`.bss`).
    #[must_use]
    pub fn file_offset_of(&self, virt: VirtOffset) -> Option<FileOffset> {
        self.code_first()
            .find_map(|segment| segment.file_offset_of(virt))
    }

    fn code_first(&self) -> impl Iterator<Item = &Segment> {
        let code = self
            .0
            .iter()
            .filter(|segment| segment.flags.is_executable());
        code.chain(
            self.0
                .iter()
                .filter(|segment| !segment.flags.is_executable()),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Segment, Segments};
    use crate::{FileOffset, Perms, VirtOffset};

    fn segment(flags: Perms, offset: u64, virt: u64, file_size: u64) -> Segment {
        Segment {
            flags,
            file_offset: FileOffset(offset),
            virt_offset: VirtOffset(virt),
            file_size,
            memory_size: file_size,
        }
    }

    /// A layout as by lld: the virtual offset of the code is one page higher than its
    /// file offset.
    fn lld() -> Segments {
        Segments::new(vec![
            segment(Perms::READ, 0, 0, 0x1234),
            segment(Perms::READ | Perms::EXECUTE, 0x1240, 0x2240, 0x500),
        ])
    }

    #[test]
    fn only_bytes_a_segment_loads_have_a_virtual_offset() {
        let overflow = Segments::new(vec![segment(Perms::EXECUTE, 0, u64::MAX, 2)]);
        let shared = Segments::new(vec![
            segment(Perms::READ, 0, 0, 0x1000),
            segment(Perms::EXECUTE, 0, 0x40_0000, 0x1000),
        ]);
        let cases = [
            ("first byte of code", lld(), 0x1240, Some(0x2240)),
            ("last byte of code", lld(), 0x173f, Some(0x273f)),
            ("padding behind code", lld(), 0x1740, None),
            ("gap between segments", lld(), 0x123a, None),
            ("data", lld(), 0x10, Some(0x10)),
            ("sum overflows", overflow, 1, None),
            ("shared bytes: code wins", shared, 0x10, Some(0x40_0010)),
            ("no segments", Segments::default(), 0, None),
        ];
        for (name, segments, offset, want) in cases {
            let got = segments.virt_offset_of(FileOffset(offset));
            assert_eq!(got, want.map(VirtOffset), "{name}");
        }
    }

    prop_compose! {
        /// Segments that overlap neither in the file nor in memory.
        fn disjoint()(
            sizes in prop::collection::vec((1_u64..0x3000, 0_u64..0x2000, 0_u8..8), 0..6)
        ) -> Segments {
            let (mut offset, mut virt) = (0, 0x10_0000);
            Segments::new(sizes.into_iter().map(|(size, gap, flags)| {
                let made = segment(Perms::from_bits(flags), offset, virt, size);
                (offset, virt) = (offset + size + gap, virt + size + 2 * gap);
                made
            }).collect())
        }
    }

    proptest! {
        #[test]
        fn file_to_virt_and_back(segments in disjoint(), offset in 0..0x2_0000_u64) {
            if let Some(virt) = segments.virt_offset_of(FileOffset(offset)) {
                prop_assert_eq!(segments.file_offset_of(virt), Some(FileOffset(offset)));
            }
        }
    }
}
