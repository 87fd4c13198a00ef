//! Shows long text in a pager, as git does.

use std::env;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use crate::failure::Result;
use crate::screen::Screen;

/// Writes text to standard output: through a pager if that is a terminal with fewer lines, and
/// `may_page`. The pager is `BACKSIGHT_PAGER` or `PAGER`, otherwise `less`. An empty variable, or
/// `cat`, means none.
pub(crate) fn show(
    text: &[u8],
    screen: &Screen,
    may_page: bool,
    out: &mut impl Write,
) -> Result<()> {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let is_long = screen.lines.is_some_and(|room| lines >= room);
    if may_page && is_long && paged(text) {
        return Ok(());
    }
    out.write_all(text)?;
    Ok(())
}

/// Whether a pager showed it.
fn paged(text: &[u8]) -> bool {
    let of = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let wanted = of("BACKSIGHT_PAGER").or_else(|| of("PAGER"));
    let wanted = wanted.unwrap_or_else(|| "less".to_owned());
    if matches!(wanted.trim(), "" | "cat") {
        return false;
    }
    // A pager may have arguments, so a shell splits it.
    let mut command = Command::new("sh");
    command.arg("-c").arg(&wanted).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        // As git: quit if it fits, show colours, leave the text on the screen.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let written = child.stdin.take().map(|mut pipe| pipe.write_all(text));
    let ended = child.wait();
    // Who quits early has seen enough.
    let is_shown = match written {
        Some(Err(error)) => error.kind() == ErrorKind::BrokenPipe,
        Some(Ok(())) => true,
        None => false,
    };
    // The shell's code for a command that it cannot find or run.
    let is_missing = ended.is_ok_and(|status| matches!(status.code(), Some(126 | 127)));
    is_shown && !is_missing
}
