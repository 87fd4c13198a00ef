//! The kernels that are installed, by release.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use backsight_symbolize::Options;

use super::file_names::FileNames;
use super::module_table::is_release;

/// A host has a few.
const MAX_RELEASES: usize = 64;

/// The releases of kernels that are installed, and the files of their modules. Both are listed
/// when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// The release of the running kernel, which comes first.
    first: Option<String>,
    /// Whether other releases count, too.
    is_first_alone: bool,
    releases: OnceLock<Vec<String>>,
    /// Of each release, as paths that begin at the root.
    files: OnceLock<Vec<(PathBuf, FileNames)>>,
}

impl Installed {
    /// All that are installed, the running one first if its release is known.
    pub(crate) fn all(first: Option<&str>) -> Self {
        Self {
            first: first.map(str::to_owned),
            ..Self::default()
        }
    }

    /// The running kernel alone.
    pub(crate) fn one(release: Option<&str>) -> Self {
        Self {
            is_first_alone: true,
            ..Self::all(release)
        }
    }

    /// Returns the releases, inside the roots and on this host.
    pub(super) fn releases(&self, options: &Options) -> &[String] {
        self.releases.get_or_init(|| {
            let mut found: Vec<String> = self.first.iter().cloned().collect();
            if !self.is_first_alone {
                for folder in in_roots(Path::new("/"), options) {
                    list(&folder, options, &mut found);
                }
            }
            found.retain(|release| is_release(release));
            found.truncate(MAX_RELEASES);
            found
        })
    }

    /// Returns the files of a module in all releases, as paths that begin at a root.
    pub(super) fn files_of_module(&self, name: &str, options: &Options) -> Vec<PathBuf> {
        let files = self.files.get_or_init(|| {
            let folders = self.releases(options).iter();
            let folders = folders.map(|release| Path::new("/lib/modules").join(release));
            let of = |folder: PathBuf| {
                let names = in_roots(&folder, options);
                let names = names.into_iter().map(|path| FileNames::in_folder(&path));
                names.map(move |names| (folder.clone(), names))
            };
            folders.flat_map(of).collect()
        });
        let mut paths: Vec<PathBuf> = files
            .iter()
            .flat_map(|(folder, names)| names.of(name).iter().map(|path| folder.join(path)))
            .collect();
        let mut seen = std::collections::HashSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        paths
    }
}

/// Returns a path as this host knows it in each root, and the path itself.
fn in_roots(path: &Path, options: &Options) -> Vec<PathBuf> {
    let inside = path.strip_prefix("/").unwrap_or(path);
    let roots = options.roots.iter().map(|root| root.join(inside));
    roots.chain([path.to_owned()]).collect()
}

/// Lists the releases beneath a root.
fn list(root: &Path, options: &Options, found: &mut Vec<String>) {
    let mut push = |release: &str| {
        if found.len() < MAX_RELEASES && !found.iter().any(|known| known == release) {
            found.push(release.to_owned());
        }
    };
    let debug_dirs = options
        .debug_dirs
        .iter()
        .map(|dir| dir.strip_prefix("/").unwrap_or(dir));
    for folder in [Path::new("")].into_iter().chain(debug_dirs) {
        let folder = root.join(folder);
        names_in(&folder.join("lib/modules")).for_each(|name| push(&name));
        for name in names_in(&folder.join("boot")) {
            if let Some(release) = name.strip_prefix("vmlinux-") {
                push(release);
            }
        }
    }
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let entries = entries.map_while(Result::ok).take(MAX_RELEASES);
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
