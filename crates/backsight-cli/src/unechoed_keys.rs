//! A terminal that does not show the keys that are pressed while a view has nothing to show yet.

use std::io::{IsTerminal, stdin};
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::interrupt;

/// How the terminal was.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Keys are not shown until this is dropped, or a signal or a bug ends the command.
pub(crate) struct UnechoedKeys(());

impl UnechoedKeys {
    /// Does nothing without a terminal, and in the background, where the terminal is another's.
    pub(crate) fn take() -> Self {
        let stdin = stdin();
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin) == Ok(getpgrp());
        if is_ours && let Ok(before) = tcgetattr(&stdin) {
            let mut unechoed = before.clone();
            unechoed.local_flags.remove(LocalFlags::ECHO);
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
            interrupt::call_before_end(restore);
            let then = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                then(panic);
            }));
            // If it fails, keys are shown.
            let _ = tcsetattr(&stdin, SetArg::TCSANOW, &unechoed);
        }
        Self(())
    }
}

impl Drop for UnechoedKeys {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &before);
    }
}
