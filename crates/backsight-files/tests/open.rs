//! Which files are opened, and that no other file is opened even to check it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_files::{By, Error, FileError, Identity, NonRegularKind, hold_at};
use testkit::openings::{Openings, traps};

const ALL: [By; 3] = [By::Caller, By::Folder, By::File];

fn open(path: &Path, by: By) -> Result<fs::File, Error> {
    let opened = backsight_files::open(path, by);
    opened.map_err(|error| {
        assert_eq!((error.operation(), error.path()), ("open", Some(path)));
        error.into_error()
    })
}

fn open_inside(root: &Path, path: &Path) -> Result<fs::File, Error> {
    backsight_files::open_inside(root, path).map_err(FileError::into_error)
}

fn text(opened: Result<fs::File, Error>) -> String {
    let mut text = String::new();
    opened
        .expect("opened")
        .read_to_string(&mut text)
        .expect("text");
    text
}

#[test]
fn regular_files_are_opened_by_any_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a");
    fs::write(&file, "it").expect("ours");
    symlink("a", dir.path().join("b")).expect("ours");
    fs::create_dir(dir.path().join("c")).expect("ours");
    symlink("../b", dir.path().join("c/d")).expect("ours");
    for by in ALL {
        for name in ["a", "b", "c/d", "c/../a"] {
            assert_eq!(
                text(open(&dir.path().join(name), by)),
                "it",
                "{name} {by:?}"
            );
        }
    }
    for name in ["/a", "a", "/b", "/c/d", "../../../a"] {
        assert_eq!(
            text(open_inside(dir.path(), Path::new(name))),
            "it",
            "{name}"
        );
    }
}

#[test]
fn a_file_that_is_held_is_opened_and_identified() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("a"), "it").expect("ours");
    symlink("a", dir.path().join("b")).expect("ours");
    fs::create_dir(dir.path().join("c")).expect("ours");
    let folder = fs::File::open(dir.path()).expect("a folder");
    let reopened = |name| {
        let held = hold_at(&folder, Path::new(name)).expect("held");
        backsight_files::reopen(held).map_err(FileError::into_error)
    };
    let (file, identity) = reopened("a").expect("a file");
    assert_eq!(identity, Identity::of(&file).expect("a status"));
    assert_eq!(identity.size, 2);
    let refused = |name| reopened(name).err();
    assert_eq!(refused("b"), Some(Error::NotRegular(NonRegularKind::Link)));
    assert_eq!(
        refused("c"),
        Some(Error::NotRegular(NonRegularKind::Directory))
    );
}

#[test]
fn nothing_else_is_opened_by_anybody() {
    let dir = tempfile::tempdir().expect("a folder");
    let traps = traps(dir.path());
    assert!(traps.len() >= 4);
    let mut openings = Openings::new();
    for trap in &traps {
        openings.watch(trap);
    }
    // Checks that the watch works.
    drop(fs::read_dir(dir.path().join("directory")));
    assert_eq!(openings.opened(), [dir.path().join("directory")]);
    for trap in &traps {
        let name = trap.file_name().expect("a name");
        let outcomes = ALL.map(|by| open(trap, by));
        let inside = open_inside(dir.path(), &Path::new("/").join(name));
        for outcome in outcomes.into_iter().chain([inside]) {
            let kind = match outcome {
                Err(Error::NotRegular(kind)) => kind,
                other => panic!("{}: {other:?}", trap.display()),
            };
            let want = match name.to_str().expect("text").trim_start_matches("link-to-") {
                "fifo" => NonRegularKind::Fifo,
                "socket" => NonRegularKind::Socket,
                "directory" => NonRegularKind::Directory,
                _ => NonRegularKind::Device,
            };
            assert_eq!(kind, want, "{}", trap.display());
        }
    }
    assert!(openings.opened().is_empty());
}

#[test]
fn no_terminal_is_created() {
    // A device like /dev/ptmx, but one that no other process opens.
    let dir = tempfile::tempdir().expect("a folder");
    let ptmx = dir.path().join("ptmx");
    let made = Command::new("mknod")
        .arg(&ptmx)
        .args(["c", "5", "2"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return testkit::skip("devices are made by root alone");
    }
    let mut openings = Openings::new();
    openings.watch(&ptmx);
    for by in ALL {
        assert!(matches!(
            open(&ptmx, by),
            Err(Error::NotRegular(NonRegularKind::Device))
        ));
    }
    assert!(openings.opened().is_empty());
}

#[test]
fn kernel_files_are_opened_only_for_the_caller() {
    let dir = tempfile::tempdir().expect("a folder");
    let link = dir.path().join("link");
    // A file that no other process reads.
    let kernels = PathBuf::from(format!("/proc/{}/personality", std::process::id()));
    symlink(&kernels, &link).expect("ours");
    let mut openings = Openings::new();
    openings.watch(&kernels);
    for path in [&kernels, &link] {
        assert_eq!(text(open(path, By::Caller)), "00000000\n");
        assert_eq!(openings.opened().len(), 1);
        for by in [By::Folder, By::File] {
            assert!(
                matches!(open(path, by), Err(Error::Kernels)),
                "{path:?} {by:?}"
            );
        }
    }
    for path in [
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        if !Path::new(path).exists() {
            continue;
        }
        let inside = open_inside(Path::new("/"), Path::new(path));
        assert!(matches!(inside, Err(Error::Kernels)), "{path}: {inside:?}");
        assert!(matches!(
            open(Path::new(path), By::File),
            Err(Error::Kernels)
        ));
    }
    assert!(openings.opened().is_empty());
}

#[test]
fn magic_links_are_followed_only_for_the_caller_and_in_named_folders() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("it");
    fs::write(&file, "it").expect("ours");
    let root = PathBuf::from(format!("/proc/{}/root", std::process::id()));
    let through = root.join(file.strip_prefix("/").expect("absolute"));
    assert_eq!(text(open(&through, By::Caller)), "it");
    assert_eq!(text(open(&through, By::Folder)), "it");
    if !has_openat2() {
        return testkit::skip("a kernel without openat2");
    }
    assert!(matches!(open(&through, By::File), Err(Error::Kernels)));
    // The caller names the root, so the path inside it is an ordinary one.
    assert_eq!(text(open_inside(&root, &file)), "it");
    let again = open_inside(&root, &through);
    assert!(again.is_err(), "{again:?}");
}

#[test]
fn no_link_leads_out_of_a_root() {
    if !has_openat2() {
        return testkit::skip("a kernel without openat2");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("ours");
    fs::write(dir.path().join("secret"), "outside").expect("ours");
    let secret = dir.path().join("secret");
    symlink(&secret, root.join("absolute")).expect("ours");
    symlink("../secret", root.join("relative")).expect("ours");
    for name in ["absolute", "relative", "../secret", "/../secret"] {
        let opened = open_inside(&root, Path::new(name));
        assert!(matches!(opened, Err(Error::Io(_))), "{name}: {opened:?}");
    }
}

#[test]
fn a_missing_file_is_the_systems_error() {
    for by in ALL {
        let missing = open(Path::new("/nowhere/at all"), by);
        let Err(Error::Io(error)) = missing else {
            panic!("{missing:?}");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}

fn has_openat2() -> bool {
    let here = open_inside(Path::new("/"), Path::new("/proc/version"));
    !matches!(here, Err(Error::Io(error)) if error.errno() == Some(38))
}
