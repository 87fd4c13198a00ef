//! Real programs with debug information, large ones: `cargo xtask workloads` fetches and
//! builds them outside the repository, benches find them by a manifest.
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

/// What there is in a directory, and what could not be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What there is.
    pub workloads: Vec<Workload>,
    /// What there is not.
    pub missing: Vec<Missing>,
}

/// A program. In a manifest paths count from its directory; [`Manifest::read`] joins
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// One word.
    pub name: String,
    /// What it is: package, version and how it was built.
    pub what: String,
    /// What is mapped when it runs.
    pub executable: PathBuf,
    /// What has the debug information, where that is not the executable: some
    /// directory's `.build-id/xx/rest.debug`.
    pub debug_file: Option<PathBuf>,
    /// Bytes of both.
    pub bytes: u64,
    /// The build ID in hexadecimal digits, if it has one.
    pub build_id: Option<String>,
    /// The same with compressed debug sections.
    pub compressed: Vec<Compressed>,
}

/// A workload whose debug sections are compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// `zlib` or `zstd`.
    pub with: String,
    /// As [`Workload::executable`].
    pub executable: PathBuf,
    /// As [`Workload::debug_file`].
    pub debug_file: Option<PathBuf>,
    /// Bytes of both.
    pub bytes: u64,
}

/// A workload that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// The name, in the directory of a manifest, of the program that has the peers which the
/// workspace cannot take in: `benches/peers`.
pub const PEERS: &str = "peers";

/// The manifest's name in its directory.
const FILE: &str = "manifest.json";

impl Manifest {
    /// Reads the manifest of a directory, and joins its paths to that.
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

    /// Writes it to a directory.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write(dir.join(FILE), json)
    }
}

/// Returns where workloads are: `BACKSIGHT_WORKLOADS`, else `backsight/workloads` among
/// this user's caches.
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
