//! Writes a file that gets its name only when it is complete.
//!
//! A file that is written under its final name, or under a temporary name for a later
//! rename, remains incomplete if the process is killed; after `SIGKILL` no cleanup can
//! run. An unnamed file (`O_TMPFILE`, open(2)) disappears with the process. It gets its
//! name by `linkat`, which does not replace a file. So if the name exists, the file is
//! linked to a temporary name first, and then renamed: the temporary name exists only
//! between two system calls.
//!
//! Filesystems without unnamed files (FAT, NFS, overlayfs before Linux 6.1) get a temporary name
//! instead: [`Whole::leftover`] returns it, so that a signal handler can remove it.

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

use crate::error::FileError;

/// The suffix of temporary names.
const SUFFIX: &str = ".part";

/// How many temporary names are tried. A name may be taken by a running writer, or by one that
/// was killed.
const MAX_TRIES: u32 = 1_000;

/// A file that is being written. If it is dropped before [`finish`](Self::finish), nothing is
/// left.
#[derive(Debug)]
pub struct Whole {
    file: File,
    target: PathBuf,
    /// The temporary name, if the filesystem has no unnamed files.
    temporary: Option<PathBuf>,
}

impl Whole {
    /// Creates a file in the directory of `target` with these permissions, minus the umask.
    ///
    /// # Errors
    /// If the directory does not exist, is not writable, or is full.
    pub fn begin(target: &Path, mode: u32) -> Result<Self, FileError> {
        Self::create(target, mode).map_err(|error| FileError::new("create", Some(target), error))
    }

    fn create(target: &Path, mode: u32) -> io::Result<Self> {
        let target = target.to_owned();
        if let Some(file) = unnamed(directory(&target), mode)? {
            return Ok(Self {
                file,
                target,
                temporary: None,
            });
        }
        let (file, path) = with_temporary_name(&target, |path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            options.mode(mode).open(path)
        })?;
        Ok(Self {
            file,
            target,
            temporary: Some(path),
        })
    }

    /// Returns the file, open for reading and writing, for a caller that checks what it wrote.
    #[must_use]
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Returns the name of the file that would be left behind if the process were killed now;
    /// `None` for an unnamed file.
    #[must_use]
    pub fn leftover(&self) -> Option<&Path> {
        self.temporary.as_deref()
    }

    /// Gives the file its name, replacing an existing file.
    ///
    /// # Errors
    /// If the directory does not allow it. An existing file is kept.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.name()
            .map_err(|error| FileError::new("create", Some(&self.target), error))
    }

    /// Gives the file its name, unless a file has it already: then returns false, and nothing is
    /// left of this one.
    ///
    /// On a filesystem that has neither unnamed files nor hard links (FAT), a file that another
    /// process creates at this moment is replaced.
    ///
    /// # Errors
    /// If the directory does not allow it.
    pub fn finish_new(mut self) -> Result<bool, FileError> {
        self.name_new()
            .map_err(|error| FileError::new("create", Some(&self.target), error))
    }

    fn name_new(&mut self) -> io::Result<bool> {
        let linked = match &self.temporary {
            Some(path) => fs::hard_link(path, &self.target),
            None => link(&self.file, &self.target),
        };
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => match &self.temporary {
                Some(path) if self.target.symlink_metadata().is_err() => {
                    fs::rename(path, &self.target)?;
                    self.temporary = None;
                    Ok(true)
                }
                _ => Err(error),
            },
        }
    }

    fn name(&mut self) -> io::Result<()> {
        if let Some(path) = &self.temporary {
            fs::rename(path, &self.target)?;
            self.temporary = None;
            return Ok(());
        }
        let link = |to: &Path| link(&self.file, to);
        match link(&self.target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
        let ((), path) = with_temporary_name(&self.target, link)?;
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
        if let Some(path) = &self.temporary {
            remove(path);
        }
    }
}

/// Creates an unnamed file; `None` if the filesystem does not support it, or if it could not be
/// named because `/proc` is not mounted.
fn unnamed(directory: &Path, mode: u32) -> io::Result<Option<File>> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_LARGEFILE;
    let file = match open(directory, flags, Mode::from_bits_truncate(mode)) {
        Ok(file) => File::from(file),
        // EISDIR is the error of a kernel that does not know the flag.
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

fn directory(path: &Path) -> &Path {
    let parent = path.parent();
    let named = parent.filter(|parent| !parent.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Calls `make` with unused temporary names beside `target` until it succeeds.
fn with_temporary_name<T>(
    target: &Path,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..MAX_TRIES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}-{number}{SUFFIX}", process::id()));
        let path = directory(target).join(name);
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        ErrorKind::AlreadyExists,
        format!("{MAX_TRIES} temporary names that end in {SUFFIX} are taken: remove those files"),
    ))
}

/// Removes a temporary file. A failure is ignored, because the caller already has an error to
/// report.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
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
        // Creates a new file, then replaces it.
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
    fn a_name_that_is_taken_stays_another_file_s() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for (text, is_new) in [("first", true), ("second", false)] {
            let mut whole = Whole::begin(&path, 0o640).unwrap();
            whole.write_all(text.as_bytes()).unwrap();
            let mut read = String::new();
            whole.as_file().seek(SeekFrom::Start(0)).unwrap();
            whole.as_file().read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
            assert_eq!(whole.finish_new().unwrap(), is_new);
            assert_eq!(fs::read_to_string(&path).unwrap(), "first");
            assert_eq!(names(dir.path()), ["a"]);
        }
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        let whole = Whole::begin(&path, 0o644).unwrap();
        assert!(whole.finish().is_err());
        assert_eq!(names(dir.path()), ["folder"]);
        assert!(Whole::begin(&dir.path().join("none/a"), 0o644).is_err());
    }
}
