//! Reads the headers of a module from the memory of the process that has mapped it.
//!
//! A file may have been deleted or replaced, and `map_files` may not be permitted. But the loader
//! maps the beginning of an ELF file too, and there are its program headers and usually its
//! build ID. With these, a debug directory or a server can name the addresses.
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
