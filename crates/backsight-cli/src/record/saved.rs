//! Completes a profile with functions and lines, and writes it to a file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use backsight::account::{LeftOut, Tally};
use backsight::{ModuleFiles, ProfileSymbolizer};
use backsight_profile::Profile;

use super::flags::Record;
use super::hottest;
use super::names::{file_name, with_part};
use super::next_step::next_step;
use super::unidentified::unidentified;
use crate::account;
use crate::convert::{Output, StackFlags, left_out_by, shown_value, waits_value, write_profile};
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;
use crate::output;
use crate::symbolize::accounted::Accounted;

/// Code without names that was made at run time is mentioned from this share on, in percent.
const MIN_NAMELESS: f64 = 5.0;

/// A value that gets a file of its own.
#[derive(Clone, Copy, Debug)]
struct ShownValue {
    /// The index of its type; `None` for the first.
    shown: Option<u32>,
    /// What the name of its file has before its ending.
    behind_name: &'static str,
}

/// Where profiles go.
#[derive(Debug)]
pub(super) struct Saver<'a> {
    flags: &'a Record,
    to: Output,
    place: PathBuf,
    has_written: bool,
    /// Profiles that could not be written, and the samples in them.
    lost: (u64, u64),
    /// Whether it was said how code that was made at run time gets names.
    has_advised_on_made: bool,
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
        to.check_profile(&place)?;
        flags.check_normalize_only(to, &place)?;
        if flags.every.is_some() {
            if place.exists() && !place.is_dir() {
                let cause = "not a directory: --every writes many files: name their directory";
                return Err(Failure::of(Shown(&place), cause));
            }
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
            lost: (0, 0),
            has_advised_on_made: false,
            symbolizer,
        })
    }

    /// Whether samples that differ only in time are summed.
    pub(super) fn sums(&self) -> bool {
        !self.to.has_time()
    }

    /// Whether samples have labels in the output.
    pub(super) fn has_labels(&self) -> bool {
        self.to.has_labels()
    }

    /// Looks up functions, and writes the profile. `began` is when its recording began. Returns
    /// the paths: two where running and waiting have a file each; none if there are no samples.
    pub(super) fn save(
        &mut self,
        profile: &mut Profile,
        began: SystemTime,
        mut left_out: LeftOut,
        out: &mut impl Write,
    ) -> Result<Vec<PathBuf>> {
        if profile.samples.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(symbolizer) = &mut self.symbolizer {
            symbolizer.restart();
            symbolizer.look_up_all(profile, 0.0);
        }
        if self.flags.normalize_only
            && let Some(what) = unidentified(profile, self.to)
        {
            complain(format_args!("{what}"));
        }
        let has_one = self.to.has_one_type();
        let values = self.values(profile);
        if let (true, [only]) = (has_one, &*values)
            && let Some(what) = left_out_by(profile, index_of(only.shown), false)
        {
            let way_out = "a .pb.gz, .ndjson or .otlp file has all";
            complain(format_args!("{}: {what} ({way_out})", Shown(&self.place)));
        }
        let mut tally = Tally::default();
        let alone = values.first().filter(|_| has_one && values.len() == 1);
        let others = tally.take(profile, alone.map(|only| index_of(only.shown)));
        left_out.add("samples of values that are not shown", others);
        let mut written = Vec::new();
        for value in &values {
            profile.default_type = value.shown;
            let write = |mut out: &mut dyn Write| {
                write_profile(profile, self.to, &StackFlags::default(), &mut out)
            };
            let path = match self.flags.every {
                Some(_) => self.write_interval(began, value.behind_name, write)?,
                None if self.place == Path::new("-") => {
                    write(out)?;
                    self.place.clone()
                }
                None => {
                    let path = with_part(&self.place, self.to, value.behind_name);
                    output::replace(&path, write)?;
                    path
                }
            };
            written.push(path);
        }
        self.has_written = true;
        let account = tally.account(profile, left_out, !self.flags.normalize_only);
        let value = alone.and_then(|_| shown_value(profile));
        self.has_advised_on_made |= account::report(
            &account,
            self.flags.account.when(),
            profile,
            value.as_deref(),
        );
        if self.flags.every.is_some() {
            self.say_late_names(profile, &written);
        }
        Ok(written)
    }

    /// Says that an interval has code whose name its runtime may write later.
    fn say_late_names(&self, profile: &Profile, written: &[PathBuf]) {
        let is_quiet = self.flags.account.when() == account::When::Never;
        let nameless = hottest::nameless_made(profile, profile.default_type.unwrap_or_default());
        let Some(path) = written.first() else { return };
        if is_quiet || self.flags.normalize_only || nameless < MIN_NAMELESS {
            return;
        }
        complain(format_args!(
            "{}: {nameless:.1} % end in code that was made at run time and has no name yet: node \
             keeps up to 2 MB of names to itself, Java all until it ends, and the file of an \
             interval does not change; without --every they are looked up when the recording ends",
            Shown(path)
        ));
    }

    /// Returns the values that get a file each: with room for one value, those of threads that
    /// run and of threads that do not, if there are samples of them.
    fn values(&self, profile: &Profile) -> Vec<ShownValue> {
        let default = ShownValue {
            shown: profile.default_type,
            behind_name: "",
        };
        if !self.flags.off_cpu || !self.to.has_one_type() {
            return vec![default];
        }
        let Some(waits) = waits_value(profile) else {
            return vec![default];
        };
        let runs = ShownValue {
            shown: None,
            ..default
        };
        let waits = ShownValue {
            shown: Some(waits),
            behind_name: ".off-cpu",
        };
        let has_samples = |value: &ShownValue| {
            let shown = value.shown.unwrap_or_default();
            let mut samples = profile.samples.iter();
            samples.any(|(sample, values, _)| {
                let at = shown.checked_sub(sample.first_type);
                at.is_some_and(|at| index_of(Some(at)) < values.len())
            })
        };
        let (with, without): (Vec<_>, Vec<_>) = [runs, waits].into_iter().partition(has_samples);
        let is_one_stream = self.place == Path::new("-") && with.len() > 1;
        if is_one_stream {
            complain(format_args!(
                "the time that threads do not run is left out: name a file with -o, and a second \
                 one has it"
            ));
        }
        for value in without {
            let path = with_part(&self.place, self.to, value.behind_name);
            if self.flags.every.is_none() {
                let old = match path.exists() {
                    true => ": what is there is of another recording",
                    false => "",
                };
                complain(format_args!(
                    "{}: no samples of it, not written{old}",
                    Shown(&path)
                ));
            }
        }
        let most = if is_one_stream { 1 } else { with.len() };
        with.into_iter().take(most).collect()
    }

    /// Writes the file of an interval, under a name that no file has yet.
    fn write_interval(
        &self,
        began: SystemTime,
        behind_name: &str,
        write: impl Fn(&mut dyn Write) -> Result<()>,
    ) -> Result<PathBuf> {
        let mut same = 0_u32;
        loop {
            let name = PathBuf::from(file_name(began, self.to, same));
            let path = self.place.join(with_part(&name, self.to, behind_name));
            if output::create(&path, &write)?.is_some() {
                return Ok(path);
            }
            same = same.saturating_add(1);
        }
    }

    /// Says that a profile could not be written, and counts its samples: the recording goes on, and
    /// later files may find room. Returns `None` then. If the reader of the results has gone, that
    /// is the failure.
    pub(super) fn kept_going(
        &mut self,
        saved: Result<Vec<PathBuf>>,
        profile: &Profile,
    ) -> Result<Option<Vec<PathBuf>>> {
        let failure = match saved {
            Ok(written) => return Ok(Some(written)),
            Err(failure) => failure,
        };
        if let Failure::Output(error) = &failure {
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.lose(profile);
                self.say_lost();
            }
            return Err(failure);
        }
        failure.report();
        self.lose(profile);
        Ok(None)
    }

    /// Counts a profile that could not be written.
    fn lose(&mut self, profile: &Profile) {
        let (profiles, lost) = &mut self.lost;
        *profiles = profiles.saturating_add(1);
        for (sample, values, _) in profile.samples.iter() {
            *lost = lost.saturating_add(profile.sample_count(&sample, values));
        }
    }

    fn say_lost(&self) {
        if let Some(words) = self.lost_words() {
            complain(format_args!("{words}"));
        }
    }

    /// Returns what could not be written, if anything.
    pub(super) fn lost_words(&self) -> Option<String> {
        let (profiles, samples) = self.lost;
        let what = match (self.flags.every, profiles) {
            (_, 0) => return None,
            (None, _) => "the profile was".to_owned(),
            (_, 1) => "the profile of 1 interval was".to_owned(),
            (_, count) => format!("the profiles of {count} intervals were"),
        };
        Some(format!("{what} not written: {samples} samples are lost"))
    }

    /// Whether a file was written.
    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Returns the name of the output.
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown(&self.place)
    }

    /// Returns that there is no profile, with the reason.
    pub(super) fn nothing_written(&self, why: &str) -> String {
        let mut text = format!("no samples: {why}; nothing is written");
        if self.flags.every.is_none() && self.place.is_file() {
            text.push_str(&format!(", and {} is as it was", self.shown()));
        }
        text
    }

    /// Says which functions took most of the time, and where to look next.
    pub(super) fn summarize(&self, profile: &Profile, written: &[PathBuf]) {
        if self.flags.account.when() == account::When::Never {
            return;
        }
        if !self.flags.normalize_only {
            list_hottest(profile, self.flags.every.is_some());
        }
        let nameless = hottest::nameless_made(profile, profile.default_type.unwrap_or_default());
        // Of each interval it was said.
        let is_new = !self.flags.normalize_only && self.flags.every.is_none();
        if is_new && nameless >= MIN_NAMELESS {
            // The account may have said it already.
            let advice = match self.has_advised_on_made {
                true => String::new(),
                false => format!(": {} would help", account::MADE_NAMES),
            };
            complain(format_args!(
                "{nameless:.1} % end in code that was made at run time and has no name{advice}"
            ));
        }
        for path in written.iter().filter(|path| *path != Path::new("-")) {
            complain(format_args!(
                "{}",
                next_step(self.to, &path.display().to_string())
            ));
        }
    }
}

/// Lists the functions that ran longest, and those that waited longest.
fn list_hottest(profile: &Profile, is_last_of_many: bool) {
    let default = profile.default_type.unwrap_or_default();
    let of = if is_last_of_many {
        " of the last interval"
    } else {
        ""
    };
    let types = || (0_u32..).zip(&profile.sample_types);
    let name = |kind| profile.strings.get(kind).unwrap_or("samples");
    let waits = waits_value(profile);
    // The first value is that of the event that is always recorded.
    let runs = if Some(default) == waits { 0 } else { default };
    for (at, value) in types().filter(|(at, _)| *at == runs || Some(*at) == waits) {
        let of_users = Some(at) == waits;
        let all = hottest::hottest(profile, at, of_users);
        match (all.is_empty(), of_users) {
            (true, _) => continue,
            (_, true) => complain(format_args!(
                "functions{of} that waited longest, by the time that their threads did not run:"
            )),
            _ => complain(format_args!(
                "hottest functions{of}, by their own {}:",
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

fn index_of(shown: Option<u32>) -> usize {
    usize::try_from(shown.unwrap_or_default()).unwrap_or(usize::MAX)
}
