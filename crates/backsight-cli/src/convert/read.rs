//! Reads any input format into a profile.

use std::io::{BufRead, BufReader};
use std::path::Path;

use backsight::account::LeftOut;
use backsight::{
    MapOptions, MapsOf, ModuleFiles, Recording, RecordingOptions, correct_virt_offsets,
};
use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::ProfileReader;
#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::perf_data::Problems;
use backsight_formats::perfetto::{self, SymbolPlaces};
use backsight_formats::{cpuprofile, folded, legacy, ndjson, perf_script, pprof, speedscope};
use backsight_profile::Profile;

use super::format::InputFormat;
use super::open::Opened;
use super::unfiltered::Unfiltered;
use super::{perf_data, recording, text_event};
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;
use crate::progress::Progress;

/// Samples that are buffered before they are handed on.
const PIECE_SAMPLES: usize = 1 << 16;

/// How to read an input.
#[derive(Clone, Debug)]
pub(super) struct InputOptions<'a> {
    /// Its format; `None` to recognize it.
    pub(super) from: Option<InputFormat>,
    /// Take only samples of this event.
    pub(super) event: Option<&'a str>,
    /// Whether the reader may sum samples that differ only in time.
    pub(super) summed: bool,
    /// Limit of memory for an input that is decompressed as a whole.
    pub(super) max_memory: u64,
    /// Where to find the files of a recording.
    pub(super) files: ModuleFiles,
    /// Whose lists of names of code that was made at run time are read.
    pub(super) maps: MapsOf,
    /// Whether a trace of Perfetto is read to write symbols for it.
    pub(super) is_for_trace: bool,
}

impl InputOptions<'_> {
    fn recording_options(&self, path: &Path) -> RecordingOptions {
        let maps = MapOptions::default().with_maps_of(self.maps);
        RecordingOptions::default()
            .with_maps(maps.with_recording(path))
            .with_summed(self.summed)
            .with_event(self.event.map(str::to_owned))
    }
}

/// Reads a profile. Returns it with a report of what was wrong with the input.
pub(super) fn run(path: &Path, options: &InputOptions<'_>) -> Result<(Profile, ReadReport)> {
    in_pieces(path, options, |_| Ok(()))
}

/// Like [`run`], but hands the profile to `drain`, which may take the samples out: piece by
/// piece if the format is streamed, otherwise once, at the end.
pub(super) fn in_pieces(
    path: &Path,
    options: &InputOptions<'_>,
    drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<(Profile, ReadReport)> {
    if path.is_dir() {
        let files = recording::open(path, options.from)?;
        let progress = Progress::bytes("reading", Some(files.bytes));
        let reading = |(path, file)| {
            let input = BufReader::with_capacity(1 << 18, progress.reading(file));
            (path, input)
        };
        let mut malformed = MalformedParts::new(path);
        let (profile, problems, left_out) = perf_data::read(
            path,
            Recording::NamedFiles(files.all.into_iter().map(reading).collect()),
            options.recording_options(path),
            options.files.clone(),
            drain,
        )?;
        malformed.count_problems(&problems, left_out);
        return Ok((profile, malformed.finish()));
    }
    let opened = Opened::new(path)?;
    let format = InputFormat::of(opened.path, options.from, &opened.begin, opened.is_packed)?;
    if options.event.is_some() && !matches!(format, InputFormat::Perf | InputFormat::PerfScript) {
        let message = "--event chooses an event of a perf recording or of perf script: for other inputs, \
                       use --sample-type";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut malformed = MalformedParts::new(opened.path);
    let profile = read(format, opened, options, &mut malformed, drain)?;
    let report = ReadReport {
        format: Some(format),
        ..malformed.finish()
    };
    Ok((profile, report))
}

fn read(
    format: InputFormat,
    opened: Opened<'_>,
    options: &InputOptions<'_>,
    malformed: &mut MalformedParts<'_>,
    mut drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Profile> {
    let path = malformed.path;
    let summed = options.summed;
    let limits = pprof::Limits::default().with_memory(options.max_memory);
    let mut profile = match format {
        InputFormat::Ndjson => records(opened.unpacked(), summed, malformed, &mut drain)?,
        InputFormat::Folded => {
            let read = folded::read(opened.unpacked(), |error| malformed.report(error));
            let (profile, flaws) = read.map_err(|error| Failure::io(Shown(path), &error))?;
            malformed.count(&flaws);
            profile
        }
        InputFormat::Pprof => {
            let read = pprof::read(opened.raw(), &limits);
            let (profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            profile
        }
        #[cfg(feature = "otlp")]
        InputFormat::Otlp => {
            let read = otlp::read(opened.raw(), &limits);
            let (profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            profile
        }
        InputFormat::Speedscope | InputFormat::Cpuprofile => {
            let read = match format {
                InputFormat::Speedscope => speedscope::read(opened.raw(), &limits),
                _ => cpuprofile::read(opened.raw(), &limits),
            };
            let (profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            profile
        }
        InputFormat::Perfetto => {
            let input = opened.raw();
            let read = match options.is_for_trace {
                true => {
                    perfetto::read_for_symbols(input, &limits).map(|(profile, flaws, places)| {
                        malformed.places = Some(places);
                        (profile, flaws)
                    })
                }
                false => perfetto::read(input, &limits),
            };
            let (mut profile, flaws) = read.map_err(|error| unpacked(path, &error))?;
            malformed.count(&flaws);
            let corrected = correct_virt_offsets(&mut profile, &options.files);
            if corrected > 0 {
                complain(format_args!(
                    "{}: {corrected} addresses with a wrong load bias, corrected by their files",
                    Shown(path)
                ));
            }
            profile
        }
        InputFormat::Legacy => {
            let read = legacy::read(opened.unpacked(), |error| malformed.report(error));
            let (profile, flaws) = read.map_err(|error| match error {
                legacy::Error::Io(error) => Failure::io(Shown(path), &error),
                error => Failure::of(Shown(path), error),
            })?;
            malformed.count(&flaws);
            profile
        }
        InputFormat::PerfScript => {
            let input = opened.unpacked();
            let read = perf_script::read(input, summed, |error| malformed.report(error));
            let (mut profile, flaws) = read.map_err(|error| Failure::io(Shown(path), &error))?;
            malformed.count(&flaws);
            if let Some(event) = options.event {
                let what = format_args!("--event {event}");
                let others = text_event::take(&mut profile, event, summed);
                malformed.count(&others.map_err(|cause| Failure::of(what, cause))?);
            }
            profile
        }
        InputFormat::Perf => {
            let (input, can_seek) = opened.seekable()?;
            let input = match can_seek {
                true => Recording::NamedFiles(vec![(path.to_owned(), input)]),
                false => Recording::Pipe(input),
            };
            let (recording_options, files) =
                (options.recording_options(path), options.files.clone());
            let (profile, problems, left_out) =
                perf_data::read(path, input, recording_options, files, drain)?;
            malformed.count_problems(&problems, left_out);
            return Ok(profile);
        }
    };
    drain(&mut profile)?;
    Ok(profile)
}

/// Returns why a compressed input could not be read, and what to do about it.
fn unpacked(path: &Path, error: &pprof::Error) -> Failure {
    match error {
        pprof::Error::TooLarge { .. } => Failure::of(
            Shown(path),
            format_args!("{error}: raise it with --max-memory"),
        ),
        pprof::Error::Io(error) => Failure::io(Shown(path), error),
        pprof::Error::Malformed { .. } => Failure::of(
            Shown(path),
            format_args!("{error}: record or copy it again, or give its format with --from"),
        ),
        _ => Failure::of(Shown(path), error),
    }
}

/// Reads NDJSON piece by piece.
fn records(
    input: impl BufRead,
    summed: bool,
    malformed: &mut MalformedParts<'_>,
    drain: &mut impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Profile> {
    let mut reader = ProfileReader::new(summed);
    for item in ndjson::Reader::new(input) {
        let taken = match item {
            Ok((line, record)) => reader
                .take(record)
                .map_err(|cause| ndjson::Error::Malformed { line, cause }),
            Err(error @ ndjson::Error::Malformed { .. }) => Err(error),
            Err(ndjson::Error::Io(error)) => {
                return Err(Failure::io(Shown(malformed.path), &error));
            }
            Err(error) => return Err(Failure::of(Shown(malformed.path), error)),
        };
        if let Err(error) = taken {
            malformed.report(&error);
        }
        let profile = reader.profile_mut();
        if profile.samples.len() >= PIECE_SAMPLES {
            drain(profile)?;
        }
    }
    Ok(reader.into_profile())
}

/// Reports malformed parts of an input: the first few in full, then their number.
struct MalformedParts<'p> {
    path: &'p Path,
    /// Malformed lines.
    count: u64,
    unnumbered: u64,
    left_out: LeftOut,
    places: Option<SymbolPlaces>,
}

/// What was wrong with an input, and which of its samples are not in the profile.
#[derive(Debug, Default)]
pub(crate) struct ReadReport {
    pub(crate) malformed: u64,
    pub(crate) left_out: LeftOut,
    /// The addresses of a trace of Perfetto that it has no symbols for.
    pub(crate) places: Option<SymbolPlaces>,
    /// The format of the input; `None` for a directory of recordings.
    pub(crate) format: Option<InputFormat>,
    /// Whether one value of the samples is used, and no other.
    pub(crate) has_one_value: bool,
    /// What there was before any filter.
    pub(crate) unfiltered: Unfiltered,
}

impl<'p> MalformedParts<'p> {
    /// Malformed lines that are reported in full. If a file is not of the assumed format, every
    /// line is malformed.
    const MAX_REPORTED: u64 = 10;

    fn new(path: &'p Path) -> Self {
        Self {
            path,
            count: 0,
            unnumbered: 0,
            left_out: LeftOut::default(),
            places: None,
        }
    }

    fn report(&mut self, error: &dyn std::error::Error) {
        self.count = self.count.saturating_add(1);
        if self.count <= Self::MAX_REPORTED {
            complain(format_args!("{}, {error}", Shown(self.path)));
        }
    }

    /// Reports the flaws of a format without lines, and the samples that are left out. Other
    /// things without a place in the profile appear only in the account.
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
        let ends = u64::try_from(problems.ends.len()).unwrap_or(u64::MAX);
        self.unnumbered = self.unnumbered.saturating_add(ends);
    }

    fn finish(mut self) -> ReadReport {
        if let Some(more) = self
            .count
            .checked_sub(Self::MAX_REPORTED)
            .filter(|more| *more > 0)
        {
            complain(format_args!(
                "{}: {more} more malformed lines",
                Shown(self.path)
            ));
        }
        self.left_out.add("malformed lines", self.count);
        ReadReport {
            malformed: self.count.saturating_add(self.unnumbered),
            left_out: self.left_out,
            places: self.places,
            ..ReadReport::default()
        }
    }
}
