//! Which files beneath `/lib/modules/RELEASE` are modules, by name.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A distribution's kernel has some 4,000 modules in 1,000 folders.
const MAX_ENTRIES: usize = 1 << 17;

/// Deeper than `kernel/drivers/net/ethernet/vendor/driver`.
const MAX_DEPTH: usize = 16;

/// The files of modules by name, as paths relative to the folder.
#[derive(Debug, Default)]
pub(super) struct FileNames(HashMap<Box<str>, Vec<PathBuf>>);

impl FileNames {
    /// Lists a folder and those in it. Links are not followed: `build` and `source` lead to
    /// whole source trees.
    pub(super) fn in_folder(folder: &Path) -> Self {
        let mut found = Self::default();
        let mut left = MAX_ENTRIES;
        let mut folders = vec![(PathBuf::new(), 0_usize)];
        while let Some((inside, depth)) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder.join(&inside)) else {
                continue;
            };
            for entry in entries.map_while(Result::ok) {
                let Some(rest) = left.checked_sub(1) else {
                    return found;
                };
                left = rest;
                let path = inside.join(entry.file_name());
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => {
                        folders.push((path, depth.saturating_add(1)));
                    }
                    Ok(kind) if kind.is_file() => {
                        if let Some(name) = module_name(&path) {
                            found.0.entry(name).or_default().push(path);
                        }
                    }
                    _ => {}
                }
            }
        }
        // The order of a folder's entries is any; `updates/` counts before `kernel/`.
        for paths in found.0.values_mut() {
            paths.sort_by(|a, b| b.cmp(a));
        }
        found
    }

    /// Returns the files of a module.
    pub(super) fn of(&self, name: &str) -> &[PathBuf] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Returns the name that the kernel gives to the module of this file: without `.ko` and what it
/// is packed by, and with `_` for `-`. `None` for other files.
pub(super) fn module_name(path: &Path) -> Option<Box<str>> {
    let mut name = path.file_name()?;
    if [".xz", ".gz", ".zst"]
        .iter()
        .any(|end| name.as_bytes().ends_with(end.as_bytes()))
    {
        name = Path::new(name).file_stem()?;
    }
    let stem = name.as_bytes().strip_suffix(b".ko")?;
    let stem = OsStr::from_bytes(stem).to_str()?;
    (!stem.is_empty()).then(|| stem.replace('-', "_").into())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{FileNames, module_name};

    #[test]
    fn a_file_is_named_as_the_kernel_names_its_module() {
        let cases = [
            ("kernel/net/veth.ko", Some("veth")),
            ("snd-hda-intel.ko.xz", Some("snd_hda_intel")),
            ("a.ko.zst", Some("a")),
            ("a.ko.gz", Some("a")),
            ("a.b.ko", Some("a.b")),
            ("a.ko.bz2", None),
            ("a.ko.debug", None),
            ("modules.dep", None),
            (".ko", None),
            ("", None),
        ];
        for (path, want) in cases {
            assert_eq!(module_name(Path::new(path)).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn folders_are_listed_without_following_links() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        };
        write("release/kernel/drivers/a-b.ko.xz");
        write("release/updates/a_b.ko");
        write("release/modules.dep");
        write("elsewhere/c.ko");
        let link = dir.path().join("release/build");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), link).unwrap();
        let names = FileNames::in_folder(&dir.path().join("release"));
        let want = ["updates/a_b.ko", "kernel/drivers/a-b.ko.xz"].map(PathBuf::from);
        assert_eq!(names.of("a_b"), want);
        assert!(names.of("c").is_empty());
        let none = FileNames::in_folder(&dir.path().join("nowhere"));
        assert!(none.of("a_b").is_empty());
    }
}
