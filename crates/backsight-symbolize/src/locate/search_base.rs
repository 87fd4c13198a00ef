//! Directories to search for companion files: around a file and its module.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use backsight_files::By;

use super::site::Site;
use crate::error::{Cause, Error};
use crate::options::Options;
use crate::oversized::OversizedFiles;
use crate::shortfall::{Shortfall, ShortfallKind};
use crate::sought::SoughtKind;
use crate::sought::SoughtLog;

/// The paths of a file and of the module that it belongs to. Symbolic links are resolved
/// only when a companion file is looked for, as most files have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct SearchBase {
    /// The file's own, when it is not the module itself.
    file: Option<Site>,
    module: Option<PathBuf>,
    sites: OnceLock<Vec<Site>>,
    /// Records what is looked for.
    log: Arc<SoughtLog>,
}

impl SearchBase {
    pub(crate) fn new(file: Option<Site>, module: Option<PathBuf>, log: Arc<SoughtLog>) -> Self {
        Self {
            file,
            module,
            sites: OnceLock::new(),
            log,
        }
    }

    /// Returns where files are noted that are too large.
    pub(crate) fn oversized(&self) -> &OversizedFiles {
        &self.log.oversized
    }

    /// Notes what is less than it should be in the file.
    pub(crate) fn note_shortfall(&self, kind: ShortfallKind) {
        let path = self.path();
        self.log.shortfalls.note(Shortfall { path, kind });
    }

    /// Notes what is less than it should be in a file that goes with it.
    pub(crate) fn note_shortfall_of(&self, path: PathBuf, kind: ShortfallKind) {
        let path = Some(path);
        self.log.shortfalls.note(Shortfall { path, kind });
    }

    /// Returns which files of this kind were refused so far for one of these causes.
    pub(crate) fn refused(&self, kind: SoughtKind, which: fn(&Cause) -> bool) -> Vec<PathBuf> {
        self.log.refused(kind, which)
    }

    /// Returns the path of the module, as it was given.
    pub(super) fn module_path(&self) -> Option<&Path> {
        self.module.as_deref()
    }

    /// Returns the path of the file, as this host knows it; of the module, where it is
    /// the module itself.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let file = self.file.as_ref().map(Site::shown);
        file.or_else(|| self.module.clone())
    }

    /// Notes that a file was looked for there, and with what outcome.
    pub(crate) fn note(&self, kind: SoughtKind, site: &Site, outcome: Result<(), Error>) {
        self.log.note(kind, site.shown(), outcome);
    }

    /// Returns where the file stands, by each of its names, and then the module.
    pub(super) fn sites(&self, options: &Options) -> &[Site] {
        self.sites.get_or_init(|| {
            let of = |path: &PathBuf| Site::of(path, By::Folder, &options.roots);
            let module = self.module.iter().flat_map(of);
            let all = self.file.iter().cloned().chain(module);
            all.flat_map(Site::with_canonical).collect()
        })
    }
}
