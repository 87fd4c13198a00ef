//! Profiles are read, with notes on what was wrong or is left out.

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use backsight::profile::Profile;
use backsight::{MapOptions, ModuleFiles, PerfData, Recording, RecordingOptions, recording_files};
use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::{self, ProfileReader};
use backsight_formats::{cpuprofile, folded, legacy, perf_script, perfetto, pprof, speedscope};

use crate::failure::{Failure, Result};
use crate::profile_format::{
    BACKSIGHT_FORMAT_CPUPROFILE, BACKSIGHT_FORMAT_FOLDED, BACKSIGHT_FORMAT_LEGACY,
    BACKSIGHT_FORMAT_NDJSON, BACKSIGHT_FORMAT_PERF, BACKSIGHT_FORMAT_PERF_SCRIPT,
    BACKSIGHT_FORMAT_PERFETTO, BACKSIGHT_FORMAT_SPEEDSCOPE, of_input,
};

const BUFFER_BYTES: usize = 1 << 18;

/// Malformed lines that are noted one by one.
const MAX_NOTED: u64 = 10;

/// How a profile is read.
pub(crate) struct ProfileReading {
    pub(crate) format: u32,
    /// Whether samples that differ only in time are summed.
    pub(crate) is_summed: bool,
    pub(crate) maps: MapOptions,
    pub(crate) event: Option<String>,
    /// Limit of memory for inputs that are read as a whole; the default of formats if `None`.
    pub(crate) max_memory: Option<u64>,
    pub(crate) files: ModuleFiles,
}

/// What was wrong with a profile, and what has no place in it: a line each, and their number.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) lines: Vec<String>,
    /// How many parts were malformed.
    pub(crate) malformed: u64,
    /// Records that the recorder lost.
    pub(crate) lost: u64,
}

impl Notes {
    fn say(&mut self, what: impl Display) {
        self.lines.push(what.to_string());
    }

    /// Notes a malformed line.
    fn line(&mut self, error: &dyn Error) {
        self.malformed = self.malformed.saturating_add(1);
        if self.malformed <= MAX_NOTED {
            self.say(error);
        }
    }

    pub(crate) fn flaws(&mut self, flaws: &Flaws) {
        for (what, count) in flaws.iter() {
            self.malformed = self.malformed.saturating_add(count);
            self.say(format_args!("malformed: {count} {what}"));
        }
        for (what, count) in flaws.left_out() {
            self.say(format_args!("left out: {count} {what}"));
        }
        for (what, count) in flaws.changed() {
            self.say(format_args!("changed: {count} {what}"));
        }
    }

    fn count(&mut self, count: u64, what: &str) {
        if count > 0 {
            self.say(format_args!("{count} {what}"));
        }
    }
}

/// Reads a profile. Returns it with its format and the notes.
pub(crate) fn run(path: &Path, options: ProfileReading) -> Result<(Profile, u32, Notes)> {
    let of_path = |error: &(dyn Error + 'static)| Failure::of(path.display(), error);
    let mut notes = Notes::default();
    if path.is_dir() {
        let profile = recording(path, options, &mut notes)?;
        return Ok((profile, BACKSIGHT_FORMAT_PERF, notes));
    }
    let file = File::open(path).map_err(|error| of_path(&error))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let begin = input.fill_buf().map_err(|error| of_path(&error))?;
    let format = of_input(path, options.format, begin)?;
    let mut limits = pprof::Limits::default();
    if let Some(bytes) = options.max_memory {
        limits = limits.with_memory(bytes);
    }
    let whole =
        |read: Result<(Profile, Flaws), pprof::Error>| read.map_err(|error| of_path(&error));
    let (profile, flaws) = match format {
        BACKSIGHT_FORMAT_PERF => {
            return Ok((recording(path, options, &mut notes)?, format, notes));
        }
        BACKSIGHT_FORMAT_NDJSON => {
            let profile = lines(path, input, options.is_summed, &mut notes)?;
            (profile, Flaws::default())
        }
        BACKSIGHT_FORMAT_FOLDED => {
            let read = folded::read(input, |error| notes.line(error));
            read.map_err(|error| of_path(&error))?
        }
        BACKSIGHT_FORMAT_LEGACY => {
            let read = legacy::read(input, |error| notes.line(error));
            read.map_err(|error| of_path(&error))?
        }
        BACKSIGHT_FORMAT_PERF_SCRIPT => {
            let read = perf_script::read(input, options.is_summed, |error| notes.line(error));
            read.map_err(|error| of_path(&error))?
        }
        BACKSIGHT_FORMAT_SPEEDSCOPE => whole(speedscope::read(input, &limits))?,
        BACKSIGHT_FORMAT_CPUPROFILE => whole(cpuprofile::read(input, &limits))?,
        BACKSIGHT_FORMAT_PERFETTO => whole(perfetto::read(input, &limits))?,
        _ => whole(pprof::read(input, &limits))?,
    };
    let more = notes.malformed.saturating_sub(MAX_NOTED);
    notes.count(more, "more malformed lines");
    notes.flaws(&flaws);
    Ok((profile, format, notes))
}

/// Reads a recording of perf, whose files are found as the options say.
fn recording(path: &Path, options: ProfileReading, notes: &mut Notes) -> Result<Profile> {
    let of_path = |error: &(dyn Error + 'static)| Failure::of(path.display(), error);
    let all = recording_files(path).map_err(|error| of_path(&error))?;
    let all = all.into_iter().map(|(path, file)| {
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        (path, input)
    });
    let of_recording = RecordingOptions::default()
        .with_maps(options.maps.with_recording(path))
        .with_summed(options.is_summed)
        .with_event(options.event);
    let input = Recording::NamedFiles(all.collect());
    let opened = PerfData::open(input, of_recording, options.files);
    let mut reader = opened.map_err(|error| of_path(&error))?;
    while reader.advance() {}
    let unproven = reader.unproven();
    let (files, places) = (unproven.files, unproven.places);
    if files > 0 {
        notes.say(format_args!(
            "recorded elsewhere, without build IDs of {files} files: {places} addresses in them \
             get no functions, because nothing proves which files they were"
        ));
    }
    let finished = reader.finish();
    for cut in finished.cut_short() {
        let path = cut.path().unwrap_or(path).display();
        notes.malformed = notes.malformed.saturating_add(1);
        notes.say(format_args!("{path}: {}", cut.error()));
    }
    if let Some(stacks) = &finished.not_walked {
        let machine = stacks.machine.as_deref().unwrap_or("an unnamed machine");
        let count = stacks.stacks;
        let what = format!("stacks of {machine} were recorded as memory and cannot be unwound");
        notes.count(count, &what);
    }
    notes.count(
        finished.problems.late,
        "records came too late to be sorted by time",
    );
    notes.count(
        finished.not_chosen,
        "samples are of events that are not chosen",
    );
    notes.count(finished.lost, "records were lost by perf");
    notes.count(finished.throttled, "times the kernel throttled sampling");
    notes.lost = finished.lost;
    notes.flaws(&finished.problems.flaws);
    Ok(finished.profile)
}

fn lines(path: &Path, input: impl BufRead, is_summed: bool, notes: &mut Notes) -> Result<Profile> {
    let mut reader = ProfileReader::new(is_summed);
    for item in ndjson::Reader::new(input) {
        let taken = match item {
            Ok((line, record)) => reader
                .take(record)
                .map_err(|cause| ndjson::Error::Malformed { line, cause }),
            Err(error @ ndjson::Error::Malformed { .. }) => Err(error),
            Err(error) => return Err(Failure::of(path.display(), &error)),
        };
        if let Err(error) = taken {
            notes.line(&error);
        }
    }
    Ok(reader.into_profile())
}
