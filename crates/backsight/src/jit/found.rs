//! A list of names: found, judged, and opened.

use std::fs::{File, metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_files::{Error, FileError};
use nix::unistd::geteuid;

use super::options::{MapOptions, MapsOf};
use super::process::{LiveProcess, Times, began};
use super::said::MapRefusal;
use crate::find::ModuleFiles;

/// Clocks of files are behind by a tick, and the kernel counts from its start in seconds.
const SLACK: Duration = Duration::from_secs(2);

/// What was found: the file, or why there is none.
#[derive(Debug)]
pub(crate) struct FoundMap {
    pub(crate) path: Option<PathBuf>,
    pub(crate) file: Result<File, MapRefusal>,
}

/// Looks for the list of a process: where a process that is being recorded leaves it, in its own
/// namespaces; beside the recording, inside the roots that were named; and if the recording is of this
/// host, in the namespaces of the process if it still lives, and in `/tmp`.
pub(crate) fn found(
    pid: u32,
    times: Times,
    options: &MapOptions,
    files: &ModuleFiles,
    is_of_host: bool,
) -> FoundMap {
    let name = PathBuf::from(format!("perf-{pid}.map"));
    let check_owner = |user: u32| check_owner(options.of, user);
    if let Some(place) = files.held_maps().of(pid)
        && let Some(file) = place
            .folder
            .try_clone()
            .ok()
            .and_then(|folder| opened(Ok(folder), &place.name))
    {
        let file = file.and_then(|file| owned(file, check_owner));
        return FoundMap {
            path: Some(place.path),
            file: file.and_then(|file| not_older(file, times)),
        };
    }
    let beside = options.folder.as_deref().map(|folder| {
        let path = folder.join(&name);
        (path, backsight_files::folder(folder))
    });
    let roots = files.symbols().roots.iter().map(|root| {
        let path = root.join("tmp").join(&name);
        (
            path,
            backsight_files::folder_inside(root, Path::new("/tmp")),
        )
    });
    for (path, folder) in beside.into_iter().chain(roots) {
        if let Some(file) = opened(folder, &name) {
            let file = file.and_then(|file| owned(file, check_owner));
            let path = Some(path);
            return FoundMap { path, file };
        }
    }
    let host = files.host().perf_maps.as_deref().filter(|_| is_of_host);
    if let Some((path, file)) = host.and_then(|_| in_own_namespaces(pid, times)) {
        let file = file.and_then(|file| owned(file, check_owner));
        return FoundMap {
            path: Some(path),
            file: file.and_then(|file| not_older(file, times)),
        };
    }
    let here = host.and_then(|folder| {
        let file = opened(backsight_files::folder(folder), &name)?;
        Some((folder.join(&name), file))
    });
    let Some((path, file)) = here else {
        return FoundMap {
            path: None,
            file: Err(MapRefusal::Missing),
        };
    };
    let file = file.and_then(|file| owned(file, check_owner));
    let file = file.and_then(|file| of_its_time(file, pid, times));
    FoundMap {
        path: Some(path),
        file,
    }
}

/// Opens the list of a process that was recorded earlier and lives on, where that is not what its
/// number says: in a PID namespace of its own, or with another `/tmp`. `None` if there is none.
fn in_own_namespaces(pid: u32, times: Times) -> Option<(PathBuf, Result<File, MapRefusal>)> {
    let process = LiveProcess::of(Path::new("/proc"), pid)?;
    // It has the number of the recorded one, which has ended.
    let ended = times
        .recorded
        .and_then(|recorded| recorded.checked_add(SLACK));
    if ended
        .zip(process.began)
        .is_some_and(|(ended, began)| began > ended)
    {
        return None;
    }
    let tmp = process.root.join("tmp");
    let identity = |path: &Path| metadata(path).ok().map(|it| (it.dev(), it.ino()));
    if process.pid == pid && identity(Path::new("/tmp")) == identity(&tmp) {
        return None;
    }
    let folder = backsight_files::folder_inside(&process.root, Path::new("/tmp"));
    let name = process.map_name();
    let file = opened(folder, &name)?;
    Some((tmp.join(name), file))
}

/// Checks that a list of this user is read for a process of a recording, whose user is not known.
pub(super) fn check_owner(of: MapsOf, user: u32) -> Result<(), MapRefusal> {
    let is_read = match of {
        MapsOf::Own => user == 0 || user == geteuid().as_raw(),
        MapsOf::All => true,
        MapsOf::Nobody => false,
    };
    is_read.then_some(()).ok_or(MapRefusal::OfUser(user))
}

/// Opens a list; `None` where there is none.
pub(super) fn opened(
    folder: Result<OwnedFd, FileError>,
    name: &Path,
) -> Option<Result<File, MapRefusal>> {
    let file = folder.and_then(|folder| backsight_files::open_unlinked(folder, name));
    match file {
        Ok(file) => Some(Ok(file)),
        Err(error) => match error.error() {
            Error::Io(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            _ => Some(Err(MapRefusal::Unreadable(error))),
        },
    }
}

/// Returns the file again if its owner is one who may say what the process runs.
pub(super) fn owned(
    file: File,
    check: impl Fn(u32) -> Result<(), MapRefusal>,
) -> Result<File, MapRefusal> {
    let metadata = file.metadata();
    let metadata = metadata.map_err(|error| MapRefusal::of_file("stat", error))?;
    check(metadata.uid())?;
    Ok(file)
}

/// Returns the file again if the process can have written it.
fn of_its_time(file: File, pid: u32, times: Times) -> Result<File, MapRefusal> {
    let written = file.metadata().and_then(|it| it.modified());
    let Ok(written) = written else {
        return Ok(file);
    };
    if is_older(written, times.began) {
        return Err(MapRefusal::Older);
    }
    let now = began(Path::new("/proc"), pid);
    let is_later = |now: SystemTime| {
        let after = times.recorded.and_then(|ended| ended.checked_add(SLACK));
        after.is_some_and(|after| now > after) && !is_older(written, Some(now))
    };
    match now.is_some_and(is_later) {
        true => Err(MapRefusal::Later),
        false => Ok(file),
    }
}

/// Returns the file again if it was written since the process began.
fn not_older(file: File, times: Times) -> Result<File, MapRefusal> {
    let written = file.metadata().and_then(|it| it.modified());
    match written.is_ok_and(|written| is_older(written, times.began)) {
        true => Err(MapRefusal::Older),
        false => Ok(file),
    }
}

/// Whether what was written then is of before a process began.
pub(super) fn is_older(written: SystemTime, began: Option<SystemTime>) -> bool {
    let earliest = began.and_then(|began| began.checked_sub(SLACK));
    earliest.is_some_and(|earliest| written < earliest)
}
