//! Files that are listed and removed.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use backsight_store::{AddOutcome, StoreError};
use common::{Kind, Stage, elf};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_least_recently_used_is_removed_first() {
    let stage = Stage::new();
    for id in 1..=4 {
        stage.add_one(&stage.write(&format!("f{id}"), &elf(id, Kind::Stripped)));
    }
    let size = elf(1, Kind::Stripped).len() as u64;
    for (id, hours) in [(1, 2), (2, 4), (3, 1), (4, 3)] {
        stage.set_used(&format!(".build-id/0{id}/020304"), HOUR * hours);
    }
    let names = |files: &[backsight_store::StoredFile]| {
        let names = files
            .iter()
            .map(|file| file.name.to_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        names(&stage.store.list().unwrap().files),
        ["f2", "f4", "f1", "f3"]
    );
    let collected = stage.store.collect(2 * size + 1).unwrap();
    assert_eq!(names(&collected.removed), ["f2", "f4"]);
    assert_eq!((collected.kept_files, collected.kept_bytes), (2, 2 * size));
    // Being added again is a use.
    stage.add_one(&stage.dir.path().join("files/f1"));
    let collected = stage.store.collect(size).unwrap();
    assert_eq!(names(&collected.removed), ["f3"]);
    let collected = stage.store.collect(size).unwrap();
    assert_eq!((collected.removed.len(), collected.kept_files), (0, 1));
}

#[test]
fn foreign_files_stay() {
    let stage = Stage::new();
    for id in 1..=3 {
        stage.add_one(&stage.write(&format!("f{id}"), &elf(id, Kind::Stripped)));
    }
    let at = |id: u8| stage.store.path().join(format!(".build-id/0{id}/020304"));
    // Another tool's file, one that it replaced, and one that it removed.
    let foreign = stage.store.path().join(".build-id/09/020304");
    fs::create_dir(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, elf(9, Kind::Stripped)).unwrap();
    fs::remove_file(at(1)).unwrap();
    fs::write(at(1), elf(1, Kind::Whole)).unwrap();
    fs::remove_file(at(2)).unwrap();
    let listing = stage.store.list().unwrap();
    assert_eq!(
        (listing.files.len(), listing.missing, listing.others),
        (1, 1, 1)
    );
    assert_eq!(listing.altered, [at(1)]);
    let added = stage.add_one(&stage.write("f9", &elf(9, Kind::Stripped)));
    assert_eq!(added, AddOutcome::AlreadyThere(foreign.clone()));
    let collected = stage.store.collect(0).unwrap();
    assert_eq!((collected.removed.len(), collected.forgotten), (1, 1));
    assert_eq!(collected.altered, [at(1)]);
    assert!(foreign.exists() && at(1).exists() && !at(3).exists());
    // A file of another build where this one belongs.
    fs::write(&foreign, elf(8, Kind::Stripped)).unwrap();
    let refused = stage.add_one(&stage.dir.path().join("files/f9"));
    assert_eq!(refused, AddOutcome::Failed(StoreError::Occupied(foreign)));
}

#[test]
fn a_damaged_record_is_reported_and_its_file_stays() {
    let stage = Stage::new();
    stage.add_one(&stage.write("a", &elf(1, Kind::Stripped)));
    let records = stage.store.path().join(".backsight-store");
    fs::write(records.join("01020304.executable"), "what").unwrap();
    // Not a record's name.
    fs::write(records.join("01020304"), "what").unwrap();
    let listing = stage.store.list().unwrap();
    assert_eq!((listing.files.len(), listing.unreadable.len()), (0, 2));
    let collected = stage.store.collect(0).unwrap();
    assert_eq!((collected.removed.len(), collected.failed.len()), (0, 2));
    assert_eq!(stage.names(), [".build-id/01/020304"]);
}

#[test]
fn many_threads_may_add_and_remove() {
    let stage = Stage::new();
    let files: Vec<PathBuf> = (1..=20)
        .map(|id| stage.write(&format!("f{id}"), &elf(id, Kind::Whole)))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for file in &files {
                    let outcome = stage.add_one(file);
                    let is_there = matches!(
                        outcome,
                        AddOutcome::Added { .. } | AddOutcome::AlreadyThere(_)
                    );
                    assert!(is_there, "{outcome:?}");
                }
            });
        }
    });
    let listing = stage.store.list().unwrap();
    assert_eq!(
        (listing.files.len(), listing.missing, listing.others),
        (20, 0, 0)
    );
    assert!(listing.altered.is_empty());
    assert_eq!(stage.names().len(), 40);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for file in &files {
                    stage.add_one(file);
                    let collected = stage.store.collect(elf(1, Kind::Whole).len() as u64 * 3);
                    assert_eq!(collected.unwrap().failed, []);
                }
            });
        }
    });
    let listing = stage.store.list().unwrap();
    assert!(listing.files.len() <= 3 && listing.altered.is_empty());
    assert_eq!((listing.missing, listing.others), (0, 0));
    assert_eq!(stage.store.collect(0).unwrap().kept_files, 0);
    assert_eq!((stage.names(), stage.records()), (Vec::new(), 0));
}

#[test]
fn a_store_that_is_not_there_is_empty() {
    let stage = Stage::new();
    assert_eq!(stage.store.list().unwrap().files, []);
    assert_eq!(stage.store.collect(0).unwrap().removed, []);
    assert!(!stage.store.path().exists());
}
