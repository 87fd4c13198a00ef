//! Where the program headers of a file say that a VMA of it belongs.
//!
//! The loader maps all segments of a file with one load bias. So whether two VMAs belong to one
//! loaded file, and what belongs between them, follows from the headers.

use backsight_types::{AbsAddr, AbsRange, FileOffset, Segment, Segments};
use vma_query::Vma;

/// The smallest page size of all machines that Linux runs on. Where pages are larger, the ends of
/// segments are judged too strictly, and never too loosely.
const PAGE: u64 = 4096;

/// Returns the load biases with which a segment maps the first byte of `vma`: usually one. Where
/// two segments share a page of the file, that page may be mapped for either, and only for one
/// that is as executable as the VMA. A bias may be negative, and is computed modulo 2^64.
pub(crate) fn biases<'s>(segments: &'s Segments, vma: &Vma) -> impl Iterator<Item = u64> + 's {
    let Vma { start, offset, .. } = *vma;
    let is_code = vma.is_executable();
    let of_segment = move |segment: &Segment| {
        if segment.flags.is_executable() != is_code {
            return None;
        }
        let first = segment.file_offset.0 & !(PAGE - 1);
        let end = segment.file_offset.0.checked_add(segment.file_size)?;
        let end = end.checked_next_multiple_of(PAGE)?;
        (first..end)
            .contains(&offset.0)
            .then(|| start.0.wrapping_sub(in_memory(segment, offset)))
    };
    segments.as_slice().iter().filter_map(of_segment)
}

/// Returns whether one load of the file maps both VMAs.
pub(crate) fn are_of_one_load(segments: &Segments, one: &Vma, other: &Vma) -> bool {
    biases(segments, one).any(|bias| biases(segments, other).any(|it| it == bias))
}

/// Returns the distance between the addresses and file offsets of two VMAs of a file, if both have
/// the same. All that can be said without program headers: with those of lld it differs between
/// segments, and then nothing is known of what is between them.
pub(crate) fn distance_of_both(below: &Vma, above: &Vma) -> Option<u64> {
    let distance = |vma: &Vma| vma.start.0.wrapping_sub(vma.offset.0);
    (distance(below) == distance(above)).then(|| distance(below))
}

/// Returns the file offset of the first byte of `range`, if the file is loaded once around it,
/// with `below` and `above`, and all of `range` belongs to an executable segment of the file.
/// `None` also if that can be understood in two ways.
pub(crate) fn text_between(
    segments: &Segments,
    below: &Vma,
    range: AbsRange,
    above: &Vma,
) -> Option<FileOffset> {
    let mut found = None;
    for bias in biases(segments, below) {
        if !biases(segments, above).any(|it| it == bias) {
            continue;
        }
        let code = segments.as_slice().iter();
        let code = code.filter(|segment| segment.flags.is_executable());
        for offset in code.filter_map(|segment| offset_in(segment, bias, range)) {
            if found.is_some_and(|known| known != offset) {
                return None;
            }
            found = Some(offset);
        }
    }
    found
}

/// Returns the file offset of the first byte of `range`, if all of it is in the pages that this
/// segment has in the file.
fn offset_in(segment: &Segment, bias: u64, range: AbsRange) -> Option<FileOffset> {
    let into_page = segment.file_offset.0 & (PAGE - 1);
    let first = AbsAddr(bias.wrapping_add(segment.virt_offset.0.wrapping_sub(into_page)));
    let size = into_page.checked_add(segment.file_size)?;
    let size = size.checked_next_multiple_of(PAGE)?;
    let (start, end) = (
        range.start.distance_from(first)?,
        range.end.distance_from(first)?,
    );
    if end > size {
        return None;
    }
    FileOffset(segment.file_offset.0.wrapping_sub(into_page)).checked_add(start)
}

/// Returns the virtual offset that a segment gives to the byte at `offset`, which may be in the
/// part of its first or last page that does not belong to it.
fn in_memory(segment: &Segment, offset: FileOffset) -> u64 {
    let into = offset.0.wrapping_sub(segment.file_offset.0);
    segment.virt_offset.0.wrapping_add(into)
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, AbsRange, FileOffset, Perms, Segment, Segments, VirtOffset};
    use vma_query::Vma;

    use super::{are_of_one_load, text_between};

    const BASE: u64 = 0x7f00_0000_0000;

    fn segment(flags: Perms, offset: u64, virt: u64, size: u64) -> Segment {
        Segment {
            flags,
            file_offset: FileOffset(offset),
            virt_offset: VirtOffset(virt),
            file_size: size,
            memory_size: size,
        }
    }

    /// Laid out by lld: the code's virtual offsets are a page above its file offsets.
    fn lld() -> Segments {
        Segments::new(vec![
            segment(Perms::READ, 0, 0, 0x1234),
            segment(Perms::READ | Perms::EXECUTE, 0x1240, 0x2240, 0x8000),
            segment(Perms::READ, 0x9240, 0xb240, 0x100),
        ])
    }

    fn vma(start: u64, end: u64, offset: u64) -> Vma {
        let mut vma = Vma::default();
        (vma.start, vma.end) = (AbsAddr(BASE + start), AbsAddr(BASE + end));
        (vma.offset, vma.perms) = (FileOffset(offset), Perms::READ | Perms::EXECUTE);
        vma
    }

    fn data(start: u64, end: u64, offset: u64) -> Vma {
        let mut vma = vma(start, end, offset);
        vma.perms = Perms::READ;
        vma
    }

    fn headers() -> Vma {
        data(0, 0x2000, 0)
    }

    fn rodata() -> Vma {
        data(0xb000, 0xc000, 0x9000)
    }

    #[test]
    fn mappings_between_two_segments_are_of_the_file_or_unknown() {
        let before = vma(0x2000, 0x4000, 0x1000);
        let after = vma(0x8000, 0xb000, 0x7000);
        let cases = [
            (
                "a part of the text",
                before,
                0x4000,
                0x8000,
                after,
                Some(0x3000),
            ),
            (
                "all of the text",
                headers(),
                0x2000,
                0xb000,
                rodata(),
                Some(0x1000),
            ),
            (
                "its beginning",
                headers(),
                0x2000,
                0x8000,
                after,
                Some(0x1000),
            ),
            ("its end", before, 0x4000, 0xb000, rodata(), Some(0x3000)),
            (
                "not code",
                headers(),
                0xb000,
                0xc000,
                data(0xc000, 0xd000, 0xa000),
                None,
            ),
            (
                "beyond the text",
                before,
                0x4000,
                0xc000,
                data(0xc000, 0xd000, 0x9000),
                None,
            ),
            (
                "loaded twice",
                before,
                0x4000,
                0x8000,
                vma(0x8000, 0xb000, 0x6000),
                None,
            ),
            (
                "no such bytes",
                vma(0x2000, 0x4000, 0x2_0000),
                0x4000,
                0x8000,
                after,
                None,
            ),
        ];
        for (name, below, start, end, above, want) in cases {
            let range = AbsRange {
                start: AbsAddr(BASE + start),
                end: AbsAddr(BASE + end),
            };
            let got = text_between(&lld(), &below, range, &above);
            assert_eq!(got, want.map(FileOffset), "{name}");
        }
    }

    #[test]
    fn ambiguous_biases_are_unknown() {
        // The file's first page is mapped for two segments, and its last one, too: at both
        // distances from the code, the range is code.
        let segments = |twice| {
            let mut all = vec![
                segment(Perms::READ, 0, 0, 0x10),
                segment(Perms::READ | Perms::EXECUTE, 0x1000, 0x1000, 0x1_8000),
                segment(Perms::READ, 0x2_0000, 0x2_0000, 0x10),
            ];
            if twice {
                all.push(segment(Perms::READ, 0x20, 0x1020, 0x10));
                all.push(segment(Perms::READ, 0x2_0020, 0x2_1020, 0x10));
            }
            Segments::new(all)
        };
        let range = AbsRange {
            start: AbsAddr(BASE + 0x2000),
            end: AbsAddr(BASE + 0x3000),
        };
        let (below, above) = (data(0, 0x1000, 0), data(0x2_0000, 0x2_1000, 0x2_0000));
        let between = |segments| text_between(&segments, &below, range, &above);
        assert_eq!(between(segments(false)), Some(FileOffset(0x2000)));
        assert_eq!(between(segments(true)), None);
    }

    #[test]
    fn one_load_has_one_bias() {
        let code = vma(0x2000, 0xb000, 0x1000);
        assert!(are_of_one_load(&lld(), &headers(), &code));
        let moved = vma(0x3000, 0xc000, 0x1000);
        assert!(!are_of_one_load(&lld(), &headers(), &moved));
        assert!(!are_of_one_load(&Segments::default(), &headers(), &code));
    }
}
