//! A file that has no name until it is whole.
//!
//! What is written under its name, or under another one that a rename replaces later, is
//! left half done when the process is interrupted, and by `SIGKILL` nobody can clean up.
//! An unnamed file (`O_TMPFILE`, open(2)) is gone with the process. It gets its name by
//! `linkat`, which replaces nothing: where a file stands already, by way of a second name
//! that exists for the time of two system calls.
//!
//! Filesystems without unnamed files (FAT, NFS, overlayfs before Linux 6.1) get a named
//! one: [`Whole::leftover`] tells its name, for whoever handles signals.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

/// How the names end that a file has before it is whole.
const END: &str = ".part";

/// A name is looked for so many times: others are taken by writers that run, and by
/// those that were killed.
const TRIES: u32 = 1_000;

/// A file on its way to its name. Dropped before [`finish`](Self::finish) it was never
/// there.
#[derive(Debug)]
pub struct Whole {
    file: File,
    target: PathBuf,
    /// What it is called until it is whole, where it cannot be without a name.
    named: Option<PathBuf>,
}

impl Whole {
    /// Begins a file in the folder of `target`; `mode` are its permissions, less those
    /// that the umask takes.
    ///
    /// # Errors
    /// Those of the folder: it is not there, may not be written, or is full.
    pub fn begin(target: &Path, mode: u32) -> io::Result<Self> {
        let target = target.to_owned();
        if let Some(file) = unnamed(folder(&target), mode)? {
            return Ok(Self {
                file,
                target,
                named: None,
            });
        }
        let (file, path) = fresh(&target, |path| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(mode).open(path)
        })?;
        Ok(Self {
            file,
            target,
            named: Some(path),
        })
    }

    /// Returns the name of what is left behind when the process is killed now: `None`
    /// where nothing is.
    #[must_use]
    pub fn leftover(&self) -> Option<&Path> {
        self.named.as_deref()
    }

    /// Gives the file its name. It takes the place of what has the name by then.
    ///
    /// # Errors
    /// Those of the folder. What stood there stays.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(path) = &self.named {
            fs::rename(path, &self.target)?;
            self.named = None;
            return Ok(());
        }
        let link = |to: &Path| link(&self.file, to);
        match link(&self.target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
        let ((), path) = fresh(&self.target, link)?;
        fs::rename(&path, &self.target).inspect_err(|_| remove(&path))
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(path) = &self.named {
            remove(path);
        }
    }
}

/// Returns an unnamed file: `None` where the filesystem has none, or where it could not
/// be given a name since `/proc` is not mounted.
fn unnamed(folder: &Path, mode: u32) -> io::Result<Option<File>> {
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = match open(folder, flags, Mode::from_bits_truncate(mode)) {
        Ok(file) => File::from(file),
        // EISDIR is what a kernel says that does not know the flag.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    Ok(Path::new(&by_descriptor(&file)).exists().then_some(file))
}

fn link(file: &File, to: &Path) -> io::Result<()> {
    let from = by_descriptor(file);
    linkat(AT_FDCWD, &*from, AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(())
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent();
    let named = folder.filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Has `make` make something under a name beside `target` that nothing has.
fn fresh<T>(target: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..TRIES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}-{number}{END}", process::id()));
        let path = folder(target).join(name);
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        ErrorKind::AlreadyExists,
        format!("{TRIES} names beside it that end in {END} are taken: remove those files"),
    ))
}

/// It is of no use; that it cannot be removed is not the error to report.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::Whole;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        // New, and in the place of another.
        for text in ["first", "second"] {
            let mut whole = Whole::begin(&path, 0o640).unwrap();
            whole.write_all(text.as_bytes()).unwrap();
            let before = names(dir.path());
            let hidden = before
                .iter()
                .all(|name| name.starts_with('.') || name == "a");
            assert!(hidden && (whole.leftover().is_some() || !before.contains(&".a".to_owned())));
            whole.finish().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(dir.path()), ["a"]);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
        drop(Whole::begin(&path, 0o640).unwrap());
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        let whole = Whole::begin(&path, 0o644).unwrap();
        assert!(whole.finish().is_err());
        assert_eq!(names(dir.path()), ["folder"]);
        assert!(Whole::begin(&dir.path().join("none/a"), 0o644).is_err());
    }
}
