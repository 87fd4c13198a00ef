//! Every library that opens a file says of each failure: what was to be done, with which file,
//! and why, with errno where a system call failed. The path is said once.
//!
//! One test alone, because it takes file descriptors away from the whole process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backsight::{Live, LiveError};
use backsight_files::{By, IoError};
use backsight_symbolize::{
    Access, Cause, IndexCause, Limits, ModuleInput, Options, SymbolFile, SymbolIndex,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use testkit::user::unprivileged;

/// An error, as its library's interface gives it.
#[derive(Debug)]
struct Failed {
    message: String,
    operation: &'static str,
    path: Option<PathBuf>,
    /// Of a system call that failed.
    errno: Option<i32>,
}

impl Failed {
    fn of_files(error: &backsight_files::FileError) -> Self {
        Self {
            message: error.to_string(),
            operation: error.operation(),
            path: error.path().map(Path::to_owned),
            errno: errno_of(error.error()),
        }
    }

    fn of_symbols(error: &backsight_symbolize::Error) -> Self {
        Self {
            message: error.to_string(),
            operation: error.operation(),
            path: error.path().map(Path::to_owned),
            errno: match error.cause() {
                Cause::File(error) => errno_of(error),
                _ => None,
            },
        }
    }

    fn of_index(error: &backsight_symbolize::IndexError) -> Self {
        Self {
            message: error.to_string(),
            operation: error.operation(),
            path: error.path().map(Path::to_owned),
            errno: match error.cause() {
                IndexCause::File(error) => errno_of(error),
                _ => None,
            },
        }
    }

    fn of_maps(error: &vma_query::Error) -> Self {
        let file = match error {
            vma_query::Error::Denied(file) | vma_query::Error::Io(file) => file,
            other => panic!("an error without a file: {other}"),
        };
        Self {
            message: error.to_string(),
            operation: file.operation(),
            path: file.path().map(Path::to_owned),
            errno: file.error().raw_os_error(),
        }
    }
}

fn errno_of(error: &backsight_files::Error) -> Option<i32> {
    match error {
        backsight_files::Error::Io(error) => IoError::errno(error),
        _ => None,
    }
}

/// Opens a file by one of the libraries.
type Opener = fn(&Path) -> Option<Failed>;

const OPENERS: [(&str, Opener); 5] = [
    ("files", |path| {
        let opened = backsight_files::open(path, By::Caller);
        Some(Failed::of_files(&opened.err()?))
    }),
    ("a module", |path| {
        let opened = ModuleInput::open(path);
        Some(Failed::of_symbols(&opened.err()?))
    }),
    ("an index", |path| {
        let opened = SymbolIndex::open(path, &Options::default());
        Some(Failed::of_index(&opened.err()?))
    }),
    ("a symbol file, mapped", |path| {
        let opened = SymbolFile::open(path, Access::Map, &Limits::default());
        Some(Failed::of_symbols(&opened.err()?))
    }),
    ("a symbol file, read", |path| {
        let small = Limits::default().with_file_bytes(4);
        let opened = SymbolFile::open(path, Access::Read, &small);
        Some(Failed::of_symbols(&opened.err()?))
    }),
];

/// Expects that every library refuses the path for this reason.
fn refused(path: &Path, errno: Option<i32>, said: &str) {
    for (what, open) in OPENERS {
        let failed = open(path).unwrap_or_else(|| panic!("{what}: {} opened", path.display()));
        assert_eq!(failed.path.as_deref(), Some(path), "{what}: {failed:?}");
        assert_eq!(failed.operation, "open", "{what}: {failed:?}");
        assert_eq!(failed.errno, errno, "{what}: {failed:?}");
        names_once(&failed, path);
        assert!(failed.message.contains(said), "{what}: {failed:?}");
    }
}

fn names_once(failed: &Failed, path: &Path) {
    let path = path.display().to_string();
    assert_eq!(failed.message.matches(&path).count(), 1, "{failed:?}");
}

#[test]
fn each_failure_has_its_operation_file_and_errno() {
    let dir = tempfile::tempdir().expect("a directory");
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), all).expect("ours");
    let path = |name: &str| dir.path().join(name);

    refused(&path("missing"), Some(2), "No such file or directory");
    fs::write(path("file"), "12345").expect("written");
    refused(&path("file/below"), Some(20), "Not a directory");
    fs::create_dir(path("directory")).expect("made");
    refused(&path("directory"), None, "a directory");
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRUSR).expect("made");
    refused(&path("fifo"), None, "a FIFO");
    let long = path(&"a".repeat(300));
    refused(&long, Some(36), "File name too long");

    fs::write(path("closed"), "12345").expect("written");
    let none = fs::Permissions::from_mode(0o000);
    fs::set_permissions(path("closed"), none).expect("ours");
    unprivileged(|| refused(&path("closed"), Some(13), "Permission denied"));

    the_contents_are_refused_by_name(&path("file"));
    let pid = std::process::id();
    let denied = unprivileged(|| match vma_query::ProcMaps::open(1) {
        Err(error) => Failed::of_maps(&error),
        Ok(_) => panic!("the maps of process 1 are open to everybody"),
    });
    assert_eq!(denied.errno, Some(13), "{denied:?}");
    names_once(&denied, Path::new("/proc/1/"));

    without_descriptors(|| {
        refused(&path("file"), Some(24), "Too many open files");
        let maps = match vma_query::ProcMaps::open(pid) {
            Err(error) => Failed::of_maps(&error),
            Ok(_) => panic!("opened without descriptors"),
        };
        assert_eq!(maps.errno, Some(24), "{maps:?}");
        let live = match Live::open(pid) {
            Err(LiveError::Process { error, .. }) => Failed::of_maps(&error),
            other => panic!("{other:?}"),
        };
        assert_eq!(live.errno, Some(24), "{live:?}");
        assert!(live.path.is_some(), "{live:?}");
    });
}

/// A file that was opened and is of no use is named as well.
fn the_contents_are_refused_by_name(path: &Path) {
    let failures = OPENERS.into_iter().filter_map(|(what, open)| {
        let failed = open(path)?;
        Some((what, failed))
    });
    let failures: Vec<_> = failures.collect();
    for (what, failed) in &failures {
        assert_eq!(failed.path.as_deref(), Some(path), "{what}: {failed:?}");
        assert_eq!(failed.operation, "read", "{what}: {failed:?}");
        names_once(failed, path);
    }
    let refused: Vec<&str> = failures.iter().map(|(what, _)| *what).collect();
    // A module's contents are looked at when it is first asked.
    let all = OPENERS.map(|(what, _)| what);
    assert_eq!(refused, all[2..]);
}

/// Runs `see` while no file can be opened.
fn without_descriptors(see: impl FnOnce()) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).expect("a lower limit");
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(see));
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the limit it had");
    if let Err(panic) = seen {
        std::panic::resume_unwind(panic);
    }
}
