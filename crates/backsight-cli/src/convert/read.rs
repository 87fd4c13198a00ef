//! Any input as a profile.

use std::io::{BufRead, BufReader};
use std::path::Path;

use backsight::account::LeftOut;
use backsight::{MapOptions, MapsOf, ModuleFiles, Recording, RecordingOptions};
use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::ProfileReader;
#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::perf_data::Problems;
use backsight_formats::{folded, legacy, ndjson, perf_script, pprof};
use backsight_profile::Profile;

use super::format::Input;
use super::open::Opened;
use super::{perf_data, recording, text_event};
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;
use crate::progress::Progress;

/// Samples that are read before some are written.
const PIECE: usize = 1 << 16;

/// How a profile is to be read.
#[derive(Clone, Debug)]
pub(super) struct How<'a> {
    /// Its format, if not what it looks like.
    pub(super) from: Option<Input>,
    /// The event of a recording that is taken alone.
    pub(super) event: Option<&'a str>,
    /// Samples that are alike but for their time become one where the format is read so.
    pub(super) summed: bool,
    /// Bytes that a message which is unpacked as a whole may take.
    pub(super) max_memory: u64,
    /// Where the files of a recording are looked for.
    pub(super) files: ModuleFiles,
    /// Whose lists of names of code that was made at run time are read.
    pub(super) maps: MapsOf,
}

impl How<'_> {
    fn of_recording(&self, path: &Path) -> RecordingOptions {
        let maps = MapOptions::default().with_maps_of(self.maps);
        RecordingOptions::default()
            .with_maps(maps.with_recording(path))
            .with_summed(self.summed)
            .with_event(self.event.map(str::to_owned))
    }
}

/// Reads a profile, and returns what was wrong with it.
pub(super) fn run(path: &Path, how: &How<'_>) -> Result<(Profile, Told)> {
    in_pieces(path, how, |_| Ok(()))
}

/// As [`run`]. A format that is streamed gives the profile to `drain` piece by piece,
/// which may take the samples out; any other gives it once, at the end.
pub(super) fn in_pieces(
    path: &Path,
    how: &How<'_>,
    drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<(Profile, Told)> {
    if path.is_dir() {
        let files = recording::open(path, how.from)?;
        let progress = Progress::bytes("reading", Some(files.bytes));
        let reading = |file| BufReader::with_capacity(1 << 18, progress.reading(file));
        let mut malformed = Malformed::new(path);
        let (profile, problems, left_out) = perf_data::read(
            path,
            Recording::Files(files.all.into_iter().map(reading).collect()),
            how.of_recording(path),
            how.files.clone(),
            drain,
        )?;
        malformed.count_problems(&problems, left_out);
        return Ok((profile, malformed.finish()));
    }
    let opened = Opened::new(path)?;
    let format = Input::of(opened.path, how.from, &opened.begin, opened.is_packed)?;
    if how.event.is_some() && !matches!(format, Input::Perf | Input::PerfScript) {
        let message = "--event chooses among the events of what perf wrote: of other inputs \
                       --sample-type chooses";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut malformed = Malformed::new(opened.path);
    let profile = read(format, opened, how, &mut malformed, drain)?;
    Ok((profile, malformed.finish()))
}

fn read(
    format: Input,
    opened: Opened<'_>,
    how: &How<'_>,
    malformed: &mut Malformed<'_>,
    mut drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Profile> {
    let path = malformed.path;
    let summed = how.summed;
    let limits = pprof::Limits::default().with_memory(how.max_memory);
    let mut profile = match format {
        Input::Ndjson => records(opened.unpacked(), summed, malformed, &mut drain)?,
        Input::Folded => {
            let read = folded::read(opened.unpacked(), |error| malformed.tell(error));
            let (profile, flaws) = read.map_err(|error| Failure::io(Shown(path), &error))?;
            malformed.count(&flaws);
            profile
        }
        Input::Pprof => {
            let read = pprof::read(opened.raw(), &limits);
            let (profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            profile
        }
        #[cfg(feature = "otlp")]
        Input::Otlp => {
            let read = otlp::read(opened.raw(), &limits);
            let (profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            profile
        }
        Input::Legacy => {
            let read = legacy::read(opened.unpacked(), |error| malformed.tell(error));
            let (profile, flaws) = read.map_err(|error| Failure::of(Shown(path), error))?;
            malformed.count(&flaws);
            profile
        }
        Input::PerfScript => {
            let input = opened.unpacked();
            let read = perf_script::read(input, summed, |error| malformed.tell(error));
            let mut profile = read.map_err(|error| Failure::io(Shown(path), &error))?;
            if let Some(event) = how.event {
                let what = format_args!("--event {event}");
                let others = text_event::take(&mut profile, event, summed);
                malformed.count(&others.map_err(|cause| Failure::of(what, cause))?);
            }
            profile
        }
        Input::Perf => {
            let (input, can_seek) = opened.seekable()?;
            let input = match can_seek {
                true => Recording::Files(vec![input]),
                false => Recording::Pipe(input),
            };
            let (options, files) = (how.of_recording(path), how.files.clone());
            let (profile, problems, left_out) =
                perf_data::read(path, input, options, files, drain)?;
            malformed.count_problems(&problems, left_out);
            return Ok(profile);
        }
    };
    drain(&mut profile)?;
    Ok(profile)
}

/// Why a packed message could not be read, and the way out.
fn unpacked(path: &Path, error: &pprof::Error) -> Failure {
    match error {
        pprof::Error::TooLarge { .. } => Failure::of(
            Shown(path),
            format_args!("{error}: --max-memory allows more"),
        ),
        _ => Failure::of(Shown(path), error),
    }
}

/// Reads NDJSON piece by piece.
fn records(
    input: impl BufRead,
    summed: bool,
    malformed: &mut Malformed<'_>,
    drain: &mut impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Profile> {
    let mut reader = ProfileReader::new(summed);
    for item in ndjson::Reader::new(input) {
        let taken = match item {
            Ok((line, record)) => reader
                .take(record)
                .map_err(|cause| ndjson::Error::Malformed { line, cause }),
            Err(error @ ndjson::Error::Malformed { .. }) => Err(error),
            Err(error) => return Err(Failure::of(Shown(malformed.path), error)),
        };
        if let Err(error) = taken {
            malformed.tell(&error);
        }
        let profile = reader.profile_mut();
        if profile.samples.len() >= PIECE {
            drain(profile)?;
        }
    }
    Ok(reader.into_profile())
}

/// Says what is malformed: the first few, and how many there were.
struct Malformed<'p> {
    path: &'p Path,
    /// Those with a line.
    count: u64,
    unnumbered: u64,
    left_out: LeftOut,
}

/// What was wrong with an input, and which of its samples are not in the profile.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) malformed: u64,
    pub(super) left_out: LeftOut,
}

impl<'p> Malformed<'p> {
    /// A file of another kind than it was taken for has a line of wrongs for each of
    /// its own.
    const SHOWN: u64 = 10;

    fn new(path: &'p Path) -> Self {
        Self {
            path,
            count: 0,
            unnumbered: 0,
            left_out: LeftOut::default(),
        }
    }

    fn tell(&mut self, error: &dyn std::error::Error) {
        self.count = self.count.saturating_add(1);
        if self.count <= Self::SHOWN {
            complain(format_args!("{}, {error}", Shown(self.path)));
        }
    }

    /// Says what is malformed of a format without lines, and which samples are left out.
    /// All else that there is no place for is part of the account alone.
    fn count(&mut self, flaws: &Flaws) {
        self.left_out.add_flaws(flaws);
        for (what, count) in flaws.iter() {
            self.unnumbered = self.unnumbered.saturating_add(count);
            complain(format_args!("{}: {count} {what}", Shown(self.path)));
        }
        for (what, count) in flaws.changed() {
            complain(format_args!("{}: {count} {what}", Shown(self.path)));
        }
        for (what, count) in flaws.left_out() {
            if what.starts_with("samples ") {
                let path = Shown(self.path);
                complain(format_args!("{path}, left out: {count} {what}"));
            }
        }
    }

    fn count_problems(&mut self, problems: &Problems, left_out: LeftOut) {
        self.left_out = left_out;
        self.count(&problems.flaws);
        self.unnumbered += u64::from(problems.end.is_some());
    }

    fn finish(mut self) -> Told {
        if let Some(more) = self.count.checked_sub(Self::SHOWN).filter(|more| *more > 0) {
            complain(format_args!(
                "{}: {more} more of this kind",
                Shown(self.path)
            ));
        }
        self.left_out.add("malformed lines", self.count);
        Told {
            malformed: self.count.saturating_add(self.unnumbered),
            left_out: self.left_out,
        }
    }
}
