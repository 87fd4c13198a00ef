//! Files that the DWARF of another is in: supplementary, packed and split.
//!
//! ```text
//!   PATH of .gnu_debugaltlink or .debug_sup         the supplementary file (dwz)
//!   DEBUG_DIR/PATH, DEBUG_DIR/.dwz/REST             the same in an unpacked package
//!   DEBUG_DIR/.build-id/77/c7…4d.debug              the same by its build ID
//!   FILE.dwp, DEBUG_DIR/FOLDER/NAME.dwp             the package of split units
//!   COMP_DIR/NAME.dwo, FOLDER/NAME.dwo              one split unit
//! ```
//!
//! `FILE` is the one with the DWARF, and then the module. The paths, as compilers and
//! `dwz` wrote them, come from the file; a caller that does not trust them unsets
//! [`Options::named_files`](crate::Options::named_files).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use backsight_files::By;

use super::search::{FileSearch, LocatedFile, path_of};
use super::site::Site;
use crate::elf::{AltLink, Proof};
use crate::error::Cause;
use crate::sought::SoughtKind;

impl<'o> FileSearch<'o> {
    /// Returns the supplementary file that the link of a file leads to.
    pub(crate) fn supplementary(self, link: &AltLink<'_>) -> Option<LocatedFile> {
        let mut named = Vec::new();
        if self.options.named_files {
            let path = Path::new(link.path);
            named = self.sites_of_path(path);
            // A package that was unpacked elsewhere.
            let moved = below_debug_dir(path);
            for dir in self.debug_dirs() {
                named.extend(moved.iter().map(|path| dir.join(path)));
            }
        }
        let by_id = match link.proof {
            Proof::BuildId(id) => Some(path_of(&id)),
            Proof::Checksum(_) => None,
        };
        let by_id = by_id.into_iter().flat_map(|path| {
            let dirs = self.debug_dirs();
            dirs.map(move |dir| dir.join(&path))
        });
        let here = named.into_iter().chain(by_id).find_map(|site| {
            self.take(SoughtKind::Supplementary, site, |elf| {
                if elf.is_cut_off() {
                    return Err(Cause::CUT_OFF.into());
                }
                match (elf.is_proven(link.proof), link.proof) {
                    (true, _) => Ok(()),
                    (false, Proof::BuildId(id)) => {
                        Err(Cause::other_build(elf.build_id().as_ref(), &id).into())
                    }
                    (false, Proof::Checksum(wanted)) => {
                        let own = elf.supplementary_checksum();
                        let own = own.map_or_else(|| "none".to_owned(), hex_digits);
                        let wanted = hex_digits(wanted);
                        Err(Cause::ChecksumMismatch { own, wanted }.into())
                    }
                }
            })
        });
        here.or_else(|| match link.proof {
            Proof::BuildId(id) => self.fetched_supplementary(&id),
            Proof::Checksum(_) => None,
        })
    }

    /// Returns where a package of split units may be.
    pub(crate) fn packages(self) -> impl Iterator<Item = Site> {
        self.sites().iter().flat_map(move |file| {
            let mut name = file.path().file_name().unwrap_or_default().to_owned();
            name.push(".dwp");
            let beside = file.beside(Path::new(&name));
            let beside = (!file.is_in_same_folder()).then_some(beside);
            let dirs = self.debug_dirs_of(file);
            let elsewhere = dirs.map(move |dir| dir.join(Path::new(&name)));
            beside.into_iter().chain(elsewhere)
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
            sites.extend(self.folders().map(|file| file.beside(name)));
        }
        sites
    }

    /// An absolute path is one of the target's, or of the host's; a relative path is
    /// relative to the folder of the file.
    fn sites_of_path(self, path: &Path) -> Vec<Site> {
        if path.is_absolute() {
            Site::of(path, By::File, &self.options.roots)
        } else {
            self.folders().map(|file| file.beside(path)).collect()
        }
    }
}

fn hex_digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns where below a debug directory the file of this path is, when it was made for
/// `/usr/lib/debug` or another: by all of an absolute path, and from its `.dwz` on, the
/// folder that distributions keep such files in.
fn below_debug_dir(path: &Path) -> Vec<PathBuf> {
    let is_below = |path: &Path| {
        let mut parts = path.components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let whole = path.strip_prefix("/").ok().map(Path::to_owned);
    let mut parts = path.components();
    let at = parts.position(|part| part.as_os_str() == ".dwz");
    let from_dwz = at.map(|_| Path::new(".dwz").join(parts.as_path()));
    let all = whole.into_iter().chain(from_dwz);
    all.filter(|path| is_below(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::below_debug_dir;

    #[test]
    fn a_path_is_looked_for_below_other_directories() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "/usr/lib/debug/.dwz/x86_64-linux-gnu/a.debug",
                &[
                    "usr/lib/debug/.dwz/x86_64-linux-gnu/a.debug",
                    ".dwz/x86_64-linux-gnu/a.debug",
                ],
            ),
            ("/elsewhere/sup", &["elsewhere/sup"]),
            ("../../.dwz/a", &[".dwz/a"]),
            ("../common/sup", &[]),
            ("/usr/lib/debug/.dwz/../../a", &[]),
            ("/a/../b", &[]),
        ];
        for (path, want) in cases {
            let want: Vec<PathBuf> = want.iter().map(PathBuf::from).collect();
            assert_eq!(below_debug_dir(Path::new(path)), want, "{path}");
        }
    }
}
