//! A shell of an unprivileged user in an empty directory.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::common::public_copy;

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// Runs commands of the documentation.
#[derive(Debug)]
pub(crate) struct Shell {
    dir: TempDir,
    /// Our command, accessible to that user and first in PATH.
    _command: TempDir,
    path: PathBuf,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        if geteuid().is_root() {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let (command, path) = public_copy();
        Self {
            dir,
            _command: command,
            path: path.parent().expect("a folder").to_owned(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a script; returns its messages if it fails.
    pub(crate) fn run(&self, script: &str) -> Result<(), String> {
        let paths = env::var_os("PATH").unwrap_or_default();
        let ours = std::iter::once(self.path.clone());
        let paths = env::join_paths(ours.chain(env::split_paths(&paths)));
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", script])
            .current_dir(self.folder())
            .env("PATH", paths.expect("no colon in it"))
            .env("HOME", self.folder())
            .stdin(Stdio::null());
        if geteuid().is_root() {
            shell.uid(NOBODY).gid(NOBODY);
        }
        let output = shell.output().expect("a shell");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(words)
    }
}
