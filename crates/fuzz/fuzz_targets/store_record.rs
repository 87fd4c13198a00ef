//! What a store knows of a file that it added.
#![no_main]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use backsight_store::{AddOptions, Store};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// A file with a build ID.
const ELF: &[u8] = include_bytes!("../../../fixtures/elf/aarch64-lld.so");

struct Made {
    dir: TempDir,
    store: Store,
    /// The one record.
    record: PathBuf,
    /// A file of the same directory that the store did not add.
    other: PathBuf,
}

/// One store for all inputs, whose record is replaced.
static MADE: OnceLock<Made> = OnceLock::new();

fn add(dir: &Path, store: &Store) {
    let file = File::open(dir.join("a.so")).expect("ours");
    let added = store.add_file(&file, Path::new("a.so"), &AddOptions::default());
    added.expect("room");
}

/// Returns the files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("ours").flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => vec![path],
        })
        .collect()
}

fn make() -> Made {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.so"), ELF).expect("ours");
    let path = dir.path().join("store");
    let store = Store::at(&path);
    add(dir.path(), &store);
    let is_record = |path: &PathBuf| {
        let text = fs::read(path).expect("ours");
        text.starts_with(b"backsight store 1\n")
    };
    let record = files(&path)
        .into_iter()
        .find(is_record)
        .expect("one file was added");
    let other = path.join(".build-id/ab/cdef");
    fs::create_dir_all(other.parent().expect("it has one")).expect("ours");
    fs::write(&other, "of another tool").expect("ours");
    Made {
        dir,
        store,
        record,
        other,
    }
}

fuzz_target!(|record: &[u8]| {
    let Made {
        dir,
        store,
        record: path,
        other,
    } = MADE.get_or_init(make);
    fs::write(path, record).expect("ours");
    let listing = store.list().expect("the store is ours");
    let _ = format!("{listing:?}");
    let known = listing.files.len() + listing.altered.len() + listing.unreadable.len();
    assert!(known <= 1 || !listing.unreadable.is_empty(), "{listing:?}");
    let collected = store.collect(0).expect("the store is ours");
    let _ = format!("{collected:?}");
    assert!(other.exists(), "it was of another tool");
    assert!(
        dir.path().join("a.so").exists(),
        "it is outside of the store"
    );
    // Whatever stands there, the file can be added again.
    if !path.exists() {
        add(dir.path(), store);
    }
});
