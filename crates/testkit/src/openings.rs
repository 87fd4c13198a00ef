//! Detects opens of files, FIFOs and devices by `IN_OPEN` of `inotify(7)`. Opening with `O_PATH`
//! is not reported.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// A set of watched paths.
#[derive(Debug)]
pub struct Openings {
    inotify: Inotify,
    watched: Vec<(WatchDescriptor, PathBuf)>,
}

impl Openings {
    /// Watches nothing yet.
    pub fn new() -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        Self {
            inotify: inotify.expect("inotify"),
            watched: Vec::new(),
        }
    }

    /// Watches this path.
    pub fn watch(&mut self, path: &Path) {
        let watch = self.inotify.add_watch(path, AddWatchFlags::IN_OPEN);
        let watch = watch.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.watched.push((watch, path.to_owned()));
    }

    /// Returns the paths opened since the last call.
    pub fn opened(&self) -> Vec<PathBuf> {
        let mut opened = Vec::new();
        loop {
            match self.inotify.read_events() {
                Ok(events) => opened.extend(events.iter().filter_map(|event| {
                    let of = self.watched.iter().find(|(watch, _)| *watch == event.wd);
                    of.map(|(_, path)| path.clone())
                })),
                Err(Errno::EAGAIN) => return opened,
                Err(error) => panic!("inotify: {error}"),
            }
        }
    }
}

impl Default for Openings {
    fn default() -> Self {
        Self::new()
    }
}

/// Creates one of each kind of non-regular file in a directory, and returns their paths: a FIFO,
/// a socket, a directory, links to these, and devices if permitted.
pub fn traps(folder: &Path) -> Vec<PathBuf> {
    let path = |name: &str| folder.join(name);
    let mut made = vec![path("fifo"), path("socket"), path("directory")];
    let ran = |program: &str, args: &[&str]| {
        let status = Command::new(program)
            .args(args)
            .current_dir(folder)
            .status();
        status.is_ok_and(|status| status.success())
    };
    assert!(ran("mkfifo", &["fifo"]), "a FIFO");
    std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
    std::fs::create_dir(path("directory")).expect("a directory");
    // The null device, and a disk that does not exist: both are harmless if they are opened.
    for (name, args) in [("char", ["c", "1", "3"]), ("block", ["b", "7", "255"])] {
        let mut all = vec![name];
        all.extend(args);
        if crate::user::is_root() && ran("mknod", &all) {
            made.push(path(name));
        }
    }
    for name in ["fifo", "char"] {
        if made.contains(&path(name)) {
            let link = path(&format!("link-to-{name}"));
            std::os::unix::fs::symlink(name, &link).expect("a link");
            made.push(link);
        }
    }
    made
}
