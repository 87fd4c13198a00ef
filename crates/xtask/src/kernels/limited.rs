//! Runs a command with time limits, and reads its output line by line.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use testkit::child::KillOnDrop;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It exited with this status; -1 if it was killed by a signal.
    Quit(i32),
    /// It was killed because it printed nothing for too long.
    Silent,
    /// It was killed because it exceeded the total time, although it was still printing.
    Late,
}

/// Time limits of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The latest end.
    pub(super) end: Instant,
    /// The longest time without output.
    pub(super) silence: Duration,
}

/// Runs a command and calls `take` with each line that it prints on either stream. `take`
/// returns the time limit for the next line, if that is shorter than the other limits.
///
/// # Errors
/// When it cannot be started.
pub(super) fn run(
    command: &mut Command,
    mut limits: Limits,
    take: &mut dyn FnMut(&str) -> Duration,
) -> Result<End, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let say = |why: std::io::Error| format!("{name}: {why}");
    let (from, to) = std::io::pipe().map_err(say)?;
    let both = OwnedFd::from(to);
    command.stdout(both.try_clone().map_err(say)?).stderr(both);
    let mut child = KillOnDrop(command.spawn().map_err(say)?);
    // Close our copy of the pipe's write end, or reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (send, lines) = channel();
    let reader = move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if send.send(text).is_err() {
                break;
            }
            line.clear();
        }
    };
    std::thread::spawn(reader);
    loop {
        let left = limits.end.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left.min(limits.silence)) {
            // Accept a line that arrived in time, even at the limit.
            Ok(line) => limits.silence = take(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if left <= limits.silence => return Ok(End::Late),
            Err(RecvTimeoutError::Timeout) => return Ok(End::Silent),
        }
        if limits.end <= Instant::now() {
            return Ok(End::Late);
        }
    }
    let status = child.0.wait().map_err(say)?;
    Ok(End::Quit(status.code().unwrap_or(-1)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{End, Limits, run};

    const EVER: Duration = Duration::from_secs(3600);

    fn ran(script: &str, end: Duration, silence: Duration) -> (End, Vec<String>) {
        let limits = Limits {
            end: Instant::now() + end,
            silence,
        };
        let mut said = Vec::new();
        let end = run(
            Command::new("sh").args(["-c", script]),
            limits,
            &mut |line| {
                said.push(line.to_owned());
                silence
            },
        );
        (end.unwrap(), said)
    }

    #[test]
    fn both_streams_are_read_to_the_end() {
        let (end, said) = ran("echo a; echo b >&2; printf c; exit 3", EVER, EVER);
        assert_eq!(end, End::Quit(3));
        assert_eq!(said, ["a\n", "b\n", "c"]);
    }

    #[test]
    fn a_hanging_command_is_distinguished_from_a_slow_one() {
        // Neither ends by itself, so the result does not depend on the load.
        let short = Duration::from_millis(100);
        assert_eq!(ran("exec sleep 1000000", EVER, short).0, End::Silent);
        let chatters = "while :; do echo still here; done";
        assert_eq!(ran(chatters, short, EVER).0, End::Late);
        assert_eq!(ran("exec sleep 1000000", short, EVER).0, End::Late);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let limits = Limits {
            end: Instant::now(),
            silence: EVER,
        };
        let why = run(&mut Command::new("/no/such"), limits, &mut |_| EVER);
        assert!(why.unwrap_err().contains("/no/such"));
    }
}
