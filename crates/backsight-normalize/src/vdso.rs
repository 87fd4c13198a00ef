//! The vDSO: a small ELF image that has no file, only a place in each process.

use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_elf::Headers;
use backsight_types::Reason;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use vma_query::Vma;

use crate::image::{ModuleImage, NormalizedModule};
use crate::options::BuildIds;
use crate::process::OpenProcess;

/// Real images have 4 to 16 KiB.
const MAX_SIZE: u64 = 1 << 20;

/// Reads the image out of the process. It differs among the processes of one
/// kernel (32 and 64-bit), so no other process's will do.
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
    let directory = process.maps.directory()?;
    let memory = openat(
        directory,
        "mem",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    let mut image = vec![0; usize::try_from(size).ok()?];
    File::from(memory.ok()?)
        .read_exact_at(&mut image, vma.start.0)
        .ok()?;
    let headers = Headers::parse(image.as_slice()).ok()?;
    Some((image, headers))
}
