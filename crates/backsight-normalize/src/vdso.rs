//! Reads the vDSO: a small ELF image without a file, which the kernel maps into each
//! process.

use backsight_elf::Headers;
use backsight_types::Reason;
use vma_query::Vma;

use crate::image::{ModuleImage, NormalizedModule};
use crate::memory;
use crate::options::BuildIds;
use crate::process::OpenProcess;

/// The maximum size of the image. Real ones have 4 to 16 KiB.
const MAX_SIZE: u64 = 1 << 20;

/// Reads the image from the process's memory. 32-bit and 64-bit processes have different
/// images, so the image of another process cannot be used.
pub(crate) fn learn(process: &OpenProcess<'_>, vma: &Vma, learnt: &mut NormalizedModule) {
    let options = process.options;
    let module = &mut learnt.module;
    let Some((image, headers)) = read(process, vma) else {
        module.unreadable = Some(Reason::VdsoNoSymbols);
        return;
    };
    if options.build_ids != BuildIds::None {
        module.build_id = headers.build_id;
    }
    if options.segments {
        module.arch = Some(headers.arch);
        module.segments = Some(headers.segments);
    }
    learnt.image = options.images.then(|| ModuleImage::Bytes(image.into()));
}

fn read(process: &OpenProcess<'_>, vma: &Vma) -> Option<(Vec<u8>, Headers)> {
    let size = vma.range().size();
    if size > MAX_SIZE {
        return None;
    }
    let image = memory::read(process, vma.start, size)?;
    let headers = Headers::parse(image.as_slice()).ok()?;
    Some((image, headers))
}
