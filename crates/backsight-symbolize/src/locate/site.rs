//! Where a file stands: a path, and the root directory that it begins at.
//!
//! A module of a container has a path that means nothing on the host. Inside a
//! root, each step of a path is taken as a process of that root would take it
//! (`openat2` with `RESOLVE_IN_ROOT`, Linux 5.6): no symbolic link and no `..`
//! leads out of it. On the host a path is what it always is, but for one that stands in
//! a file: it leads to no file of the kernel.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_files::{ArchiveMember, By, Identity};

use crate::error::Error;

/// A place that may hold a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// `None` is the host's own root.
    root: Option<PathBuf>,
    path: PathBuf,
    /// Where the path comes from: a directory that was given, or a file.
    by: By,
    /// Whether it is the file of the site before, in the same folder under another path:
    /// files beside it were looked for already.
    is_in_same_folder: bool,
}

impl Site {
    /// Returns where the path may lead that `by` named: inside each of `roots` first, then
    /// on the host.
    ///
    /// A path that begins with a root is the host's name for what is inside. A
    /// relative path is relative to the host's working directory, so it names
    /// nothing else inside.
    pub(crate) fn of(path: &Path, by: By, roots: &[PathBuf]) -> Vec<Self> {
        let inside = roots.iter().filter_map(|root| {
            let path = match path.strip_prefix(root) {
                Ok(rest) => Path::new("/").join(rest),
                Err(_) => path.to_owned(),
            };
            let root = Some(root.to_owned());
            path.is_absolute().then_some(Self {
                root,
                path,
                by,
                is_in_same_folder: false,
            })
        });
        let host = Self {
            root: None,
            path: path.to_owned(),
            by,
            is_in_same_folder: false,
        };
        inside.chain([host]).collect()
    }

    /// Returns what a file is called that was brought from elsewhere. Other files are not
    /// looked for around it.
    pub(super) fn of_fetched(name: &Path) -> Self {
        Self {
            root: None,
            path: name.to_owned(),
            by: By::File,
            is_in_same_folder: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path by which this host knows it.
    pub(crate) fn shown(&self) -> PathBuf {
        match (&self.root, self.path.strip_prefix("/")) {
            (Some(root), Ok(inside)) => root.join(inside),
            _ => self.path.clone(),
        }
    }

    /// Returns the target's root that it is inside of, unless it is the host's.
    pub(crate) fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }

    /// Whether it is inside a root of the target.
    pub(crate) fn is_inside(&self) -> bool {
        self.root.is_some()
    }

    /// Whether the file that was opened here is what has the same path on the host: then
    /// the root is the host's own, or has it from there.
    pub(crate) fn is_hosts(&self, opened: Option<Identity>) -> bool {
        let there = std::fs::metadata(&self.path);
        let there = there.map(|metadata| (metadata.dev(), metadata.ino()));
        let opened = opened.map(|file| (file.device, file.inode));
        there.is_ok_and(|there| opened == Some(there))
    }

    /// Returns what has this path in the folder that stands here. An absolute path is
    /// one that a file names.
    pub(crate) fn join(&self, path: &Path) -> Self {
        Self {
            root: self.root.clone(),
            path: self.path.join(path),
            by: match path.is_absolute() {
                true => By::File,
                false => self.by,
            },
            is_in_same_folder: false,
        }
    }

    /// Returns the place of this path in the same root; a relative path counts
    /// from the folder of this file.
    pub(crate) fn beside(&self, path: &Path) -> Self {
        let dir = self.path.parent().unwrap_or(Path::new(""));
        let folder = Self {
            path: dir.to_owned(),
            ..self.clone()
        };
        folder.join(path)
    }

    /// Returns this place, and the same under the name that no symbolic link is part
    /// of, if that is another. Inside a root names are taken as they are.
    pub(crate) fn with_canonical(self) -> impl Iterator<Item = Self> {
        let on_host = self.root.is_none();
        let path = on_host.then(|| self.path.canonicalize().ok()).flatten();
        let path = path.filter(|path| *path != self.path);
        let by = self.by;
        let canonical = path.map(|path| Self {
            root: None,
            is_in_same_folder: self.has_same_folder_and_name(&path),
            path,
            by,
        });
        [self].into_iter().chain(canonical)
    }

    /// Whether its canonical path has the same folder and file name.
    fn has_same_folder_and_name(&self, canonical: &Path) -> bool {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder.canonicalize().ok(),
            _ => Path::new(".").canonicalize().ok(),
        };
        let same_name = self.path.file_name() == canonical.file_name();
        same_name && folder.as_deref() == canonical.parent()
    }

    /// Whether files beside it were looked for already, at the site before.
    pub(super) fn is_in_same_folder(&self) -> bool {
        self.is_in_same_folder
    }

    /// Opens a regular file, unless it is one that the kernel makes up (procfs). Of the member of
    /// an archive, the archive is opened.
    pub(crate) fn open(&self) -> Result<File, Error> {
        let open = |path: &Path| match &self.root {
            Some(root) => backsight_files::open_inside(root, path),
            None => backsight_files::open(path, self.by),
        };
        Ok(ArchiveMember::open_archive_or_file(&self.path, open)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use backsight_files::By;

    use super::Site;

    #[test]
    fn the_target_goes_before_the_host() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("/usr/a", &[], &["/usr/a"]),
            ("/usr/a", &["/target"], &["/target:/usr/a", "/usr/a"]),
            (
                "/target/usr/a",
                &["/target"],
                &["/target:/usr/a", "/target/usr/a"],
            ),
            ("/a", &["/two", "/one"], &["/two:/a", "/one:/a", "/a"]),
            ("a", &["/target"], &["a"]),
        ];
        for (path, roots, want) in cases {
            let of_roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
            let sites = Site::of(Path::new(path), By::Folder, &of_roots);
            let shown: Vec<String> = sites
                .iter()
                .map(|site| match &site.root {
                    Some(root) => format!("{}:{}", root.display(), site.path.display()),
                    None => site.path.display().to_string(),
                })
                .collect();
            assert_eq!(shown, want, "{path} in {roots:?}");
        }
    }

    #[test]
    fn beside_is_in_the_same_folder_and_root() {
        let cases = [
            ("/usr/bin/a", "a.debug", "/usr/bin/a.debug"),
            ("/usr/bin/a", "/elsewhere/b", "/elsewhere/b"),
            ("a", "a.debug", "a.debug"),
        ];
        for (file, name, want) in cases {
            let site = Site::of(Path::new(file), By::Folder, &[]).remove(0);
            assert_eq!(site.beside(Path::new(name)).path(), Path::new(want));
        }
    }
}
