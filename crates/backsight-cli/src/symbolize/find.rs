//! The file behind a module that was captured earlier or elsewhere.
//!
//! A capture names a path, and by now, or on this host, anything may stand there.
//! So a file counts only if it carries the module's build ID or, where the capture
//! knows none, has its device and inode. Else debug directories are searched by
//! build ID. What is found under no proof gives no names: wrong ones are worse.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_symbolize::{Source, Symbolizer};
use backsight_types::{BuildId, Device, Module, ModuleKind, Reason};
use nix::sys::stat::{major, minor};
use vma_query::{Filter, NameBuf, ProcMaps, VmaName};

use super::lookup::Known;
use crate::file::{self, open_named};

/// Hands a module to the symbolizer, as far as it can be found.
pub(super) fn introduce(symbolizer: &Symbolizer, module: &Module) -> Known {
    let found = match module.kind {
        ModuleKind::File => file_of(module),
        ModuleKind::Vdso => vdso_of(module),
        ModuleKind::Kernel => Err(Reason::Kernel),
    };
    match found {
        Ok(source) => Known::readable(symbolizer, source, module),
        Err(otherwise) => Known::by_build_id(symbolizer, module, otherwise),
    }
}

fn file_of(module: &Module) -> Result<Source, Reason> {
    let file = open_proven(module)?;
    Ok(Source::File {
        file: Arc::new(file),
        path: Some(path_of(module).to_owned()),
    })
}

fn path_of(module: &Module) -> &Path {
    Path::new(OsStr::from_bytes(&module.path))
}

/// Opens the file of a module, if what stands under its path is proven to be it.
///
/// # Errors
/// The reason why there is none.
pub(crate) fn open_proven(module: &Module) -> Result<File, Reason> {
    let path = path_of(module);
    // A path that does not begin at the root names something else here.
    if !path.is_absolute() {
        return Err(module.unreadable.unwrap_or(Reason::Unreadable));
    }
    let file = open_named(path).map_err(|_| match module.deleted {
        true => Reason::Deleted,
        false => Reason::Unreadable,
    })?;
    let proven = match module.build_id {
        Some(id) => file::headers(&file).is_ok_and(|headers| headers.build_id == Some(id)),
        None => is_same_file(&file, module),
    };
    proven.then_some(file).ok_or(Reason::IdentityUnproven)
}

fn is_same_file(file: &File, module: &Module) -> bool {
    file.metadata().is_ok_and(|metadata| {
        let device = metadata.dev();
        let same = |number: u64, known: u32| number == u64::from(known);
        let Device {
            major: ma,
            minor: mi,
        } = module.device;
        module.inode != 0
            && metadata.ino() == module.inode
            && same(major(device), ma)
            && same(minor(device), mi)
    })
}

/// Under the same kernel, our own vDSO is the one of every process; its build ID
/// tells.
fn vdso_of(module: &Module) -> Result<Source, Reason> {
    let wanted = module.build_id.ok_or(Reason::VdsoNoSymbols)?;
    let image = vdso_image(wanted).ok_or(Reason::VdsoNoSymbols)?;
    Ok(Source::Bytes(image.into()))
}

/// Returns the image of our own vDSO, if it has this build ID.
pub(crate) fn vdso_image(wanted: BuildId) -> Option<Vec<u8>> {
    /// A vDSO has a few pages.
    const MAX_SIZE: u64 = 1 << 20;
    let maps = ProcMaps::open_self().ok()?;
    let (mut code, mut name) = (maps.vmas().only(Filter::EXECUTABLE), NameBuf::new());
    while let Some(Ok(vma)) = code.next_named(&mut name) {
        if name.name() != VmaName::Vdso {
            continue;
        }
        let size = vma.range().size().min(MAX_SIZE);
        let mut image = vec![0; usize::try_from(size).ok()?];
        let memory = File::open("/proc/self/mem").ok()?;
        memory.read_exact_at(&mut image, vma.start.0).ok()?;
        let headers = Headers::parse(image.as_slice()).ok()?;
        return (headers.build_id == Some(wanted)).then_some(image);
    }
    None
}
