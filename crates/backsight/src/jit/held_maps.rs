//! Where processes that are being recorded leave their lists of names, if that is not where their
//! number and this root say: in a PID namespace of their own, or with another `/tmp`.

use std::collections::HashMap;
use std::fs::metadata;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::process::LiveProcess;

/// The most directories that stay open: those of one container have one.
const MAX_FOLDERS: usize = 64;

/// The most processes that are known.
const MAX_PROCESSES: usize = 1 << 12;

/// Directories of lists, which outlive the processes.
#[derive(Debug, Default)]
pub(crate) struct HeldMaps(Mutex<KnownMaps>);

#[derive(Debug, Default)]
struct KnownMaps {
    /// By device and inode.
    folders: HashMap<(u64, u64), Arc<OwnedFd>>,
    places: HashMap<u32, HeldMap>,
}

/// Where the list of a process is.
#[derive(Clone, Debug)]
pub(crate) struct HeldMap {
    /// Its `/tmp`.
    pub(crate) folder: Arc<OwnedFd>,
    /// The name that the process gives to its list.
    pub(crate) name: PathBuf,
    /// As this host names it while the process lives.
    pub(crate) path: PathBuf,
}

impl HeldMaps {
    /// Looks where a process leaves its list, while it lives.
    pub(crate) fn look(&self, pid: u32) {
        let Some(process) = LiveProcess::of(Path::new("/proc"), pid) else {
            return;
        };
        let known = &mut *self.known();
        let tmp = process.root.join("tmp");
        let identity = |path: &Path| metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let (own, its) = (identity(Path::new("/tmp")), identity(&tmp));
        let Some(its) = its.filter(|its| process.pid != pid || own != Some(*its)) else {
            known.places.remove(&pid);
            return;
        };
        let folder = match known.folders.get(&its) {
            Some(folder) => Arc::clone(folder),
            None => {
                let opened = backsight_files::folder_inside(&process.root, Path::new("/tmp"));
                let Ok(folder) = opened.map(Arc::new) else {
                    return;
                };
                if known.folders.len() >= MAX_FOLDERS {
                    // Those of containers that are gone; places keep theirs open.
                    known.places.clear();
                    known.folders.clear();
                }
                known.folders.insert(its, Arc::clone(&folder));
                folder
            }
        };
        if known.places.len() >= MAX_PROCESSES {
            known.places.clear();
        }
        let name = process.map_name();
        let path = tmp.join(&name);
        let place = HeldMap { folder, name, path };
        known.places.insert(pid, place);
    }

    /// Returns where the list of a process is, if its number does not say.
    pub(crate) fn of(&self, pid: u32) -> Option<HeldMap> {
        self.known().places.get(&pid).cloned()
    }

    fn known(&self) -> MutexGuard<'_, KnownMaps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
