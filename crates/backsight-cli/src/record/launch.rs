//! Starts the command to be recorded, so that not even its first instruction is missed.
//!
//! ```text
//!   record ──▶ child: this program, waits at a pipe ──▶ execve of the command
//!          └── opens the events of the child, which begin with the execve
//!          └── writes to the pipe
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::{close, pipe2};

use crate::failure::{Failure, Result, WithWayOut};

/// A child that is going to run the command.
#[derive(Debug)]
pub(super) struct Launching {
    pub(super) child: Child,
    gate: File,
}

/// The command line of the child: it waits for the recorder, and becomes the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Launched {
    /// The descriptor of the pipe
    gate: i32,
    /// The command and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// The exit codes of shells for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

impl Launching {
    /// Starts the child. It ends if this process does.
    pub(super) fn start(command: &[OsString]) -> Result<Self> {
        let failed = |error: io::Error| Failure::io("starting the command", &error);
        let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
        // The path of this program may name a newer build by now.
        let child = Command::new("/proc/self/exe")
            .arg0("backsight")
            .arg("record-launched")
            .arg(theirs.as_raw_fd().to_string())
            .arg("--")
            .args(command)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::of(Path::new("/proc/self/exe").display(), "mount /proc first")
                }
                _ => failed(error),
            })?;
        Ok(Self {
            child,
            gate: File::from(ours),
        })
    }

    /// Lets the child run the command.
    pub(super) fn go(mut self) -> Result<Child> {
        let written = self.gate.write_all(b"\n");
        written.map_err(|error| Failure::io("starting the command", &error))?;
        Ok(self.child)
    }

    /// Ends the child, which has not run the command.
    pub(super) fn abandon(self) {
        let Self { mut child, gate } = self;
        drop(gate);
        let _ = child.wait();
    }
}

impl Launched {
    /// Waits for the recorder, and becomes the command. Returns an exit code if that fails.
    pub(crate) fn run(self) -> u8 {
        let Some((program, arguments)) = self.command.split_first() else {
            return NOT_RUN;
        };
        let mut word = [0];
        // The descriptor has no owner here; opening it by its number needs none.
        let gate = File::open(format!("/proc/self/fd/{}", self.gate));
        let _ = close(self.gate);
        // If the recorder cannot record, the command is not run.
        if !gate.is_ok_and(|mut gate| gate.read_exact(&mut word).is_ok()) {
            return NOT_RUN;
        }
        let error = Command::new(program).args(arguments).exec();
        let name = program.to_string_lossy();
        match error.kind() {
            io::ErrorKind::NotFound => {
                let why = match found(program) {
                    _ if program.is_empty() => "the name of the command is empty",
                    Some(_) => {
                        "it is there, but the interpreter that it names (#!, or the dynamic \
                         linker) is not"
                    }
                    None => "command not found",
                };
                crate::failure::complain(format_args!("{name}: {why}"));
                NOT_FOUND
            }
            io::ErrorKind::PermissionDenied
                if let Some(why) = found(program).as_deref().and_then(not_executable) =>
            {
                crate::failure::complain(format_args!("{name}: {error}: {why}"));
                NOT_RUN
            }
            _ => {
                crate::failure::complain(format_args!("{name}: {}", WithWayOut(&error)));
                NOT_RUN
            }
        }
    }
}

/// Returns the file that a command names, by `PATH` if it has no slash.
fn found(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let paths = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&paths).map(|folder| folder.join(program));
    all.find(|path| path.exists())
}

/// Returns why nobody can execute a file, if so.
fn not_executable(path: &Path) -> Option<&'static str> {
    let metadata = path.metadata().ok()?;
    match metadata.permissions().mode() & 0o111 {
        _ if metadata.is_dir() => Some("it is a directory"),
        0 => Some("it is not executable: chmod +x allows it, or name its interpreter before it"),
        _ => None,
    }
}

/// Returns the exit code of the command, as a shell does.
pub(super) fn code_of(status: ExitStatus) -> u8 {
    let code = status.code();
    let signal = status.signal().map(|signal| signal.saturating_add(128));
    code.or(signal)
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}
