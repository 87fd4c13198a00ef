//! The status line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use backsight_agent::Agent;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// How often the line is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// A line on the terminal: how long, how many samples, how much of it was lost, and what
/// recording costs.
#[derive(Debug)]
pub(super) struct StatusLine {
    is_shown: bool,
    drawn: Option<Instant>,
    /// The processor time of this process when recording began.
    own_before: Duration,
    began: Instant,
}

impl StatusLine {
    pub(super) fn new(is_quiet: bool, own_before: Duration) -> Self {
        Self {
            is_shown: !is_quiet && io::stderr().is_terminal(),
            drawn: None,
            own_before,
            began: Instant::now(),
        }
    }

    /// Draws it, if it is time.
    pub(super) fn update(&mut self, agent: &Agent) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY);
        if self.is_shown && is_due {
            self.drawn = Some(Instant::now());
            let own = own_time().saturating_sub(self.own_before);
            draw(&format!(
                "{} (Ctrl-C ends)",
                RecordingStatus {
                    agent,
                    elapsed: self.began.elapsed(),
                    own
                }
            ));
        }
    }

    /// Removes it.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            draw("");
        }
    }
}

/// Replaces the line that the cursor is in.
fn draw(text: &str) {
    // If standard error is closed, there is nowhere to report that.
    let _ = write!(io::stderr(), "\r\x1b[K{text}");
}

/// What was recorded so far, as a text.
pub(super) struct RecordingStatus<'a> {
    pub(super) agent: &'a Agent,
    pub(super) elapsed: Duration,
    /// The processor time that recording took of this process.
    pub(super) own: Duration,
}

impl fmt::Display for RecordingStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, elapsed) = (self.agent.status(), self.elapsed);
        let own = self.own.as_secs_f64() / elapsed.as_secs_f64().max(0.001) * 100.0;
        let seconds = elapsed.as_secs_f64();
        write!(
            f,
            "{seconds:.1} s, {} samples, {} lost",
            status.samples, status.lost
        )?;
        if status.throttled > 0 {
            write!(f, ", throttled {} times", status.throttled)?;
        }
        write!(
            f,
            ", {} started, {own:.1} % of a CPU for recording",
            match status.started {
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            }
        )
    }
}

/// Returns the processor time of this process.
pub(super) fn own_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = |time: TimeVal| {
        let micros = time.tv_usec();
        let micros = time
            .tv_sec()
            .saturating_mul(1_000_000)
            .saturating_add(micros);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    time(usage.user_time()).saturating_add(time(usage.system_time()))
}
