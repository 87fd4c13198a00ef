//! The file behind a module that was captured earlier or elsewhere.
//!
//! A capture names a path, and by now, or on this host, anything may stand there.
//! So a file counts only if it carries the module's build ID or, where the capture
//! knows none, has its device and inode. It is looked for inside the roots that were named,
//! on this host, in debug directories and in perf's cache. What is found under no proof
//! gives no names: wrong ones are worse.
//!
//! The process that was recorded is not looked for: its number may be another's by now,
//! and that one may have mapped what it likes, under any build ID. Who knows that it still
//! lives names its root, `--root /proc/PID/root`.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use backsight_elf::Headers;
use backsight_symbolize::{Error, Options, Source, Symbolizer};
use backsight_types::{BuildId, Device, Module, ModuleKind, Reason};
use nix::sys::stat::{major, minor};
use vma_query::{Filter, NameBuf, ProcMaps, VmaName};

use super::lookup::Known;
use crate::failure::complain;
use crate::file::{Shown, open_named};

/// Where this command looks for files: one answer for all of it.
static PLACES: OnceLock<Places> = OnceLock::new();

#[derive(Debug, Default)]
struct Places {
    options: Options,
    trust_paths: bool,
}

/// Has files looked for in these places from now on, unless that was said before. With
/// `trust_paths` a file without a build ID is the one that stands under its path.
pub(crate) fn look_in(options: Options, trust_paths: bool) {
    // The first who says it is the command.
    let _ = PLACES.set(Places {
        options,
        trust_paths,
    });
}

/// Whether a path alone is proof enough where nothing better is known.
pub(crate) fn trusts_paths() -> bool {
    PLACES.get_or_init(Places::default).trust_paths
}

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
    if module.build_id.is_none() && !module.by_path && !is_same_file(&file, module) {
        let name = Shown(path_of(module));
        complain(format_args!(
            "{name}: taken by its path alone (--trust-paths)"
        ));
    }
    Ok(Source::File {
        file: Arc::new(file),
        path: Some(path_of(module).to_owned()),
    })
}

fn path_of(module: &Module) -> &Path {
    Path::new(OsStr::from_bytes(&module.path))
}

/// Opens the file of a module that is proven to be it.
///
/// # Errors
/// The reason why there is none.
pub(crate) fn open_proven(module: &Module) -> Result<File, Reason> {
    let path = path_of(module);
    let places = PLACES.get_or_init(Places::default);
    let otherwise = match module.deleted {
        true => Reason::Deleted,
        false => Reason::Unreadable,
    };
    let Some(id) = module.build_id else {
        return open_same(module, path, places).map_err(|reason| reason.unwrap_or(otherwise));
    };
    let found = backsight_symbolize::open_module(Some(path), id, &places.options);
    found.map_err(|error| match error {
        Error::BuildIdMismatch => Reason::IdentityUnproven,
        // A path that does not begin at the root names something else here.
        _ if !path.is_absolute() => module.unreadable.unwrap_or(Reason::Unreadable),
        _ => otherwise,
    })
}

/// Opens the debug file of a module whose file was found.
pub(crate) fn debug_file_of(file: &File, module: &Module) -> Option<File> {
    let options = &PLACES.get_or_init(Places::default).options;
    backsight_symbolize::open_debug_file(file, Some(path_of(module)), options)
}

/// Opens the file of this device and inode, or the one under this path where that is
/// proof enough.
fn open_same(module: &Module, path: &Path, places: &Places) -> Result<File, Option<Reason>> {
    if !path.is_absolute() {
        return Err(Some(module.unreadable.unwrap_or(Reason::Unreadable)));
    }
    // Numbers of another machine's disks prove nothing: whoever captured it knew.
    if module.unreadable == Some(Reason::IdentityUnproven) && !places.trust_paths {
        return Err(Some(Reason::IdentityUnproven));
    }
    let is_it = |file: &File| places.trust_paths || is_same_file(file, module);
    let roots = places.options.roots.iter();
    let mut inside = roots.filter_map(|root| backsight_files::open_inside(root, path).ok());
    if let Some(file) = inside.find(is_it) {
        return Ok(file);
    }
    let file = open_named(path).map_err(|_| None)?;
    match is_it(&file) {
        true => Ok(file),
        false => Err(Some(Reason::IdentityUnproven)),
    }
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
