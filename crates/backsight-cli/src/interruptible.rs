//! Output that a signal ends, also while it waits for the reader of a pipe.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::interrupt;

/// As much as a pipe takes without waiting, if it takes anything: a page.
const PAGE: usize = 4096;

/// How often a signal is looked for, in milliseconds.
const LOOK: u16 = 50;

/// For how long the reader may take nothing after a signal has ended the work, whose results are
/// being written.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file to write to. For a command that ends by itself at a first signal, writing to a pipe is
/// over, too, if nobody reads it.
#[derive(Debug)]
pub(crate) struct InterruptibleOut {
    file: File,
    is_pipe: bool,
    /// Whether nobody has read it, and nothing more is written.
    has_given_up: bool,
}

impl InterruptibleOut {
    pub(crate) fn new(file: File) -> Self {
        let metadata = file.metadata();
        let is_pipe = metadata.is_ok_and(|it| it.file_type().is_fifo());
        Self {
            file,
            is_pipe,
            has_given_up: false,
        }
    }

    /// Waits until the pipe takes something.
    fn wait(&mut self) -> io::Result<()> {
        let was_called_off = interrupt::is_called_off();
        let begin = Instant::now();
        loop {
            let mut pipe = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut pipe, PollTimeout::from(LOOK)) {
                Ok(0) | Err(Errno::EINTR) => {}
                // Writing says what is wrong with it, if so.
                _ => return Ok(()),
            }
            let is_over = match was_called_off {
                true => begin.elapsed() >= PATIENCE,
                false => interrupt::is_called_off(),
            };
            if is_over || self.has_given_up {
                self.has_given_up = true;
                return Err(io::Error::other("nobody reads this pipe"));
            }
        }
    }
}

impl Write for InterruptibleOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_pipe || !interrupt::ends_by_itself() {
            return self.file.write(bytes);
        }
        self.wait()?;
        let page = bytes.get(..PAGE).unwrap_or(bytes);
        self.file.write(page)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
