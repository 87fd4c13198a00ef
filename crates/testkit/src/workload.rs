//! Large real programs with debug information: `cargo xtask workloads` downloads and builds them
//! outside the repository, and benches find them by a manifest.
//!
//! ```text
//! DIR/manifest.json
//! DIR/libc/libc.so.6
//! DIR/libc/debug/.build-id/xx/rest.debug
//! DIR/rg/rg …
//! DIR/peers
//! ```

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// The programs of a directory, and those that are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The programs.
    pub workloads: Vec<Workload>,
    /// The missing programs.
    pub missing: Vec<Missing>,
}

/// A program. Paths in a manifest are relative to its directory; [`Manifest::read`] makes them
/// absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Its package, version and build.
    pub what: String,
    /// The executable, as it is mapped.
    pub executable: PathBuf,
    /// The file with the debug information, if that is not the executable: a directory's
    /// `.build-id/xx/rest.debug`.
    pub debug_file: Option<PathBuf>,
    /// The total size of both in bytes.
    pub bytes: u64,
    /// The build ID in hexadecimal, if any.
    pub build_id: Option<String>,
    /// Copies with compressed debug sections.
    pub compressed: Vec<Compressed>,
}

/// A workload with compressed debug sections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// `zlib` or `zstd`.
    pub with: String,
    /// As [`Workload::executable`].
    pub executable: PathBuf,
    /// As [`Workload::debug_file`].
    pub debug_file: Option<PathBuf>,
    /// The total size of both in bytes.
    pub bytes: u64,
}

/// A workload that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// The cause.
    pub why: String,
}

/// The name, in the directory of a manifest, of the program `benches/peers`, which contains the
/// peers that the workspace cannot depend on.
pub const PEERS: &str = "peers";

/// The file name of a manifest.
const FILE: &str = "manifest.json";

impl Manifest {
    /// Reads the manifest of a directory, and makes its paths absolute.
    ///
    /// # Errors
    /// When there is none, or it is none.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let mut manifest: Self = serde_json::from_slice(&fs::read(dir.join(FILE))?)?;
        let join = |path: &mut PathBuf| *path = dir.join(&*path);
        for workload in &mut manifest.workloads {
            join(&mut workload.executable);
            workload.debug_file.iter_mut().for_each(join);
            for compressed in &mut workload.compressed {
                join(&mut compressed.executable);
                compressed.debug_file.iter_mut().for_each(join);
            }
        }
        Ok(manifest)
    }

    /// Writes the manifest to a directory.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write(dir.join(FILE), json)
    }
}

/// Returns the directory of workloads: `BACKSIGHT_WORKLOADS`, otherwise `backsight/workloads` in
/// this user's cache directory.
#[must_use]
pub fn dir() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = var("BACKSIGHT_WORKLOADS") {
        return Some(dir.into());
    }
    let caches = var("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(Path::new(&var("HOME")?).join(".cache")));
    Some(caches?.join("backsight/workloads"))
}

#[cfg(test)]
mod tests {
    use super::{Compressed, Manifest, Missing, Workload};

    #[test]
    fn a_manifest_moves_with_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest {
            workloads: vec![Workload {
                name: "libc".to_owned(),
                what: "libc6".to_owned(),
                executable: "libc/libc.so.6".into(),
                debug_file: Some("libc/debug/.build-id/ab/cd.debug".into()),
                bytes: 3,
                build_id: Some("abcd".to_owned()),
                compressed: vec![Compressed {
                    with: "zlib".to_owned(),
                    executable: "libc/libc.so.6".into(),
                    debug_file: None,
                    bytes: 2,
                }],
            }],
            missing: vec![Missing {
                name: "vmlinux".to_owned(),
                why: "no net".to_owned(),
            }],
        };
        manifest.write(dir.path()).unwrap();
        let workload = &mut manifest.workloads[0];
        workload.executable = dir.path().join("libc/libc.so.6");
        workload.debug_file = Some(dir.path().join("libc/debug/.build-id/ab/cd.debug"));
        workload.compressed[0].executable = dir.path().join("libc/libc.so.6");
        assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);
    }
}
