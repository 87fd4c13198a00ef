//! Files that the DWARF of another is in: supplementary, packed and split.
//!
//! ```text
//!   PATH of .gnu_debugaltlink or .debug_sup         the supplementary file (dwz)
//!   DEBUG_DIR/.build-id/77/c7…4d.debug              the same by its build ID
//!   FILE.dwp, DEBUG_DIR/FOLDER/NAME.dwp             the package of split units
//!   COMP_DIR/NAME.dwo, FOLDER/NAME.dwo              one split unit
//! ```
//!
//! `FILE` is the one with the DWARF, and then the module. The paths, as compilers and
//! `dwz` wrote them, come from the file: who trusts none of them unsets
//! [`Options::named_files`](crate::Options::named_files).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_files::By;

use super::{Found, Search, Site, path_of};
use crate::elf::{AltLink, Proof};
use crate::{Error, SoughtKind};

impl<'o> Search<'o> {
    /// Returns the supplementary file that the link of a file leads to.
    pub(crate) fn supplementary(self, link: &AltLink<'_>) -> Option<Found> {
        let named = if self.options.named_files {
            self.sites_of_path(Path::new(link.path))
        } else {
            Vec::new()
        };
        let by_id = match link.proof {
            Proof::BuildId(id) => Some(path_of(&id)),
            Proof::Checksum(_) => None,
        };
        let by_id = by_id.into_iter().flat_map(|path| {
            let dirs = self.debug_dirs();
            dirs.map(move |dir| dir.join(&path))
        });
        named.into_iter().chain(by_id).find_map(|site| {
            self.take(SoughtKind::Supplementary, site, |elf| {
                match (elf.is_proven(link.proof), link.proof) {
                    (true, _) => Ok(()),
                    (false, Proof::BuildId(_)) => Err(Error::BuildIdMismatch),
                    (false, Proof::Checksum(_)) => Err(Error::ChecksumMismatch),
                }
            })
        })
    }

    /// Returns where a package of split units may be.
    pub(crate) fn packages(self) -> impl Iterator<Item = Site> {
        self.sites().iter().flat_map(move |file| {
            let mut name = file.path().file_name().unwrap_or_default().to_owned();
            name.push(".dwp");
            let beside = file.beside(Path::new(&name));
            let dirs = self.debug_dirs_of(file);
            let elsewhere = dirs.map(move |dir| dir.join(Path::new(&name)));
            [beside].into_iter().chain(elsewhere)
        })
    }

    /// Returns where the split unit's file of this name may be. Names are relative to
    /// the compilation directory; where that is gone, the file may have been moved
    /// together with the module.
    pub(crate) fn split_files(self, name: &[u8], comp_dir: Option<&[u8]>) -> Vec<Site> {
        if !self.options.named_files || name.is_empty() {
            return Vec::new();
        }
        let name = Path::new(OsStr::from_bytes(name));
        let dir = Path::new(OsStr::from_bytes(comp_dir.unwrap_or_default()));
        let mut sites = self.sites_of_path(&dir.join(name));
        let short = name.file_name().map(Path::new);
        let moved = [Some(name), short].into_iter().flatten();
        let moved: Vec<&Path> = moved.filter(|name| name.is_relative()).collect();
        for name in moved {
            sites.extend(self.sites().iter().map(|file| file.beside(name)));
        }
        sites
    }

    /// An absolute path is one of the target's, or of the host's; a relative path is
    /// relative to the folder of the file.
    fn sites_of_path(self, path: &Path) -> Vec<Site> {
        if path.is_absolute() {
            Site::of(path, By::File, self.options.root.as_deref())
        } else {
            self.sites().iter().map(|file| file.beside(path)).collect()
        }
    }
}
