//! Errors that end a command, with the cause and the way out.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use backsight_formats::escape::Terminal;
use nix::errno::Errno;

use crate::progress;

/// An error that ends a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage that clap cannot detect.
    Usage(String),
    /// Something that the command needs failed. The text names it, the cause and the way out.
    Failed(String),
    /// The results cannot be written.
    Output(io::Error),
}

/// How a command ended that was not aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// With success. An unresolved address counts as an answer.
    Fully,
    /// With `--strict`, something was unresolved or malformed.
    WithGaps,
    /// Some of several files or directories that were named failed, and each was reported.
    InPart,
    /// With the exit code of a command that was run.
    Code(u8),
}

pub(crate) type Result<T = Done, E = Failure> = std::result::Result<T, E>;

impl Done {
    /// Returns how a command ended of which another part ended so.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            // Of a command that was run, its own code counts.
            (Self::Code(code), _) | (_, Self::Code(code)) if code > 0 => Self::Code(code),
            (Self::Code(_), other) | (other, Self::Code(_)) => other,
            (Self::InPart, _) | (_, Self::InPart) => Self::InPart,
            (Self::WithGaps, _) | (_, Self::WithGaps) => Self::WithGaps,
            (Self::Fully, Self::Fully) => Self::Fully,
        }
    }

    /// Returns the end of a command that met `gaps` malformed or unresolved entries.
    pub(crate) fn under(strict: bool, gaps: u64) -> Self {
        if strict && gaps > 0 {
            Self::WithGaps
        } else {
            Self::Fully
        }
    }
}

impl Failure {
    /// Returns a failure of `what`.
    pub(crate) fn of(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::Failed(format!("{what}: {cause}"))
    }

    /// Adds the name of the output file to a failed write, if it is not standard output.
    pub(crate) fn on_writing(self, file: &impl fmt::Display) -> Self {
        match self {
            Self::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Self::io(file, &error)
            }
            other => other,
        }
    }

    /// Says what failed, of a command that goes on.
    pub(crate) fn report(&self) {
        match self {
            Self::Output(error) => complain(format_args!("cannot write the results: {error}")),
            Self::Failed(message) | Self::Usage(message) => complain(format_args!("{message}")),
        }
    }

    /// Returns a failure of a file or another resource of the system.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::of(what, WithWayOut(error))
    }
}

/// An error of the system, with the way out if there is one.
pub(crate) struct WithWayOut<'a>(pub(crate) &'a io::Error);

impl fmt::Display for WithWayOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way_out = match self.0.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE) => ": allow more open files, with ulimit -n",
            Some(Errno::ENFILE) => {
                ": the system's limit of open files is reached, see sysctl fs.file-max"
            }
            Some(Errno::EISDIR) => ": give a file",
            Some(Errno::EACCES | Errno::EPERM) => ": run as a user with permission, or as root",
            _ => "",
        };
        write!(f, "{}{way_out}", self.0)
    }
}

/// Only writing results yields a bare `io::Error`. All other operations add their context with
/// [`Failure::of`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs for each of several processes. If one fails, it is reported, and the others still run.
pub(crate) fn each_process(pids: &[u32], mut run: impl FnMut(u32) -> Result) -> Result {
    if let [pid] = pids {
        return run(*pid);
    }
    let mut worst = Done::Fully;
    for pid in pids {
        match run(*pid) {
            Ok(Done::Fully) => {}
            Ok(done) => worst = done,
            Err(Failure::Failed(message)) => {
                complain(format_args!("{message}"));
                worst = Done::InPart;
            }
            Err(other) => return Err(other),
        }
    }
    Ok(worst)
}

/// Whether something that was named turned out to be unusable only when it was used.
static FAILED_IN_USE: AtomicBool = AtomicBool::new(false);

/// A file that was named, and looked usable, cannot be used, which was said: the command ends as
/// with [`Done::InPart`].
pub(crate) fn note_failed_in_use() {
    FAILED_IN_USE.store(true, Ordering::Relaxed);
}

/// Converts the result of a command to an exit code, and reports an error on stderr.
pub(crate) fn exit_code(result: Result) -> ExitCode {
    let in_use = match FAILED_IN_USE.load(Ordering::Relaxed) {
        true => Done::InPart,
        false => Done::Fully,
    };
    let (code, message) = match result.map(|done| done.and(in_use)) {
        Ok(Done::Fully) => return ExitCode::SUCCESS,
        Ok(Done::InPart) => return ExitCode::from(1),
        Ok(Done::WithGaps) => return ExitCode::from(3),
        Ok(Done::Code(code)) => return ExitCode::from(code),
        // The reader has closed the pipe, as in `backsight … | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Output(error)) => (1, format!("cannot write the results: {error}")),
        Err(Failure::Failed(message)) => (1, message),
        Err(Failure::Usage(message)) => (2, message),
    };
    complain(format_args!("{message}"));
    ExitCode::from(code)
}

/// Prints a message on stderr. Results never go there.
///
/// The whole message is escaped, because it may quote untrusted input.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let line = format!("backsight: {}\n", Terminal(message.as_bytes()));
    // If stderr is closed, there is nowhere to report that.
    let _ = progress::above_bars(|| io::stderr().write_all(line.as_bytes()));
}

/// Returns the failure of reading a process.
pub(crate) fn process(pid: u32, error: &vma_query::Error) -> Failure {
    use vma_query::Error;
    Failure::Failed(match error {
        Error::NoSuchProcess => format!(
            "no process {pid}: it has exited or never existed; \
             if /proc hides processes of other users (hidepid), run as its user or as root"
        ),
        Error::ProcessGone => format!(
            "process {pid}: it has exited, has called execve, or has no memory of its own \
             (a kernel thread, a zombie)"
        ),
        Error::Denied(_) => format!(
            "process {pid}: permission denied: run as the same user or root, \
             or with CAP_PERFMON or CAP_SYS_PTRACE"
        ),
        Error::Unsupported => format!(
            "process {pid}: this kernel does not support PROCMAP_QUERY, which came with \
             Linux 6.11: use --backend text, or auto"
        ),
        Error::Torn => format!(
            "process {pid}: its mappings change faster than their text can be read: \
             try again, or use --backend ioctl"
        ),
        Error::Io(error) => format!("process {pid}: {}", WithWayOut(error.error())),
        other => format!("process {pid}: {other}"),
    })
}
