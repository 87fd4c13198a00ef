//! The command on a pseudo-terminal whose screen can be read.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::common::wait_until;

static SPAWNING: Mutex<()> = Mutex::new(());

pub(crate) struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
    is_closed: Arc<AtomicBool>,
}

impl Terminal {
    /// Runs the command with this size of the screen: lines and columns.
    pub(crate) fn run(args: &[&str], (lines, columns): (u16, u16), env: &[(&str, &str)]) -> Self {
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // No command may inherit the descriptors of another's terminal: it would stay open.
        let spawning = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = openpty(&size, None).expect("a pseudo-terminal");
        for end in [&pair.master, &pair.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("a flag");
        }
        // The terminal of whoever runs the tests is not asked. A shell's background ignores SIGINT,
        // and what it starts then does, too.
        let mut command = Command::new("setsid");
        command.args(["-c", "-w", "env", "--default-signal=INT"]);
        command.arg(env!("CARGO_BIN_EXE_backsight"));
        for name in [
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "CI",
            "COLUMNS",
            "LINES",
        ] {
            command.env_remove(name);
        }
        command
            .env("TERM", "xterm-256color")
            .envs(env.iter().copied());
        let slave = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
        command
            .args(args)
            .stdin(slave())
            .stdout(slave())
            .stderr(slave());
        let child = command.spawn().expect("setsid runs");
        drop(spawning);
        drop(command);
        drop(pair.slave);
        let master = File::from(pair.master);
        let mut from = master.try_clone().expect("a descriptor");
        let size = |number| NonZero::new(number).expect("a screen");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            size(lines),
            size(columns),
            0,
        )));
        let shown = Arc::clone(&screen);
        let is_closed = Arc::new(AtomicBool::new(false));
        let closes = Arc::clone(&is_closed);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !closes.load(Ordering::Relaxed) {
                let mut polled = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
                if poll(&mut polled, PollTimeout::from(20_u8)) == Ok(0) {
                    continue;
                }
                // EIO: the other side has been closed.
                let Ok(count @ 1..) = from.read(&mut bytes) else {
                    return;
                };
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self {
            child,
            keys: master,
            screen,
            reader: Some(reader),
            is_closed,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it is open");
    }

    /// The text on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// What programs that are not on the screen any more have left: the other screen.
    pub(crate) fn is_on_other_screen(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Whether the terminal shows the keys that are pressed.
    pub(crate) fn echoes(&self) -> bool {
        let flags = tcgetattr(&self.keys).expect("a terminal").local_flags;
        flags.contains(LocalFlags::ECHO)
    }

    /// Whether the screen has a colour anywhere.
    pub(crate) fn has_colours(&self) -> bool {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let (lines, columns) = screen.size();
        (0..lines.get()).any(|line| {
            (0..columns.get()).any(|column| {
                let cell = screen.cell(line, column);
                cell.is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
            })
        })
    }

    /// Waits until the screen has a text.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let mut seen = String::new();
        let found = || {
            seen = self.text();
            seen.contains(text)
        };
        wait_until(&format!("{text:?} on the screen"), found);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes that run on it: the command, and `setsid` if it has forked.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        children.chain([id]).collect()
    }

    /// Closes it, as a window is closed.
    pub(crate) fn close(self) {
        let Self {
            mut child,
            keys,
            reader,
            is_closed,
            ..
        } = self;
        is_closed.store(true, Ordering::Relaxed);
        drop(reader.map(JoinHandle::join));
        drop(keys);
        thread::spawn(move || child.wait());
    }

    pub(crate) fn end(mut self) -> ExitStatus {
        let status = self.child.wait().expect("it ends");
        drop(self.reader.take().map(JoinHandle::join));
        assert!(!self.is_on_other_screen(), "the terminal is as before");
        status
    }
}
