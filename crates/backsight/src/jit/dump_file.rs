//! A jitdump file: the one that was mapped as a mark, or one that was put beside a recording.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_types::Module;
use backsight_types::trace::Mmap;

use super::found::{FoundMap, check_owner, opened, owned};
use super::options::MapOptions;
use super::said::MapRefusal;
use crate::find::ModuleFiles;

/// Looks for the file of a mapping that is a mark; `None` when it is none.
///
/// Beside the recording and inside the roots that were named, its name counts, as that of a list of
/// names. On this host, what stands under its path now must be the file that was mapped, by device
/// and inode.
pub(crate) fn found_dump(
    mapping: &Mmap,
    options: &MapOptions,
    files: &ModuleFiles,
    is_of_host: bool,
) -> Option<FoundMap> {
    let path = Path::new(OsStr::from_bytes(&mapping.name));
    let name = path.file_name()?;
    is_dump(name.as_bytes()).then_some(())?;
    let check_owner = |user: u32| check_owner(options.of, user);
    let beside = options
        .folder
        .as_deref()
        .map(|folder| (folder.join(name), backsight_files::folder(folder)));
    let roots = files.symbols().roots.iter().filter_map(|root| {
        let folder = path.parent()?;
        let below = folder.strip_prefix("/").unwrap_or(folder).join(name);
        let folder = backsight_files::folder_inside(root, folder);
        Some((root.join(below), folder))
    });
    for (path, folder) in beside.into_iter().chain(roots) {
        if let Some(file) = opened(folder, Path::new(name)) {
            let file = file.and_then(|file| owned(file, check_owner));
            let path = Some(path);
            return Some(FoundMap { path, file });
        }
    }
    let module = Module::default()
        .with_path(mapping.name.clone())
        .with_device(mapping.device)
        .with_inode(mapping.inode);
    let file = match is_of_host || files.trusts_paths() {
        true => files.open(&module).map_err(|reason| match path.exists() {
            true => MapRefusal::NotTheMapped(reason),
            false => MapRefusal::Missing,
        }),
        false => Err(MapRefusal::Missing),
    };
    Some(FoundMap {
        path: Some(path.to_owned()),
        file: file.and_then(|file| owned(file, check_owner)),
    })
}

/// `jit-PID.dump`.
pub(super) fn is_dump(name: &[u8]) -> bool {
    let number = name.strip_prefix(b"jit-");
    let number = number.and_then(|name| name.strip_suffix(b".dump"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Whether a path is that of a jitdump.
pub(crate) fn is_dump_path(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| is_dump(name.as_bytes()))
}
