//! Reads the headers of a module from the memory of the process that has mapped it.
//!
//! A file may have been deleted or replaced, and `map_files` may not be permitted. But the loader
//! maps the beginning of an ELF file too, and there are its program headers and usually its
//! build ID. With these, a debug directory or a server can name the addresses.
//!
//! A library inside an archive (APK) begins elsewhere in its file.
//!
//! ```text
//!   r--p offset 0       ELF header, program headers, build ID note
//!   r-xp offset 0x1000  the VMA of the address: the headers must load it exactly here
//! ```

use backsight_elf::Headers;
use backsight_types::{AbsAddr, BuildId, FileOffset};
use vma_query::{Query, Vma};

use crate::load_bias;
use crate::memory;
use crate::process::OpenProcess;

/// How much of the beginning is read, in bytes. Linkers put the note next to the headers.
const MAX_SIZE: u64 = 64 << 10;

/// What an ELF file begins with.
const MAGIC: &[u8] = b"\x7fELF";

/// How many VMAs below are tried: those of the segments before the code, and what
/// `mprotect` made of them.
const MAX_BELOW: usize = 16;

/// Returns the headers of the file that `vma` maps. `None` if its beginning is not mapped below
/// `vma` or may not be read, if the headers do not load `vma` where it is, or if `by_kernel`, the
/// build ID that the kernel read from the file, is another one.
pub(crate) fn read(
    process: &OpenProcess<'_>,
    vma: &Vma,
    by_kernel: Option<BuildId>,
) -> Option<Headers> {
    let first = first_of_file(process, vma)?;
    let bytes = memory::read(process, first.start, first.range().size().min(MAX_SIZE))?;
    let headers = Headers::parse(bytes.as_slice()).ok()?;
    let is_its = |id: BuildId| by_kernel.is_none_or(|known| known == id);
    (headers.build_id.is_none_or(is_its)
        && load_bias::are_of_one_load(&headers.segments, &first, vma))
    .then_some(headers)
}

/// Whether the beginning of the file that `vma` maps can be read in memory, and is not that of an
/// ELF file.
pub(crate) fn is_no_program(process: &OpenProcess<'_>, vma: &Vma) -> bool {
    let begin = first_of_file(process, vma)
        .and_then(|first| memory::read(process, first.start, MAGIC.len() as u64));
    begin.is_some_and(|begin| begin != MAGIC)
}

/// Returns the headers of the library that is mapped from inside an archive, and where it begins in
/// the file: below `vma`, without a gap, is a VMA of the same file that begins with headers which
/// load `vma` where it is. Nothing says what the archive calls it.
pub(crate) fn of_member(process: &OpenProcess<'_>, vma: &Vma) -> Option<(Headers, u64)> {
    let mut first = *vma;
    for _ in 0..MAX_BELOW {
        if let Some(headers) = member_headers(process, &first, vma) {
            return Some((headers, first.offset.0));
        }
        let below = Query::covering(AbsAddr(first.start.0.checked_sub(1)?));
        let below = process.maps.query(below).ok().flatten()?;
        if (below.inode, below.device) != (vma.inode, vma.device) {
            return None;
        }
        first = below;
    }
    None
}

fn member_headers(process: &OpenProcess<'_>, first: &Vma, vma: &Vma) -> Option<Headers> {
    let start = first.offset.0;
    let inside = |it: &Vma| {
        let offset = it.offset.0.checked_sub(start)?;
        let mut it = *it;
        it.offset = FileOffset(offset);
        Some(it)
    };
    let (first, vma) = (inside(first)?, inside(vma)?);
    let bytes = memory::read(process, first.start, first.range().size().min(MAX_SIZE))?;
    let headers = Headers::parse(bytes.as_slice()).ok()?;
    load_bias::are_of_one_load(&headers.segments, &first, &vma).then_some(headers)
}

/// Returns the VMA of the beginning of the file. Most linkers keep file offsets and virtual
/// offsets equally far apart up to the code, so it is where the offset says. Otherwise it is
/// below without a gap.
fn first_of_file(process: &OpenProcess<'_>, vma: &Vma) -> Option<Vma> {
    let begins_file =
        |it: &Vma| it.offset == FileOffset(0) && it.inode == vma.inode && it.device == vma.device;
    if begins_file(vma) {
        return Some(*vma);
    }
    let at = |addr| process.maps.query(Query::covering(addr)).ok().flatten();
    let by_offset = vma.start.0.checked_sub(vma.offset.0);
    let by_offset = by_offset.and_then(|start| at(AbsAddr(start)));
    if by_offset.is_some_and(|it| begins_file(&it)) {
        return by_offset;
    }
    let mut above = *vma;
    for _ in 0..MAX_BELOW {
        above = at(AbsAddr(above.start.0.checked_sub(1)?))?;
        if begins_file(&above) {
            return Some(above);
        }
    }
    None
}
