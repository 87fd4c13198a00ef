//! The tracked files, and the crates they belong to.

use std::path::Path;
use std::process::Command;

use super::complaint::Complaint;

/// A tracked file.
#[derive(Debug)]
pub(super) struct File {
    /// The path from the root.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

/// The tracked files.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Crate<'t> {
    /// Its directory from the root, such as `crates/vma-query`.
    pub(super) dir: &'t str,
    pub(super) manifest: &'t File,
    pub(super) table: toml::Table,
}

impl File {
    /// Returns the text, with invalid UTF-8 replaced.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Reports the lines for which `is_bad` is true, by number from 1.
    pub(super) fn complain(
        &self,
        text: &str,
        what: &str,
        is_bad: impl Fn(&str) -> bool,
    ) -> Vec<Complaint> {
        let lines = text.lines().enumerate();
        lines
            .filter(|(_, line)| is_bad(line))
            .map(|(at, _)| self.complaint(at + 1, what))
            .collect()
    }

    pub(super) fn complaint(&self, line: usize, what: impl Into<String>) -> Complaint {
        Complaint {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }
}

impl Crate<'_> {
    pub(super) fn name(&self) -> &str {
        self.dir.rsplit('/').next().unwrap_or(self.dir)
    }

    /// Whether it is published, so that others can depend on it.
    pub(super) fn ships(&self) -> bool {
        let publish = self
            .table
            .get("package")
            .and_then(|package| package.get("publish"));
        publish.and_then(toml::Value::as_bool) != Some(false)
    }
}

impl Tree {
    /// Reads the files that git tracks, with their current content.
    pub(super) fn of_git(root: &Path) -> Result<Self, String> {
        let mut git = Command::new("git");
        let listed = git.current_dir(root).args(["ls-files", "-z"]).output();
        let listed = listed.map_err(|why| format!("git: {why}"))?;
        if !listed.status.success() {
            return Err(format!("git: {}", String::from_utf8_lossy(&listed.stderr)));
        }
        let paths = String::from_utf8_lossy(&listed.stdout).into_owned();
        let files = paths.split_terminator('\0').filter_map(|path| {
            // A file that was removed but not yet committed is ignored.
            let bytes = std::fs::read(root.join(path)).ok()?;
            let path = path.to_owned();
            Some(File { path, bytes })
        });
        Ok(Self {
            files: files.collect(),
        })
    }

    /// Returns the crates of the workspace. One with an invalid manifest is left to cargo to
    /// report.
    pub(super) fn crates(&self) -> impl Iterator<Item = Crate<'_>> {
        self.files.iter().filter_map(|file| {
            let dir = file.path.strip_suffix("/Cargo.toml")?;
            let table = file.text().parse().ok()?;
            Some(Crate {
                dir,
                manifest: file,
                table,
            })
        })
    }

    /// Returns the Rust sources of a crate, without its tests and benches.
    pub(super) fn sources(&self, of: &Crate<'_>) -> impl Iterator<Item = &File> {
        let src = format!("{}/src/", of.dir);
        self.files
            .iter()
            .filter(move |file| file.is_rust() && file.path.starts_with(&src))
    }

    pub(super) fn named(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

#[cfg(test)]
impl File {
    pub(super) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
impl Tree {
    /// Returns a tree with these paths and texts.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File::of(path, text));
        Self {
            files: files.collect(),
        }
    }
}
