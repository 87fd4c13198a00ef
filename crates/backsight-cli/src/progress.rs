//! Shows the progress of a long command on stderr, if it is a terminal.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::LazyLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown for a step shorter than this.
const SHOW_AFTER: Duration = Duration::from_millis(700);

/// All bars, one below the other. Draws nothing if stderr is not a terminal.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Prints something on stderr while bars may be shown there: they are cleared, and drawn again
/// below it.
pub(crate) fn above_bars<R>(print: impl FnOnce() -> R) -> R {
    BARS.suspend(print)
}

/// Shows a file on its way, until the bar is finished.
pub(crate) fn transfer(name: String) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = "{msg} {bytes} of {total_bytes}, {bytes_per_sec}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(name);
    BARS.add(bar)
}

/// One step of the work. Short steps show nothing.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Starts a step of unknown length.
    pub(crate) fn step(name: &'static str) -> Self {
        Self::begin(ProgressBar::no_length(), "{spinner} {msg}", name)
    }

    /// Starts reading `length` bytes.
    pub(crate) fn bytes(name: &'static str, length: Option<u64>) -> Self {
        match length {
            Some(length) => {
                let style =
                    "{msg} {bar:30} {percent} % of {total_bytes}, {bytes_per_sec}, {eta} left";
                Self::begin(ProgressBar::new(length), style, name)
            }
            None => Self::begin(ProgressBar::no_length(), "{spinner} {msg} {bytes}", name),
        }
    }

    fn begin(bar: ProgressBar, style: &str, name: &'static str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(name);
        let later = bar.downgrade();
        std::thread::spawn(move || {
            std::thread::sleep(SHOW_AFTER);
            if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
                let bar = BARS.add(bar);
                bar.enable_steady_tick(Duration::from_millis(120));
            }
        });
        Self(bar)
    }

    /// Counts the bytes read from `input`.
    pub(crate) fn reading<R: Read>(&self, input: R) -> Reading<R> {
        Reading(input, self.0.clone())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// An input whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Reading<R>(R, ProgressBar);

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(room)?;
        self.1.inc(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }
}

impl<R: Seek> Seek for Reading<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.0.seek(to)?;
        self.1.set_position(at);
        Ok(at)
    }
}
