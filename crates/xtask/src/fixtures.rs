//! Checks each fixture against its hash and its documented origin.
//!
//! `fixtures/manifest.toml` has an entry for every file:
//!
//! ```toml
//! [[file]]
//! path = "maps/ordinary.maps"
//! sha256 = "…"
//! recipe = "captured from a sleeping shell; paths changed"
//! command = "…"   # optional: run in an empty folder, it prints the file
//! ```
//!
//! Without a command, the file itself is the source, and the recipe says how it was made.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

const MANIFEST: &str = "manifest.toml";

/// Files of the directory that are not fixtures.
const NOT_FIXTURES: [&str; 2] = [MANIFEST, "README.md"];

/// An entry of the manifest.
#[derive(Debug)]
struct Entry {
    path: String,
    sha256: String,
    recipe: String,
    command: Option<String>,
}

/// Checks that the directory contains the files of the manifest, and no others.
pub(crate) fn verify(dir: &Path) -> Result<String, String> {
    let entries = read_manifest(dir)?;
    let mut complaints = Vec::new();
    for entry in &entries {
        match std::fs::read(dir.join(&entry.path)) {
            Err(why) => complaints.push(format!("{}: {why}", entry.path)),
            Ok(bytes) if hash(&bytes) != entry.sha256 => {
                complaints.push(format!("{}: its hash is {}", entry.path, hash(&bytes)));
            }
            Ok(_) if entry.recipe.is_empty() => {
                complaints.push(format!("{}: no recipe", entry.path));
            }
            Ok(_) => {}
        }
    }
    let known: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    let mut found = Vec::new();
    list(dir, "", &mut found)?;
    found.retain(|path| !known.contains(path.as_str()) && !NOT_FIXTURES.contains(&path.as_str()));
    complaints.extend(
        found
            .iter()
            .map(|path| format!("{path}: not in {MANIFEST}")),
    );
    match complaints.is_empty() {
        true => Ok(format!(
            "fixtures: {} files as their hashes say",
            entries.len()
        )),
        false => Err(complaints.join("\n")),
    }
}

/// Rebuilds the files that have a command, and updates their hashes.
pub(crate) fn rebuild(dir: &Path) -> Result<String, String> {
    let manifest = dir.join(MANIFEST);
    let mut text = std::fs::read_to_string(&manifest).map_err(|why| why.to_string())?;
    let mut changed = 0;
    for entry in read_manifest(dir)? {
        let Some(command) = &entry.command else {
            continue;
        };
        let empty = Scratch::new(&entry.sha256)?;
        let made = Command::new("sh")
            .args(["-euc", command])
            .current_dir(&empty.0)
            .output()
            .map_err(|why| format!("sh: {why}"))?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr);
            return Err(format!("{}: {why}", entry.path));
        }
        let new = hash(&made.stdout);
        if new != entry.sha256 {
            changed += 1;
            let line = |hash: &str| format!("sha256 = \"{hash}\"\n");
            text = text.replace(&line(&entry.sha256), &line(&new));
            std::fs::write(dir.join(&entry.path), made.stdout).map_err(|why| why.to_string())?;
        }
    }
    std::fs::write(manifest, text).map_err(|why| why.to_string())?;
    Ok(format!("fixtures: {changed} changed; {}", verify(dir)?))
}

/// A temporary empty directory.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("fixture-{}-{name}", std::process::id()));
        std::fs::create_dir(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read_manifest(dir: &Path) -> Result<Vec<Entry>, String> {
    let text = std::fs::read_to_string(dir.join(MANIFEST)).map_err(|why| why.to_string())?;
    let table: toml::Table = text.parse().map_err(|why| format!("{MANIFEST}: {why}"))?;
    let files = table.get("file").and_then(toml::Value::as_array);
    let entries = files.into_iter().flatten().map(|file| {
        let field = |name| {
            file.get(name)
                .and_then(toml::Value::as_str)
                .map(str::to_owned)
        };
        let needed = |name| field(name).ok_or(format!("{MANIFEST}: a file without {name}"));
        Ok(Entry {
            path: needed("path")?,
            sha256: needed("sha256")?,
            recipe: needed("recipe")?,
            command: field("command"),
        })
    });
    entries.collect()
}

fn list(dir: &Path, below: &str, out: &mut Vec<String>) -> Result<(), String> {
    let entries = std::fs::read_dir(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    for entry in entries {
        let entry = entry.map_err(|why| why.to_string())?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => list(&entry.path(), &format!("{name}/"), out)?,
            false => out.push(name),
        }
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Scratch, hash, rebuild, verify};

    #[test]
    fn the_fixtures_match_their_hashes() {
        verify(&crate::root::root().join("fixtures")).unwrap();
    }

    #[test]
    fn changed_missing_and_new_files_are_reported() {
        let dir = Scratch::new("told").unwrap();
        let entry = |path: &str, sha256: &str| {
            format!("[[file]]\npath = {path:?}\nsha256 = {sha256:?}\nrecipe = \"by hand\"\n")
        };
        let manifest = entry("same", &hash(b"1")) + &entry("changed", "00") + &entry("gone", "00");
        std::fs::write(dir.0.join("manifest.toml"), manifest).unwrap();
        for name in ["same", "changed", "new"] {
            std::fs::write(dir.0.join(name), "1").unwrap();
        }
        let told = verify(&dir.0).unwrap_err();
        assert!(!told.contains("same"), "{told}");
        for part in ["changed: its hash is 6b86b2", "gone: ", "new: not in"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_command_rebuilds_its_file() {
        let dir = Scratch::new("anew").unwrap();
        // The other hash also contains a 4, and must not be changed.
        let other = hash(b"other");
        let manifest = format!(
            "[[file]]\npath = \"other\"\nsha256 = \"{other}\"\nrecipe = \"by hand\"\n\
             [[file]]\npath = \"a\"\nsha256 = \"4\"\nrecipe = \"printf\"\n\
             command = \"printf 1\"\n"
        );
        std::fs::write(dir.0.join("other"), "other").unwrap();
        std::fs::write(dir.0.join("manifest.toml"), manifest).unwrap();
        assert!(verify(&dir.0).is_err());
        rebuild(&dir.0).unwrap();
        verify(&dir.0).unwrap();
        assert_eq!(std::fs::read(dir.0.join("a")).unwrap(), b"1");
    }
}
