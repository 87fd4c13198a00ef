//! Why a command ends early: what failed, and the way out.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use backsight_formats::escape::Terminal;
use nix::errno::Errno;

/// A command that cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called in a way that makes no sense, which clap could not see.
    Usage(String),
    /// Something it needs is not there; the text names it, the cause and the way
    /// out.
    Failed(String),
    /// The results cannot be written.
    Output(io::Error),
}

/// How a command that went through ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// An unresolved address is an answer as well.
    Fully,
    /// Under `--strict` something was unresolved or malformed.
    WithGaps,
    /// Some of several files failed, and each was named.
    InPart,
}

pub(crate) type Result<T = Done, E = Failure> = std::result::Result<T, E>;

impl Done {
    /// Returns how a command ends that met `gaps`: entries malformed or unresolved.
    pub(crate) fn under(strict: bool, gaps: u64) -> Self {
        if strict && gaps > 0 {
            Self::WithGaps
        } else {
            Self::Fully
        }
    }
}

impl Failure {
    /// Names what failed and why.
    pub(crate) fn of(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::Failed(format!("{what}: {cause}"))
    }

    /// Names the file that results cannot be written to, where it is not standard
    /// output.
    pub(crate) fn on_writing(self, file: &impl fmt::Display) -> Self {
        match self {
            Self::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Self::io(file, &error)
            }
            other => other,
        }
    }

    /// Names a file, or another thing of the system, that failed.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::of(what, Cause(error))
    }
}

/// An error of the system, with the way out where there is one to name.
pub(crate) struct Cause<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way_out = match self.0.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE) => ": allow more open files, with ulimit -n",
            Some(Errno::ENFILE) => ": the machine's files are used up, see sysctl fs.file-max",
            Some(Errno::EACCES | Errno::EPERM) => ": run as a user who may, or as root",
            _ => "",
        };
        write!(f, "{}{way_out}", self.0)
    }
}

/// Only the writers of results give a bare `io::Error`. All else that reads or
/// opens says what it was about by [`Failure::of`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs for each of several processes. One that fails is named, and the others get
/// their turn.
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

/// Turns a command's end into an exit code, and says on stderr what failed.
pub(crate) fn exit_code(result: Result) -> ExitCode {
    let (code, message) = match result {
        Ok(Done::Fully) => return ExitCode::SUCCESS,
        Ok(Done::InPart) => return ExitCode::from(1),
        Ok(Done::WithGaps) => return ExitCode::from(3),
        // Whoever reads us has seen enough: `backsight … | head`.
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

/// Says something on stderr. Results never go there.
///
/// A message may quote what a hostile input holds, so it is escaped whole.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let line = format!("backsight: {}\n", Terminal(message.as_bytes()));
    // Nobody is left to hear that stderr is closed.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Names a failed look at a process.
pub(crate) fn process(pid: u32, error: &vma_query::Error) -> Failure {
    use vma_query::Error;
    Failure::Failed(match error {
        Error::NoSuchProcess => format!(
            "no process {pid}: it has ended or never was; \
             where /proc hides the processes of others (hidepid), ask as its user or root"
        ),
        Error::ProcessGone => format!(
            "process {pid}: it has ended, has exec'd, or has no memory of its own \
             (a kernel thread, a zombie)"
        ),
        Error::Denied(_) => format!(
            "process {pid}: permission denied: run as the same user or root, \
             or with CAP_PERFMON or CAP_SYS_PTRACE"
        ),
        Error::Unsupported => format!(
            "process {pid}: this kernel does not answer PROCMAP_QUERY, which came with \
             Linux 6.11: use --backend text, or auto"
        ),
        Error::Torn => format!(
            "process {pid}: its mappings change faster than their text can be read: \
             try again, or use --backend ioctl"
        ),
        Error::Io(error) => format!("process {pid}: {}", Cause(error)),
        other => format!("process {pid}: {other}"),
    })
}
