//! The terminal, while the view is on it.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};

use crate::failure::{Failure, Result};
use crate::interrupt;

/// A terminal in the mode for views. Dropped, it is as before; a panic restores it, too.
pub(super) struct ViewTerminal {
    pub(super) drawn: DefaultTerminal,
    /// Whether more was read than was asked for.
    has_more: bool,
}

/// What came from the terminal.
pub(super) enum Pressed {
    Key(KeyEvent),
    Nothing,
    /// The terminal is gone.
    Gone,
}

impl ViewTerminal {
    pub(super) fn take(command: &str, way_out: &str) -> Result<Self> {
        if !stdout().is_terminal() || !stdin().is_terminal() {
            let message = format!("{command} needs a terminal: {way_out}");
            return Err(Failure::Failed(message));
        }
        interrupt::end_by_itself();
        interrupt::end_at_hangup();
        let drawn = ratatui::try_init().map_err(|error| Failure::io("the terminal", &error))?;
        Ok(Self {
            drawn,
            has_more: false,
        })
    }

    /// Waits for a key, at most for this time.
    pub(super) fn key(&mut self, wait: Duration) -> Result<Pressed> {
        let failed = |error| Failure::io("the terminal", &error);
        if !self.has_more {
            match input(wait)? {
                Input::Some => {}
                Input::None => return Ok(Pressed::Nothing),
                Input::Gone => return Ok(Pressed::Gone),
            }
        }
        let read = event::read().map_err(failed)?;
        self.has_more = event::poll(Duration::ZERO).map_err(failed)?;
        Ok(match read {
            Event::Key(key) if key.kind != KeyEventKind::Release => Pressed::Key(key),
            // A new size is drawn in any case.
            _ => Pressed::Nothing,
        })
    }
}

/// What a terminal has to read.
enum Input {
    Some,
    None,
    Gone,
}

/// Waits for input. A terminal that is gone is ended here: crossterm would read its end again and
/// again.
fn input(wait: Duration) -> Result<Input> {
    let stdin = stdin();
    let mut polled = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
    match poll(&mut polled, wait) {
        // A signal, which is looked for behind this.
        Ok(0) | Err(Errno::EINTR) => return Ok(Input::None),
        Ok(_) => {}
        Err(error) => return Err(Failure::io("the terminal", &error.into())),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let [only] = &polled;
    Ok(match only.revents() {
        Some(events) if events.intersects(gone) => Input::Gone,
        Some(events) if events.contains(PollFlags::POLLIN) => Input::Some,
        _ => Input::None,
    })
}

impl Drop for ViewTerminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
