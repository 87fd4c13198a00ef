//! Writes files that appear only when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use backsight_files::{FileError, Whole};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use nix::unistd::{AccessFlags, access};

use crate::failure::{Failure, Result, complain};
use crate::file::Shown;
use crate::interrupt::{self, RemoveOnSignal};
use crate::interruptible::InterruptibleOut;

/// The most symbolic links that the kernel follows for a path.
const MAX_LINKS: usize = 40;

/// How often a named pipe is looked at until it has a reader.
const LOOK_FOR_READER: Duration = Duration::from_millis(50);

/// How what a path names is written.
enum Destination {
    /// As it is: a pipe, a device, or a file that a program has open (`/dev/stdout`).
    Through,
    /// By a new file of this mode, which gets this name when it is complete.
    Replaced { target: PathBuf, mode: u32 },
}

/// Calls `write` to fill a new file, which replaces the one at `path` when it is complete. If
/// writing fails, the old file is kept.
///
/// What is not a regular file, such as a pipe or a terminal, is written directly. So is what the
/// name of a descriptor stands for: `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/1`.
pub(crate) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let named = |failure: Failure| failure.on_writing(&Shown(path));
    let (target, mode) = match destination(path)? {
        Destination::Replaced { target, mode } => (target, mode),
        Destination::Through => {
            let file = open(path).map_err(|error| failed(path, error))?;
            let mut out = BufWriter::new(InterruptibleOut::new(file));
            let done = write(&mut out).map_err(named)?;
            out.flush().map_err(|error| failed(path, error))?;
            return Ok(done);
        }
    };
    let (done, file, _removing) = fill(path, &target, mode, write)?;
    file.finish().map_err(|error| refused(path, error))?;
    Ok(done)
}

/// Calls `write` to fill a new file, which gets the name `path` when it is complete. Returns
/// `None`, and leaves what is there as it is, if there is something of this name.
pub(crate) fn create<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<Option<T>> {
    if path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let (done, file, _removing) = fill(path, path, 0o666, write)?;
    let is_new = file.finish_new().map_err(|error| refused(path, error))?;
    Ok(is_new.then_some(done))
}

/// Returns the failure that writing `path` would begin with, before the work is done whose result
/// is written.
pub(crate) fn check(path: &Path) -> Result<()> {
    match destination(path)? {
        Destination::Replaced { target, mode } => {
            begin(&target, mode).map_err(|error| refused(path, error))?;
        }
        Destination::Through => {
            // Opening a pipe waits for its reader, and some devices act on it.
            let is_folder = path.is_dir().then_some(Err(Errno::EISDIR));
            let allowed = is_folder.unwrap_or_else(|| access(path, AccessFlags::W_OK));
            allowed.map_err(|errno| failed(path, errno.into()))?;
        }
    }
    Ok(())
}

fn fill<T>(
    path: &Path,
    target: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<(T, Whole, Option<RemoveOnSignal>)> {
    let (file, removing) = begin(target, mode).map_err(|error| refused(path, error))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let done = write(&mut out).map_err(|failure| failure.on_writing(&Shown(path)))?;
    let file = out
        .into_inner()
        .map_err(|error| failed(path, error.into_error()))?;
    Ok((done, file, removing))
}

fn begin(target: &Path, mode: u32) -> Result<(Whole, Option<RemoveOnSignal>), FileError> {
    interrupt::removing(|| Whole::begin(target, mode), Whole::leftover)
}

fn destination(path: &Path) -> Result<Destination> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        // A dangling symbolic link is not replaced.
        Err(error) if path.is_symlink() => return Err(failed(path, error)),
        Err(_) => {
            let (target, mode) = (path.to_owned(), 0o666);
            return Ok(Destination::Replaced { target, mode });
        }
    };
    if !metadata.is_file() || is_of_proc(path) {
        return Ok(Destination::Through);
    }
    // A symbolic link is kept: the file that it points to is replaced.
    let target = path.canonicalize().map_err(|error| failed(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    Ok(Destination::Replaced { target, mode })
}

/// Whether a path, or one that its symbolic links lead to, is a link of `/proc`. Such a link does
/// not name the file that it shows: it is the open file itself.
fn is_of_proc(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let Ok(to) = path.read_link() else {
            return false;
        };
        if statfs(&folder).is_ok_and(|found| found.filesystem_type() == PROC_SUPER_MAGIC) {
            return true;
        }
        path = folder.join(to);
    }
    false
}

/// Opens what is written as it is.
fn open(path: &Path) -> io::Result<File> {
    let metadata = path.metadata()?;
    let is_same = |descriptor: &dyn AsFd| {
        let own = descriptor.as_fd().try_clone_to_owned().map(File::from);
        let own = own.and_then(|own| own.metadata());
        own.is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
    };
    // A file that is opened again has a position of its own: what the shell, or this command,
    // writes to the same file would overwrite the output.
    if metadata.is_file() {
        let (out, errors) = (io::stdout(), io::stderr());
        let own: [&dyn AsFd; 2] = [&out, &errors];
        if let Some(own) = own.into_iter().find(|own| is_same(*own)) {
            return own.as_fd().try_clone_to_owned().map(File::from);
        }
    }
    if metadata.file_type().is_fifo() {
        return open_pipe(path);
    }
    let appends = !metadata.file_type().is_char_device();
    fs::OpenOptions::new()
        .write(true)
        .append(appends)
        .open(path)
}

/// Opens a named pipe when it has a reader. The kernel would wait for one, too, but a signal that
/// only asks the command to end would not wake it.
fn open_pipe(path: &Path) -> io::Result<File> {
    let is_called_off = interrupt::is_called_off();
    let mut is_said = false;
    loop {
        let opened = fs::OpenOptions::new()
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path);
        match opened {
            Ok(pipe) => {
                let flags = OFlag::from_bits_retain(fcntl(&pipe, FcntlArg::F_GETFL)?);
                fcntl(&pipe, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
                return Ok(pipe);
            }
            Err(error) if error.raw_os_error() != Some(Errno::ENXIO as i32) => return Err(error),
            Err(_) => {}
        }
        if interrupt::is_called_off() != is_called_off {
            return Err(io::Error::other("nobody reads this pipe"));
        }
        if !is_said {
            is_said = true;
            complain(format_args!(
                "{}: waiting for somebody to read this pipe; Ctrl-C gives up",
                Shown(path)
            ));
        }
        thread::sleep(LOOK_FOR_READER);
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => {
            let way_out = "this symbolic link leads nowhere: remove it, or create what it names";
            Failure::of(Shown(path), format_args!("{error}: {way_out}"))
        }
        io::ErrorKind::NotFound => {
            let way_out = "create its directory first";
            Failure::of(Shown(path), format_args!("{error}: {way_out}"))
        }
        _ => Failure::io(Shown(path), &error),
    }
}

fn refused(path: &Path, error: FileError) -> Failure {
    failed(path, error.into_error().into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{check, create};

    #[test]
    fn a_new_file_never_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for (text, want) in [("first", Some(5)), ("second", None)] {
            let written = create(&path, |out| Ok(out.write(text.as_bytes())?));
            assert_eq!(written.unwrap(), want);
            assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        }
        // In between, another process makes a file of this name.
        let path = dir.path().join("b");
        let written = create(&path, |out| {
            fs::write(&path, "theirs")?;
            Ok(out.write(b"ours")?)
        });
        assert_eq!(written.unwrap(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[test]
    fn a_check_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        check(&dir.path().join("a")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join("a"), "old").unwrap();
        check(&dir.path().join("a")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "old");
        check(dir.path()).unwrap_err();
    }
}
