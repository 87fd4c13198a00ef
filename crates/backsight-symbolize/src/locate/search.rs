//! The search for a debug file, place by place.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_files::By;
use backsight_index::engine::wide;
use backsight_types::BuildId;
use flate2::Crc;

use super::search_base::SearchBase;
use super::site::Site;
use crate::elf::ElfFile;
use crate::error::{Cause, Error};
use crate::options::Options;
use crate::shortfall::ShortfallKind;
use crate::sought::SoughtKind;

/// Opens the debug file that goes with a module: by its build ID, by its debug link, or by
/// its path, as a [`Symbolizer`](crate::Symbolizer) finds it. `None` when there is none that
/// is proven to be it.
#[must_use]
pub fn find_debug_file(module: &File, path: Option<&Path>, options: &Options) -> Option<File> {
    let base = SearchBase::new(None, path.map(Path::to_owned), Arc::default());
    let own = ElfFile::read(module, path, options.limits.file_bytes, options).ok()?;
    let search = FileSearch {
        options,
        base: &base,
    };
    let found = search.debug_file(own.build_id(), Some(&own))?;
    found.site.open().ok()
}

/// A file that was found, and where.
#[derive(Debug)]
pub(crate) struct LocatedFile {
    pub(crate) elf: ElfFile,
    pub(crate) site: Site,
}

/// Looks for the files that go with one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSearch<'o> {
    pub(crate) options: &'o Options,
    pub(crate) base: &'o SearchBase,
}

impl<'o> FileSearch<'o> {
    /// Returns the first debug file of this build ID that can be used, or else the
    /// first that the debug link of `own` leads to.
    ///
    /// Returns `None` when there is none, and when the files found cannot be read or are
    /// of another build.
    pub(crate) fn debug_file(
        self,
        id: Option<BuildId>,
        own: Option<&ElfFile>,
    ) -> Option<LocatedFile> {
        let by_id = || id.and_then(|id| self.by_build_id(&id));
        let by_link = || self.by_debug_link(id, own?);
        let by_path = || id.and_then(|id| self.by_path(&id));
        let fetched = || id.and_then(|id| self.fetched_debug_file(&id));
        let found = by_id().or_else(by_link).or_else(by_path).or_else(fetched);
        if found.is_none() {
            self.note_refused(own);
        }
        found
    }

    /// Says of which files lines were to come, that cannot be used or are another's.
    fn note_refused(self, own: Option<&ElfFile>) {
        let is_itself = |path: &PathBuf| {
            let found = std::fs::metadata(path);
            let found = found.map(|metadata| (metadata.dev(), metadata.ino()));
            let own = own.and_then(ElfFile::identity);
            found.is_ok_and(|found| own.is_some_and(|own| (own.device, own.inode) == found))
        };
        let refused = self
            .base
            .refused(SoughtKind::DebugFile, Cause::is_of_a_file);
        // One file has several names: by its folder, and by that of a link to it.
        let mut named = HashSet::new();
        for path in refused {
            // The debug link of a module may have its own name.
            if named.insert(path.canonicalize().ok()) && !is_itself(&path) {
                self.base.note_shortfall_of(path, ShortfallKind::Refused);
            }
        }
    }

    fn by_build_id(self, id: &BuildId) -> Option<LocatedFile> {
        let path = path_of(id);
        let by_perf = path.with_extension("").join("debug");
        let mut sites = self
            .debug_dirs()
            .flat_map(|dir| [&path, &by_perf].map(|name| dir.join(name)));
        sites.find_map(|site| self.take_with_id(id, site))
    }

    /// Debian's kernel modules have neither a link in `.build-id` nor one of their own.
    fn by_path(self, id: &BuildId) -> Option<LocatedFile> {
        self.sites().iter().find_map(|module| {
            let paths = paths_of_debug_files(module.path());
            let dirs = self.debug_dirs();
            let mut dirs = dirs.filter(|dir| dir.root() == module.root());
            dirs.find_map(|dir| {
                let mut sites = paths.iter().map(|path| dir.join(path));
                sites.find_map(|site| self.take_with_id(id, site))
            })
        })
    }

    fn take_with_id(self, id: &BuildId, site: Site) -> Option<LocatedFile> {
        self.take(SoughtKind::DebugFile, site, |elf| {
            match elf.build_id() == Some(*id) {
                true => Ok(()),
                false => Err(Cause::other_build(elf.build_id().as_ref(), id).into()),
            }
        })
    }

    fn by_debug_link(self, id: Option<BuildId>, own: &ElfFile) -> Option<LocatedFile> {
        let link = own.debug_link()?;
        let name = Path::new(link.name);
        let proven = |site: Site| {
            self.take(SoughtKind::DebugFile, site, |elf| {
                if let (Some(wanted), Some(found)) = (id, elf.build_id())
                    && wanted != found
                {
                    return Err(Cause::other_build(Some(&found), &wanted).into());
                }
                match self.checksum(elf)? {
                    found if found == link.crc => Ok(()),
                    found => Err(Cause::ChecksumMismatch {
                        own: format!("{found:08x}"),
                        wanted: format!("{:08x}", link.crc),
                    }
                    .into()),
                }
            })
        };
        let hidden = Path::new(".debug").join(name);
        self.sites().iter().find_map(|module| {
            let own = [name, &hidden].map(|name| module.beside(name));
            let own = own.into_iter().filter(|_| !module.is_in_same_folder());
            let elsewhere = self.debug_dirs_of(module).map(|dir| dir.join(name));
            own.chain(elsewhere).find_map(proven)
        })
    }

    pub(super) fn sites(self) -> &'o [Site] {
        self.base.sites(self.options)
    }

    /// The sites in distinct folders.
    pub(super) fn folders(self) -> impl Iterator<Item = &'o Site> {
        self.sites().iter().filter(|file| !file.is_in_same_folder())
    }

    /// Those of the first root, of the next, and at last the host's.
    pub(super) fn debug_dirs(self) -> impl Iterator<Item = Site> {
        let roots = &self.options.roots;
        let dirs = self.options.debug_dirs.iter();
        let mut sites: Vec<Site> = dirs
            .flat_map(|dir| Site::of(dir, By::Folder, roots))
            .collect();
        sites.sort_by_key(|site| {
            let place = roots.iter().position(|root| site.root() == Some(root));
            place.unwrap_or(roots.len())
        });
        sites.into_iter()
    }

    /// Returns what the folder of this file is called in each debug directory of its
    /// root.
    pub(super) fn debug_dirs_of(self, file: &Site) -> impl Iterator<Item = Site> {
        let folder = file.path().parent();
        let folder = folder.and_then(|folder| folder.strip_prefix("/").ok());
        let dirs = self.debug_dirs();
        dirs.filter(|dir| dir.root() == file.root())
            .filter_map(move |dir| folder.map(|folder| dir.join(folder)))
    }

    /// Returns the CRC-32 of the whole file, unless it is larger than what may be read
    /// of a file.
    fn checksum(self, elf: &ElfFile) -> Result<u32, Error> {
        let bytes = elf.image();
        let limit = self.options.limits.file_bytes;
        if wide(bytes.len()) > limit {
            return Err(Cause::TooLarge { limit }.into());
        }
        let mut crc = Crc::new();
        crc.update(bytes);
        Ok(crc.sum())
    }

    /// Reads the file at this site, and returns it if `prove` accepts it. The outcome is
    /// recorded.
    pub(super) fn take(
        self,
        kind: SoughtKind,
        site: Site,
        prove: impl FnOnce(&ElfFile) -> Result<(), Error>,
    ) -> Option<LocatedFile> {
        let read = self.read(&site, self.options.limits.file_bytes);
        let proven = read.and_then(|elf| prove(&elf).map(|()| elf));
        let outcome = proven.as_ref().map(drop).map_err(Clone::clone);
        self.base.note(kind, &site, outcome);
        Some(LocatedFile {
            elf: proven.ok()?,
            site,
        })
    }

    /// Reads the file at this site; `limit` bounds the bytes of one that cannot
    /// be mapped.
    pub(crate) fn read(self, site: &Site, limit: u64) -> Result<ElfFile, Error> {
        let elf = ElfFile::read(&site.open()?, None, limit, self.options);
        let elf = elf.map_err(|error| error.or_path(Some(&site.shown())))?;
        let is_hosts = || site.is_hosts(elf.identity());
        match site.is_inside() && !is_hosts() {
            true => Ok(elf.found_in_root()),
            false => Ok(elf),
        }
    }
}

/// Returns where a debug directory may have the debug file of the module of this path:
/// as the module itself is called, unpacked, or with `.debug` behind it; and the folder
/// as it is called where `/lib` is a link to `/usr/lib`, and where it is not.
fn paths_of_debug_files(module: &Path) -> Vec<PathBuf> {
    let (Some(name), Ok(whole)) = (module.file_name(), module.strip_prefix("/")) else {
        return Vec::new();
    };
    let name = Path::new(name);
    let packed = ["xz", "zst", "gz"]
        .iter()
        .any(|end| name.extension() == Some(OsStr::new(end)));
    let stem = name.file_stem().filter(|_| packed).map(Path::new);
    let plain = stem.filter(|stem| stem.extension() == Some(OsStr::new("ko")));
    let name = plain.unwrap_or(name);
    let mut debug = name.as_os_str().to_owned();
    debug.push(".debug");
    let folder = whole.parent().unwrap_or(Path::new(""));
    let merged = match folder.strip_prefix("usr") {
        Ok(rest) => rest.to_owned(),
        Err(_) => Path::new("usr").join(folder),
    };
    let folders = [folder.to_owned(), merged].into_iter();
    let files = folders.flat_map(|folder| [folder.join(name), folder.join(&debug)]);
    files.collect()
}

/// Returns where a debug directory has the debug file of this build ID. (perf's cache has a
/// directory for each ID, and in it `debug`.)
pub(super) fn path_of(build_id: &BuildId) -> PathBuf {
    let digits = build_id.to_string();
    let (first, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    Path::new(".build-id")
        .join(first)
        .join(format!("{rest}.debug"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{path_of, paths_of_debug_files};

    #[test]
    fn debug_files_are_called_as_their_modules() {
        let of = |path: &str| {
            let paths = paths_of_debug_files(path.as_ref());
            let paths = paths.iter().map(|path| path.to_str().unwrap().to_owned());
            paths.collect::<Vec<_>>()
        };
        let module = [
            "lib/modules/6/ext4.ko",
            "lib/modules/6/ext4.ko.debug",
            "usr/lib/modules/6/ext4.ko",
            "usr/lib/modules/6/ext4.ko.debug",
        ];
        for end in ["", ".xz", ".zst", ".gz"] {
            assert_eq!(of(&format!("/lib/modules/6/ext4.ko{end}")), module, "{end}");
        }
        let program = [
            "usr/bin/a.gz",
            "usr/bin/a.gz.debug",
            "bin/a.gz",
            "bin/a.gz.debug",
        ];
        assert_eq!(of("/usr/bin/a.gz"), program);
        assert_eq!(of("a.ko"), [""; 0]);
        assert_eq!(of("/"), [""; 0]);
    }

    #[test]
    fn the_first_byte_is_the_directory() {
        let cases = [
            ("77c7aa4d", ".build-id/77/c7aa4d.debug"),
            ("ab", ".build-id/ab/.debug"),
        ];
        for (id, want) in cases {
            assert_eq!(path_of(&id.parse().unwrap()), PathBuf::from(want), "{id}");
        }
    }
}
