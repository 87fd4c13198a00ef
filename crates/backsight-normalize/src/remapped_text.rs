//! Recovers the text of a file that was remapped to anonymous memory.
//!
//! Some programs copy their own text to huge pages and move the copy over the original, which
//! saves misses of the TLB: Intel's iodlr, BOLT's `--hugify`, and runtimes such as HHVM and node.
//! The memory map then has a hole in the file, filled with memory without a name:
//!
//! ```text
//!   r-xp /usr/bin/prog offset 0x1000     below
//!   r-xp                                 the copy
//!   r-xp /usr/bin/prog offset 0x401000   above
//! ```
//!
//! It is taken as the file's code only if the VMAs below and above, without a gap, are of the same
//! file and loaded with one bias, if the file's program headers have an executable segment for
//! all of it, and if its bytes are those of the file wherever both can be read. The module is
//! marked as inferred. A saved maps text has neither headers nor bytes: there, both VMAs must be at
//! one distance from the file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_types::{AbsAddr, AbsRange, FileOffset, Module};
use vma_query::{Backend, NameBuf, Query, Snapshot, Vma};

use crate::build_id;
use crate::image::NormalizedModule;
use crate::load_bias;
use crate::memory;
use crate::module_file;
use crate::module_identity::shown;
use crate::process::OpenProcess;

/// How many anonymous VMAs in a row may lie between two VMAs of the file: `madvise` and
/// `mprotect` may have split the copy.
pub(crate) const MAX_RUN: usize = 8;

/// The size of a part whose bytes are compared.
const SAMPLE: u64 = 4096;

/// Code of a file in anonymous memory.
pub(crate) struct RemappedText {
    /// The file, marked as inferred.
    pub(crate) module: NormalizedModule,
    /// The offset in the file of the first byte of the anonymous VMA.
    pub(crate) file_offset: FileOffset,
}

/// Where the VMAs around an address are looked up.
pub(crate) enum Neighbours<'p> {
    /// In a live process. By text, the whole text is read once in a call: reading it for each
    /// neighbour would take quadratic time.
    Live {
        process: &'p OpenProcess<'p>,
        text: Option<Snapshot>,
    },
    /// In a saved text.
    Saved(&'p Snapshot),
}

impl<'p> Neighbours<'p> {
    /// Returns those of a live process.
    pub(crate) fn of(process: &'p OpenProcess<'p>) -> Self {
        Self::Live {
            process,
            text: None,
        }
    }

    /// Returns the VMA that covers `addr`.
    fn at(&mut self, addr: AbsAddr) -> Option<Vma> {
        match self {
            Self::Live { process, .. } if process.maps.backend() != Backend::Text => {
                process.maps.query(Query::covering(addr)).ok().flatten()
            }
            _ => Some(self.text()?.covering(addr)?.vma),
        }
    }

    /// Returns the name of a VMA, if it is still there.
    fn name_of(&mut self, vma: &Vma) -> Option<Vec<u8>> {
        match self {
            Self::Live { process, .. } if process.maps.backend() != Backend::Text => {
                let mut name = NameBuf::new();
                let query = Query::covering(vma.start);
                let now = process.maps.query_named(query, &mut name);
                (now.ok()? == Some(*vma)).then(|| name.as_bytes().to_vec())
            }
            _ => Some(self.text()?.covering(vma.start)?.raw_name.to_vec()),
        }
    }

    fn text(&mut self) -> Option<&Snapshot> {
        match self {
            Self::Live { process, text } => {
                if text.is_none() {
                    *text = process.maps.snapshot().ok();
                }
                text.as_ref()
            }
            Self::Saved(text) => Some(text),
        }
    }

    /// Returns the next VMA below or above that is not executable memory without a file.
    fn beside(&mut self, vma: &Vma, side: Side) -> Option<Vma> {
        let mut beside = *vma;
        for _ in 0..MAX_RUN {
            let addr = match side {
                Side::Below => AbsAddr(beside.start.0.checked_sub(1)?),
                Side::Above => beside.end,
            };
            beside = self.at(addr)?;
            if beside.is_file_backed() || !beside.is_executable() {
                return Some(beside);
            }
        }
        None
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Below,
    Above,
}

/// Returns the file whose text an executable anonymous VMA is, or `None` if it is not proven to
/// be one.
pub(crate) fn find(neighbours: &mut Neighbours<'_>, vma: &Vma) -> Option<RemappedText> {
    if let Neighbours::Live { process, .. } = neighbours
        && !process.options.recovers_remapped_text()
    {
        return None;
    }
    // For JIT code, it usually ends here.
    let below = neighbours.beside(vma, Side::Below);
    let below = below.filter(Vma::is_file_backed)?;
    let above = neighbours.beside(vma, Side::Above)?;
    if (above.inode, above.device) != (below.inode, below.device) {
        return None;
    }
    let name = neighbours.name_of(&below)?;
    // Files of two subvolumes of btrfs may have the same inode and device.
    if neighbours.name_of(&above)? != name {
        return None;
    }
    let (path, deleted) = shown(&name);
    let mut module = NormalizedModule {
        module: Module::default()
            .with_path(path.to_vec())
            .with_deleted(deleted)
            .with_device(below.device)
            .with_inode(below.inode)
            .with_inferred(true),
        member: None,
        problem: None,
        image: None,
    };
    let file_offset = match neighbours {
        Neighbours::Live { process, .. } => {
            proven_offset(process, &mut module, (&below, vma, &above))
        }
        Neighbours::Saved(_) => {
            let distance = load_bias::distance_of_both(&below, &above)?;
            Some(FileOffset(vma.start.0.wrapping_sub(distance)))
        }
    };
    Some(RemappedText {
        file_offset: file_offset?,
        module,
    })
}

/// Returns the file offset of the first byte of a VMA between two of a file, by its program headers
/// and bytes.
fn proven_offset(
    process: &OpenProcess<'_>,
    module: &mut NormalizedModule,
    (below, vma, above): (&Vma, &Vma, &Vma),
) -> Option<FileOffset> {
    let asks = process.options.asks_kernel();
    let by_kernel = asks.then(|| build_id::by_kernel(process, below)).flatten();
    let file = module_file::learn(process, below, by_kernel, module);
    // Offsets of a member of an archive count from elsewhere.
    if module.member.is_some() {
        return None;
    }
    let segments = module.module.segments.as_ref()?;
    let file_offset = load_bias::text_between(segments, below, vma.range(), above)?;
    let is_its_text = file.is_none_or(|file| is_copied(process, vma.range(), &file, file_offset));
    is_its_text.then_some(file_offset)
}

/// Returns whether the memory has the bytes of the file, by its first, middle and last page; also
/// if the memory may not be read. A quarter of the bytes may differ, because programs patch their
/// own text, for example to switch tracing on. Other code agrees in 15 % of its bytes at most
/// (decision 0033).
fn is_copied(
    process: &OpenProcess<'_>,
    range: AbsRange,
    file: &File,
    file_offset: FileOffset,
) -> bool {
    let size = range.size();
    let (mut compared, mut same) = (0_usize, 0_usize);
    for into in [0, (size / 2) & !(SAMPLE - 1), size.saturating_sub(SAMPLE)] {
        let (Some(start), Some(offset)) =
            (range.start.checked_add(into), file_offset.checked_add(into))
        else {
            continue;
        };
        let Some(mapped) = memory::read(process, start, SAMPLE.min(size)) else {
            continue;
        };
        let mut in_file = vec![0; mapped.len()];
        let read = file.read_at(&mut in_file, offset.0).unwrap_or(0);
        let pairs = mapped.iter().zip(in_file.iter().take(read));
        compared = compared.saturating_add(read);
        same = same.saturating_add(pairs.filter(|(mapped, stored)| mapped == stored).count());
    }
    same >= compared.saturating_sub(compared / 4)
}
