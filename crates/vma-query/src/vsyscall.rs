//! `[vsyscall]`, the one VMA that the text shows and the ioctl does not.
//!
//! x86-64 kernels give every 64-bit process a page of old system call entries at a fixed
//! address. It is not in the process's VMA tree, so the ioctl cannot find it;
//! `get_gate_vma` in Linux `arch/x86/entry/vsyscall` creates it for the text only.
//! Whether it is shown as `r-xp`, as `--xp` or not at all is a setting of the whole
//! kernel, so this process's own text is read once for all processes. A 32-bit build of
//! this crate cannot do this, as its own text lacks the page.

use std::fs::File;
use std::sync::OnceLock;

use backsight_types::AbsAddr;

use crate::error::Result;
use crate::lines::Lines;
use crate::maps_file::MapsFile;
use crate::query::Query;
use crate::vma::Vma;
use crate::{ioctl, text};

/// The name that the kernel gives it.
pub(crate) const NAME: &[u8] = b"[vsyscall]";

/// 32-bit processes have no memory from here on, and no such page either.
const ABOVE_32_BITS: AbsAddr = AbsAddr(1 << 32);

/// Returns the page if it is the answer to `query` for the process of `maps`. To be
/// called if the kernel found no VMA.
pub(crate) fn answer(maps: &MapsFile, query: Query) -> Option<Vma> {
    if cfg!(not(target_arch = "x86_64")) {
        return None;
    }
    let page = page(maps)?;
    let answers = query.addr < page.end && query.is_answered_by(&page);
    (answers && has_64_bits(maps.file())).then_some(page)
}

/// Returns the page as this kernel shows it, which is read once.
fn page(maps: &MapsFile) -> Option<Vma> {
    static PAGE: OnceLock<Option<Vma>> = OnceLock::new();
    if let Some(page) = PAGE.get() {
        return *page;
    }
    // In a sandbox without /proc, or if no more files can be opened, the text of the
    // queried process is read. If that fails, the next query tries again.
    let found = match File::open("/proc/self/maps") {
        Ok(own) => find_in(&MapsFile::new(own)),
        Err(_) if has_64_bits(maps.file()) => find_in(maps),
        Err(_) => return None,
    };
    let found = found.ok()?;
    *PAGE.get_or_init(|| found)
}

fn find_in(maps: &MapsFile) -> Result<Option<Vma>> {
    let mut reading = maps.lock_reading();
    let mut lines = Lines::new();
    while let Some(line) = lines.next(&mut reading)? {
        if let Ok((vma, NAME)) = text::parse_line(line) {
            return Ok(Some(vma));
        }
    }
    Ok(None)
}

/// A 64-bit process has at least its stack above that address.
fn has_64_bits(maps: &File) -> bool {
    let query = Query::covering_or_next(ABOVE_32_BITS);
    ioctl::ask(maps, query).is_ok()
}
