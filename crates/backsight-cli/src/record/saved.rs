//! Completes a profile with functions and lines, and writes it to a file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use backsight::account::{LeftOut, Tally};
use backsight::{ModuleFiles, ProfileSymbolizer};
use backsight_agent::SamplingStatus;
use backsight_formats::folded::RootFrame;
use backsight_profile::Profile;

use super::flags::{Record, Whom};
use super::hottest;
use crate::account;
use crate::convert::{Output, left_out_by, shown_value, write_profile};
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;
use crate::output;
use crate::symbolize::accounted::Accounted;
use crate::utc::Utc;

/// Code without names that was made at run time is mentioned from this share on, in percent.
const MIN_NAMELESS: f64 = 5.0;

/// Where profiles go.
#[derive(Debug)]
pub(super) struct Saver<'a> {
    flags: &'a Record,
    to: Output,
    place: PathBuf,
    has_written: bool,
    /// `None` with `--normalize-only`.
    symbolizer: Option<Accounted<ProfileSymbolizer>>,
}

impl<'a> Saver<'a> {
    /// Checks that the output can be written, before anything is recorded.
    pub(super) fn new(flags: &'a Record, files: &ModuleFiles) -> Result<Self> {
        let place = flags.place()?;
        let to = match flags.every {
            Some(_) => flags.to.unwrap_or(Output::Pprof),
            None => Output::of(&place, flags.to)?,
        };
        if flags.normalize_only && !to.has_build_ids() {
            let usage = "--normalize-only records build IDs, which this format has no room for: \
                         write .ndjson, .pb.gz or .otlp";
            return Err(Failure::Usage(format!("{}: {usage}", Shown(&place))));
        }
        if flags.every.is_some() {
            fs::create_dir_all(&place).map_err(|error| Failure::io(Shown(&place), &error))?;
            output::check(&place.join(file_name(SystemTime::now(), to, 0)))?;
        } else if let Some(folder) = place.parent().filter(|it| !it.as_os_str().is_empty())
            && !folder.is_dir()
        {
            let cause = "no such directory: create it first";
            return Err(Failure::of(Shown(folder), cause));
        } else if place != Path::new("-") {
            output::check(&place)?;
        }
        let symbolizer = (!flags.normalize_only)
            .then(|| Accounted::new(ProfileSymbolizer::new(files.clone()), &flags.symbols));
        Ok(Self {
            flags,
            to,
            place,
            has_written: false,
            symbolizer,
        })
    }

    /// Whether samples that differ only in time are summed.
    pub(super) fn sums(&self) -> bool {
        !self.to.has_time()
    }

    /// Looks up functions, and writes the profile. `began` is when its recording began. Returns
    /// the path; `None` if there are no samples: then nothing is written.
    pub(super) fn save(
        &mut self,
        profile: &mut Profile,
        began: SystemTime,
        mut left_out: LeftOut,
        out: &mut impl Write,
    ) -> Result<Option<PathBuf>> {
        if profile.samples.is_empty() {
            return Ok(None);
        }
        if let Some(symbolizer) = &mut self.symbolizer {
            symbolizer.restart();
            symbolizer.look_up_all(profile, 0.0);
        }
        let shown = profile.default_type.unwrap_or_default();
        let shown = usize::try_from(shown).unwrap_or_default();
        let has_one = self.to.has_one_type();
        if let Some(what) = left_out_by(profile, shown).filter(|_| has_one) {
            let way_out = "a .pb.gz, .ndjson or .otlp file has all";
            complain(format_args!("{}: {what} ({way_out})", Shown(&self.place)));
        }
        let mut tally = Tally::default();
        let others = tally.take(profile, Some(shown).filter(|_| has_one));
        left_out.add("samples of values that are not shown", others);
        let write =
            |mut out: &mut dyn Write| write_profile(profile, self.to, RootFrame::Process, &mut out);
        let path = match self.flags.every {
            Some(_) => self.write_interval(began, write)?,
            None if self.place == Path::new("-") => {
                write(out)?;
                self.place.clone()
            }
            None => {
                output::replace(&self.place, write)?;
                self.place.clone()
            }
        };
        self.has_written = true;
        let account = tally.account(profile, left_out, !self.flags.normalize_only);
        let value = shown_value(profile).filter(|_| has_one);
        account::report(
            &account,
            self.flags.account.when(),
            profile,
            value.as_deref(),
        );
        Ok(Some(path))
    }

    /// Writes the file of an interval, under a name that no file has yet.
    fn write_interval(
        &self,
        began: SystemTime,
        write: impl Fn(&mut dyn Write) -> Result<()>,
    ) -> Result<PathBuf> {
        let mut same = 0_u32;
        loop {
            let path = self.place.join(file_name(began, self.to, same));
            if output::create(&path, &write)?.is_some() {
                return Ok(path);
            }
            same = same.saturating_add(1);
        }
    }

    /// Whether a file was written.
    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Returns the name of the output.
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown(&self.place)
    }

    /// Returns why there is no profile.
    pub(super) fn nothing_written(&self, status: SamplingStatus, whom: &Whom<'_>) -> String {
        let mut text = String::from("no samples: ");
        match status.started {
            0 => text.push_str("nothing of the target ran for as long as one sampling period"),
            1 => text.push_str("1 process was started, and none ran for one sampling period"),
            count => text.push_str(&format!(
                "{count} processes were started, and none ran for one sampling period"
            )),
        }
        let hertz = self.flags.frequency;
        text.push_str(&format!(
            " ({:.1} ms): raise -F {hertz}{}; nothing is written",
            period_ms(hertz),
            match whom {
                Whom::Everyone => "",
                _ => ", or use -a",
            }
        ));
        if let Whom::Processes(pids) = whom {
            for (pid, why) in pids
                .iter()
                .filter_map(|pid| Some((pid, not_running(*pid)?)))
            {
                text.push_str(&format!("; process {pid} {why}"));
            }
        }
        if self.flags.every.is_none() && self.place.is_file() {
            text.push_str(&format!(", and {} is as it was", self.shown()));
        }
        text
    }

    /// Says which functions took most of the time, and where to look next.
    pub(super) fn summarize(&self, profile: &Profile, path: &Path) {
        if self.flags.account.when() == account::When::Never {
            return;
        }
        if !self.flags.normalize_only {
            list_hottest(profile);
        }
        let nameless = hottest::nameless_made(profile, profile.default_type.unwrap_or_default());
        if !self.flags.normalize_only && nameless >= MIN_NAMELESS {
            complain(format_args!(
                "{nameless:.1} % end in code that was made at run time and has no name: {} would \
                 help",
                account::MADE_NAMES
            ));
        }
        if path != Path::new("-") {
            complain(format_args!(
                "{}",
                next_step(self.to, &path.display().to_string())
            ));
        }
    }
}

/// Lists the functions that ran longest, and those that waited longest.
fn list_hottest(profile: &Profile) {
    let default = profile.default_type.unwrap_or_default();
    let types = || (0_u32..).zip(&profile.sample_types);
    let name = |kind| profile.strings.get(kind).unwrap_or("samples");
    let waits = types().find(|(_, it)| name(it.kind) == "context-switches");
    let waits = waits.map(|(at, _)| at);
    // The first value is that of the event that is always recorded.
    let runs = if Some(default) == waits { 0 } else { default };
    for (at, value) in types().filter(|(at, _)| *at == runs || Some(*at) == waits) {
        let of_users = Some(at) == waits;
        let all = hottest::hottest(profile, at, of_users);
        match (all.is_empty(), of_users) {
            (true, _) => continue,
            (_, true) => complain(format_args!(
                "functions that waited longest, by the time that their threads did not run:"
            )),
            _ => complain(format_args!(
                "hottest functions, by their own {}:",
                name(value.kind)
            )),
        }
        for hot in all {
            let module = hot.module.map(|module| format!("  ({module})"));
            let module = module.unwrap_or_default();
            complain(format_args!(
                "{:6.1} %  {}{module}",
                hot.percent, hot.function
            ));
        }
    }
}

/// Returns what to do with a file of this format.
fn next_step(format: Output, path: &str) -> String {
    match format {
        Output::Pprof | Output::Pb => {
            format!(
                "written: {path}; go tool pprof -http=: {path}, or backsight convert {path} flame.svg"
            )
        }
        Output::Svg => format!("written: {path}; open it in a browser"),
        Output::Firefox => format!("written: {path}; load it at https://profiler.firefox.com"),
        Output::Folded => {
            format!("written: {path}; flamegraph.pl or https://speedscope.app read it")
        }
        _ => format!("written: {path}; backsight convert {path} flame.svg draws it"),
    }
}

/// Returns why a process cannot run, by its state in proc_pid_stat(5).
fn not_running(pid: u32) -> Option<&'static str> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    match rest.chars().next()? {
        'Z' => Some("has ended, and its parent has not waited for it (a zombie)"),
        'T' => Some("is stopped (SIGCONT lets it go on)"),
        't' => Some("is stopped by a tracer, such as a debugger"),
        _ => None,
    }
}

/// Returns the time between two samples of a processor.
#[expect(clippy::cast_precision_loss, reason = "a time is shown with one digit")]
fn period_ms(hertz: u64) -> f64 {
    1000.0 / hertz.max(1) as f64
}

/// Returns the name of a file of an interval: its begin in milliseconds, without characters that
/// need quotes. Names of one begin differ by `same`. By name, files are in the order of time.
fn file_name(began: SystemTime, format: Output, same: u32) -> String {
    let since = began.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().subsec_millis();
    let whole = Utc(began).to_string().replace(':', "");
    let whole = whole.trim_end_matches('Z');
    let same = match same {
        0 => String::new(),
        same => format!("-{same}"),
    };
    format!("{whole}.{millis:03}Z{same}{}", format.ending())
}
