//! `backsight top`: which functions run now.
//!
//! ```text
//!   target ──▶ Agent ──▶ profile of the last seconds ──▶ functions ──▶ view, or tables as text
//! ```

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use backsight::{MapOptions, ProfileSymbolizer, RecordingOptions};
use backsight_agent::{Agent, SamplingError, SamplingNote, Target};
use backsight_profile::Profile;
use backsight_report::{Inlines, ReportTable, RowKind};

use crate::failure::{Failure, Result, complain};
use crate::fitted_lines::FittedLines;
use crate::interrupt;
use crate::record::{TargetFlags, Uses, Whom, drop_others, parse_time};
use crate::report::{Measured, ReportFormat, ShownProfile, write_table};
use crate::screen::Screen;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::Accounted;
use crate::view::LiveView;

/// Show which functions run now: processes, a cgroup or the whole machine, sampled again and
/// again
///
/// On a terminal it is `view`, with its keys, of the last seconds; otherwise a table as text for
/// each interval.
#[derive(Debug, clap::Args)]
pub(crate) struct Top {
    #[command(flatten)]
    target: TargetFlags,

    /// Show a new picture each time that this time has passed: seconds, or a number with ms, s, m
    /// or h
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "2s")]
    every: Duration,

    /// Stop after this time [default: when the processes end, at q or Ctrl-C]
    #[arg(short, long, value_name = "TIME", value_parser = parse_time)]
    duration: Option<Duration>,

    /// Show so many rows as text
    #[arg(short = 'n', long = "rows", value_name = "COUNT", default_value = "20")]
    rows: usize,

    /// Write text also to a terminal
    #[arg(long)]
    text: bool,

    /// Count the code of inlined calls for the function that they were inlined into
    #[arg(long)]
    merge_inlines: bool,

    #[command(flatten)]
    symbols: Symbols,
}

/// How long a step waits for samples, so that keys are answered.
const STEP: Duration = Duration::from_millis(100);

impl Top {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let whom = self.target.whom().ok_or_else(|| {
            let usage = "what to show? -p PID, --cgroup DIR, or -a for the whole machine";
            Failure::Usage(usage.to_owned())
        })?;
        let sampling = self.target.sampling();
        let uses = Uses {
            kernel: sampling.kernel,
            names: true,
        };
        if let Err(error) = drop_others(uses) {
            complain(format_args!("no capability is dropped: {error}"));
        }
        self.symbols.use_jobs()?;
        let checked = self.symbols.check();
        interrupt::end_by_itself();
        let title = title(&whom);
        let target = match whom {
            Whom::Processes(pids) => Target::Processes(pids),
            Whom::Cgroup(path) => Target::Cgroup(path.clone()),
            Whom::Everyone | Whom::Command(_) => Target::Everyone,
        };
        let files = self.symbols.files();
        let maps = MapOptions::default().with_maps_of(self.symbols.maps_of());
        let recording = RecordingOptions::default()
            .with_summed(true)
            .with_maps(maps);
        let sampling = sampling.with_labels(false);
        let agent = Agent::start(&target, &sampling, recording, files.clone());
        let agent = agent.map_err(|error| failed(&error))?;
        for note in agent.notes() {
            if *note != SamplingNote::NoHardwareCounter || self.symbols.verbose {
                complain(format_args!("{note}"));
            }
        }
        let symbolizer = Accounted::new(ProfileSymbolizer::new(files), &self.symbols);
        let mut sampling = Sampling {
            flags: &self,
            agent,
            symbolizer,
            begun: Instant::now(),
            since: Instant::now(),
            length: self.every,
            title,
        };
        let has_view = !self.text && Screen::of_stdout().lines.is_some();
        match has_view {
            true => sampling.on_terminal()?,
            false => sampling.as_text(out)?,
        }
        Ok(checked)
    }

    fn inlines(&self) -> Inlines {
        match self.merge_inlines {
            true => Inlines::Merged,
            false => Inlines::Apart,
        }
    }
}

struct Sampling<'f> {
    flags: &'f Top,
    agent: Agent,
    symbolizer: Accounted<ProfileSymbolizer>,
    begun: Instant,
    /// When the interval began.
    since: Instant,
    /// How long the last interval was: longer than asked for where the machine is busy, and
    /// shorter at the end.
    length: Duration,
    title: String,
}

/// What a step has brought.
enum Brought {
    Nothing,
    /// The profile of an interval.
    Profile(Box<Profile>),
    /// Nothing is left to sample.
    End,
}

impl Sampling<'_> {
    /// Waits for samples a moment.
    fn step(&mut self) -> Result<Brought> {
        let goes_on = self.agent.step(STEP).map_err(|error| failed(&error))?;
        let is_over = |all: Duration| self.begun.elapsed() >= all;
        let ends =
            !goes_on || self.flags.duration.is_some_and(is_over) || interrupt::is_called_off();
        if ends {
            return Ok(Brought::End);
        }
        if self.since.elapsed() < self.flags.every {
            return Ok(Brought::Nothing);
        }
        Ok(Brought::Profile(Box::new(self.profile())))
    }

    /// Takes the profile since the last one, with functions.
    fn profile(&mut self) -> Profile {
        self.length = self.since.elapsed();
        self.since = Instant::now();
        let mut profile = self.agent.take_profile();
        self.symbolizer.restart();
        self.symbolizer.look_up_all(&mut profile, 0.0);
        profile
    }

    fn caption(&self) -> String {
        let status = self.agent.status();
        let lost = match status.lost {
            0 => String::new(),
            lost => format!(", {lost} records lost"),
        };
        format!("{}, the last {}{lost}", self.title, seconds(self.length))
    }

    fn on_terminal(&mut self) -> Result<()> {
        let way_out = "with --text, or into a pipe, it writes text";
        let mut view = LiveView::start("top", way_out, self.caption(), self.flags.inlines())?;
        loop {
            match self.step()? {
                Brought::End => return Ok(()),
                Brought::Profile(profile) if !profile.samples.is_empty() => {
                    let value = profile.default_type.unwrap_or_default();
                    view.set_title(self.caption());
                    view.show(*profile, value);
                }
                Brought::Profile(_) | Brought::Nothing => {}
            }
            if !view.turn(Duration::ZERO)? {
                return Ok(());
            }
        }
    }

    fn as_text(&mut self, out: &mut impl Write) -> Result<()> {
        let screen = Screen::of_stdout();
        let mut is_first = true;
        loop {
            let (profile, ends) = match self.step()? {
                Brought::Nothing => continue,
                Brought::Profile(profile) => (profile, false),
                // A short run has something to show, too.
                Brought::End => (Box::new(self.profile()), true),
            };
            if !profile.samples.is_empty() {
                if !is_first {
                    writeln!(out)?;
                }
                is_first = false;
                self.write(&profile, &screen, out)?;
                out.flush()?;
            } else if ends && is_first {
                complain(format_args!("no samples: nothing of it ran"));
            }
            if ends {
                return Ok(());
            }
        }
    }

    fn write(&self, profile: &Profile, screen: &Screen, out: &mut impl Write) -> Result<()> {
        let value = profile.default_type.unwrap_or_default();
        let by = RowKind::Function;
        let table = ReportTable::of(profile, value, by, self.flags.inlines());
        let title = self.caption();
        let shows = ShownProfile {
            profile,
            value,
            input: Path::new(&title),
            measured: Measured::of(profile, value),
        };
        let format = ReportFormat::Text;
        let mut out = FittedLines::new(screen, out);
        write_table(
            &shows,
            &table,
            by,
            self.flags.rows,
            format,
            screen,
            &mut out,
        )
    }
}

/// A time with as many digits as tell something: tenths of a second, or milliseconds below one.
fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0..950 => format!("{millis} ms"),
        _ => {
            let tenths = millis.saturating_add(50) / 100;
            match (tenths / 10, tenths % 10) {
                (whole, 0) => format!("{whole} s"),
                (whole, tenth) => format!("{whole}.{tenth} s"),
            }
        }
    }
}

fn title(whom: &Whom<'_>) -> String {
    match whom {
        Whom::Processes(pids) => {
            let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
            format!("process {}", pids.join(", "))
        }
        Whom::Cgroup(path) => format!("cgroup {}", path.display()),
        Whom::Everyone | Whom::Command(_) => "all processes".to_owned(),
    }
}

fn failed(error: &SamplingError) -> Failure {
    match error {
        SamplingError::TooFast { .. } => Failure::Usage(error.to_string()),
        _ => Failure::Failed(error.to_string()),
    }
}
