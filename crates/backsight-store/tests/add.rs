//! Files that are added to a store, or refused.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use backsight_store::{AddOptions, AddOutcome, StoreError, StoredKind};
use common::{Kind, Stage, breakpad, elf, gsym};

/// A name, contents, and whether the outcome is the expected one.
type Wrong = (&'static str, Vec<u8>, fn(&AddOutcome) -> bool);

#[test]
fn each_kind_of_file_has_its_place() {
    let stage = Stage::new();
    let cases = [
        (
            "a",
            elf(1, Kind::Stripped),
            ".build-id/01/020304",
            StoredKind::Executable,
        ),
        (
            "a.debug",
            elf(1, Kind::Debug),
            ".build-id/01/020304.debug",
            StoredKind::DebugFile,
        ),
        (
            "b.debug",
            elf(5, Kind::Symbols),
            ".build-id/05/020304.debug",
            StoredKind::DebugFile,
        ),
        ("a.gsym", gsym(1), "01020304.gsym", StoredKind::Gsym),
        (
            "a.sym",
            breakpad(1, "liba.so"),
            "liba.so/040302010000000000000000000000000/liba.so.sym",
            StoredKind::Breakpad,
        ),
    ];
    for (name, bytes, place, kind) in &cases {
        let path = stage.write(name, bytes);
        let AddOutcome::Added { file, is_linked } = stage.add_one(&path) else {
            panic!("{name}");
        };
        assert_eq!((file.kind, is_linked), (*kind, false));
        assert_eq!(file.path, stage.store.path().join(place));
        assert_eq!(fs::read(&file.path).unwrap(), *bytes);
        assert_eq!(file.name, *name);
        assert_eq!(file.bytes, bytes.len() as u64);
        assert_eq!(stage.add_one(&path), AddOutcome::AlreadyThere(file.path));
    }
    let mut places: Vec<&str> = cases.iter().map(|(_, _, place, _)| *place).collect();
    places.sort_unstable();
    assert_eq!(stage.names(), places);
    let listing = stage.store.list().unwrap();
    let mut kinds: Vec<StoredKind> = listing.files.iter().map(|file| file.kind).collect();
    kinds.sort();
    assert_eq!(kinds, cases.map(|(_, _, _, kind)| kind));
    assert_eq!((listing.missing, listing.others), (0, 0));
    assert!(listing.altered.is_empty() && listing.unreadable.is_empty());
}

#[test]
fn an_executable_with_dwarf_is_its_own_debug_file() {
    let stage = Stage::new();
    let path = stage.write("a", &elf(1, Kind::Whole));
    stage.add_one(&path);
    assert_eq!(
        stage.names(),
        [".build-id/01/020304", ".build-id/01/020304.debug"]
    );
    let debug = stage.store.path().join(".build-id/01/020304.debug");
    assert_eq!(fs::read_link(&debug).unwrap(), Path::new("020304"));
    let listing = stage.store.list().unwrap();
    assert_eq!((listing.files.len(), listing.others), (1, 0));
    // The separate debug file is not needed any more.
    let separate = stage.write("a.debug", &elf(1, Kind::Debug));
    assert!(matches!(
        stage.add_one(&separate),
        AddOutcome::AlreadyThere(_)
    ));
    let collected = stage.store.collect(0).unwrap();
    assert_eq!((collected.removed.len(), collected.kept_files), (1, 0));
    assert_eq!(stage.names(), [""; 0]);
    assert_eq!(stage.records(), 0);

    // Beside an executable without DWARF, it is the debug file.
    stage.add_one(&stage.write("stripped", &elf(1, Kind::Stripped)));
    let AddOutcome::Added { file, .. } = stage.add_one(&path) else {
        panic!("its place is free");
    };
    assert_eq!(file.kind, StoredKind::DebugFile);
    assert!(matches!(stage.add_one(&path), AddOutcome::AlreadyThere(_)));
}

#[test]
fn refused_files_have_a_cause() {
    let stage = Stage::new();
    let mut cut = elf(1, Kind::Whole);
    cut.truncate(70);
    let wrong: &[Wrong] = &[
        ("text", b"int main".to_vec(), |it| {
            *it == AddOutcome::NotRecognized
        }),
        ("empty", Vec::new(), |it| *it == AddOutcome::NotRecognized),
        ("no-id", elf(0, Kind::Stripped), |it| {
            *it == AddOutcome::NoBuildId
        }),
        ("nothing", elf(1, Kind::Empty), |it| {
            *it == AddOutcome::Empty
        }),
        ("cut", cut, |it| {
            matches!(
                it,
                AddOutcome::Failed(StoreError::Damaged(_)) | AddOutcome::NoBuildId
            )
        }),
        ("short", common::elf_of(&[7], Kind::Stripped), |it| {
            *it == AddOutcome::Failed(StoreError::ShortBuildId)
        }),
        ("up.sym", breakpad(1, "../../up"), |it| {
            *it == AddOutcome::Failed(StoreError::ModuleName)
        }),
        ("hidden.sym", breakpad(1, ".build-id"), |it| {
            *it == AddOutcome::Failed(StoreError::ModuleName)
        }),
        ("bad.sym", b"MODULE Linux x86_64 zz a\n".to_vec(), |it| {
            matches!(it, AddOutcome::Failed(StoreError::Damaged(_)))
        }),
        ("no-id.gsym", common::gsym_of(&[]), |it| {
            *it == AddOutcome::NoBuildId
        }),
    ];
    for (name, bytes, is_expected) in wrong {
        let outcome = stage.add_one(&stage.write(name, bytes));
        assert!(is_expected(&outcome), "{name}: {outcome:?}");
    }
    let absent = stage.add_one(&stage.dir.path().join("absent"));
    assert!(matches!(absent, AddOutcome::Failed(StoreError::File(_))));
    let mut options = AddOptions::default();
    options.file_bytes = 100;
    let large = stage.write("large", &elf(1, Kind::Whole));
    let outcome = stage.add_with(&large, &options).unwrap().remove(0).1;
    assert_eq!(
        outcome,
        AddOutcome::Failed(StoreError::TooLarge { limit: 100 })
    );
    assert_eq!((stage.names(), stage.records()), (Vec::new(), 0));
}

#[test]
fn a_directory_is_read_without_leaving_it() {
    let stage = Stage::new();
    let outside = stage.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("o"), elf(9, Kind::Stripped)).unwrap();
    stage.write("a", &elf(1, Kind::Stripped));
    stage.write("b/c/d", &elf(2, Kind::Stripped));
    stage.write("b/readme", b"text");
    let files = stage.dir.path().join("files");
    symlink(&outside, files.join("link")).unwrap();
    symlink(outside.join("o"), files.join("link-to-file")).unwrap();
    symlink(".", files.join("b/loop")).unwrap();
    nix::unistd::mkfifo(&files.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let all = stage.add(&files);
    let told: Vec<(&str, &str)> = all
        .iter()
        .map(|(path, outcome)| {
            let what = match outcome {
                AddOutcome::Added { .. } => "added",
                AddOutcome::NotRecognized => "not recognized",
                AddOutcome::Link => "link",
                AddOutcome::NotRegular(_) => "not regular",
                other => panic!("{other:?}"),
            };
            (path.strip_prefix(&files).unwrap().to_str().unwrap(), what)
        })
        .collect();
    let want = [
        ("a", "added"),
        ("b/c/d", "added"),
        ("b/loop", "link"),
        ("b/readme", "not recognized"),
        ("fifo", "not regular"),
        ("link", "link"),
        ("link-to-file", "link"),
    ];
    assert_eq!(told, want);

    let mut options = AddOptions::default();
    options.entries = 3;
    let few = stage.add_with(&files, &options).unwrap();
    let limit = AddOutcome::Failed(StoreError::TooManyEntries { limit: 3 });
    assert!(few.iter().any(|(_, outcome)| *outcome == limit), "{few:?}");
    let mut options = AddOptions::default();
    options.depth = 2;
    let shallow = stage.add_with(&files, &options).unwrap();
    let deep = AddOutcome::Failed(StoreError::TooDeep { limit: 2 });
    assert!(shallow.contains(&(files.join("b/c"), deep)), "{shallow:?}");
}

#[test]
fn a_hard_link_is_made_where_nobody_else_can_write() {
    let stage = Stage::new();
    let options = AddOptions::default().with_link(true);
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    for (id, mode, want) in [(1, 0o755, true), (2, 0o777, false)] {
        let path = stage.write(&format!("f{id}"), &elf(id, Kind::Stripped));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = stage.add_with(&path, &options).unwrap().remove(0).1;
        let AddOutcome::Added { file, is_linked } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(is_linked, want);
        assert_eq!(inode(&file.path) == inode(&path), want);
    }
    // What was written into the file since is no longer what was added.
    let first = stage.dir.path().join("files/f1");
    fs::write(&first, elf(3, Kind::Stripped)).unwrap();
    assert_eq!(stage.store.list().unwrap().altered.len(), 1);
    assert_eq!(stage.store.collect(0).unwrap().removed.len(), 1);
    assert!(first.exists());
}

#[test]
fn a_store_that_others_can_change_is_refused() {
    let stage = Stage::new();
    let path = stage.write("a", &elf(1, Kind::Stripped));
    let open_to_all = |dir: &Path, mode| {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
    };
    stage.add_one(&path);
    for inner in ["", ".backsight-store", ".build-id", ".build-id/01"] {
        let dir = stage.store.path().join(inner);
        open_to_all(&dir, 0o777);
        let other = stage.write("a.debug", &elf(1, Kind::Debug));
        let refused = stage.add_with(&other, &AddOptions::default());
        assert!(
            matches!(refused, Err(StoreError::NotOurs(_))),
            "{inner}: {refused:?}"
        );
        if !inner.starts_with(".build-id") {
            assert!(matches!(stage.store.list(), Err(StoreError::NotOurs(_))));
            assert!(matches!(
                stage.store.collect(0),
                Err(StoreError::NotOurs(_))
            ));
        }
        open_to_all(&dir, 0o755);
    }
    // A link in place of a directory leads nowhere.
    let outside = stage.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, stage.store.path().join(".build-id/05")).unwrap();
    let outcome = stage.add_one(&stage.write("five", &elf(5, Kind::Stripped)));
    assert!(
        matches!(outcome, AddOutcome::Failed(StoreError::File(_))),
        "{outcome:?}"
    );
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn a_file_is_opened_by_its_build_id() {
    let stage = Stage::new();
    let id = "01020304".parse().unwrap();
    let get = |kind| stage.store.get(&id, kind);
    assert!(get(StoredKind::Executable).unwrap().is_none());
    stage.add_one(&stage.write("a", &elf(1, Kind::Whole)));
    stage.add_one(&stage.write("a.gsym", &gsym(1)));
    for kind in [StoredKind::Executable, StoredKind::DebugFile] {
        let (file, path) = get(kind).unwrap().unwrap();
        assert_eq!(
            file.metadata().unwrap().len(),
            fs::metadata(path).unwrap().len()
        );
    }
    assert!(get(StoredKind::Gsym).unwrap().is_none(), "not an ELF file");
    let other = stage
        .store
        .get(&"01020305".parse().unwrap(), StoredKind::Executable);
    assert!(other.unwrap().is_none());
    let path = stage.store.path().join(".build-id/01/020304");
    fs::write(&path, elf(2, Kind::Stripped)).unwrap();
    let wrong = get(StoredKind::Executable).unwrap_err();
    assert_eq!(wrong, StoreError::Occupied(path));
}
