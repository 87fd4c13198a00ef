//! How far a long command is: on stderr, when it is a terminal.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Before that nobody wonders.
const LONG: Duration = Duration::from_millis(700);

/// One step of the work. Nothing is shown of a step that is short.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins a step that has no known length.
    pub(crate) fn step(name: &'static str) -> Self {
        Self::begin(ProgressBar::no_length(), "{spinner} {msg}", name)
    }

    /// Begins to read so many bytes.
    pub(crate) fn bytes(name: &'static str, length: Option<u64>) -> Self {
        match length {
            Some(length) => {
                let style = "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left";
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
            std::thread::sleep(LONG);
            if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
                // Stays hidden where stderr is no terminal.
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(120));
            }
        });
        Self(bar)
    }

    /// Counts what is read.
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
