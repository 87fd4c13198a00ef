//! Profiles are read, with notes on what was wrong or is left out.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::{self, ProfileReader};
use backsight_formats::{cpuprofile, folded, legacy, perf_script, perfetto, pprof, speedscope};
use backsight_profile::Profile;

use crate::capture::{PerfData, Recording, RecordingOptions, recording_files};
use crate::find::ModuleFiles;
use crate::jit::options::MapOptions;
use crate::proven_offsets::correct_virt_offsets;

use super::error::ProfileFileError;
use super::format::ProfileFormat;
use super::notes::ProfileNotes;
use super::options::ProfileFileOptions;

const BUFFER_BYTES: usize = 1 << 18;

type Result<T, E = ProfileFileError> = std::result::Result<T, E>;

/// Reads a profile, whose files are found by `files`. Returns it with its format and the notes.
pub(super) fn run(
    path: &Path,
    options: &ProfileFileOptions,
    files: &ModuleFiles,
) -> Result<(Profile, ProfileFormat, ProfileNotes)> {
    let mut notes = ProfileNotes::default();
    if path.is_dir() {
        let profile = recording(path, options, files, &mut notes)?;
        return Ok((profile, ProfileFormat::Perf, notes));
    }
    let file = File::open(path).map_err(of(path))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let begin = input.fill_buf().map_err(of(path))?;
    let format = format_of(path, options, begin)?;
    let mut limits = pprof::Limits::default();
    if let Some(bytes) = options.max_memory {
        limits = limits.with_memory(bytes);
    }
    let whole = |read: Result<(Profile, Flaws), pprof::Error>| read.map_err(of(path));
    let is_summed = !options.times;
    let (profile, flaws) = match format {
        ProfileFormat::Perf => {
            return Ok((recording(path, options, files, &mut notes)?, format, notes));
        }
        ProfileFormat::Ndjson => {
            let profile = lines(path, input, is_summed, &mut notes)?;
            (profile, Flaws::default())
        }
        ProfileFormat::Folded => {
            let read = folded::read(input, |error| notes.line(error));
            read.map_err(of(path))?
        }
        ProfileFormat::Legacy => {
            let read = legacy::read(input, |error| notes.line(error));
            read.map_err(of(path))?
        }
        ProfileFormat::PerfScript => {
            let read = perf_script::read(input, is_summed, |error| notes.line(error));
            read.map_err(of(path))?
        }
        ProfileFormat::Speedscope => whole(speedscope::read(input, &limits))?,
        ProfileFormat::Cpuprofile => whole(cpuprofile::read(input, &limits))?,
        ProfileFormat::Perfetto => {
            let (mut profile, flaws) = whole(perfetto::read(input, &limits))?;
            let corrected = correct_virt_offsets(&mut profile, files);
            let what = "addresses with a wrong load bias were corrected by their files";
            notes.count(corrected, what);
            (profile, flaws)
        }
        _ => whole(pprof::read(input, &limits))?,
    };
    notes.more_lines();
    notes.flaws(&flaws);
    Ok((profile, format, notes))
}

/// Says which file an error is about.
fn of<E: Into<Box<dyn Error + Send + Sync>>>(path: &Path) -> impl Fn(E) -> ProfileFileError {
    move |error| ProfileFileError::of(path.display(), error)
}

/// Returns the format that is asked for, or that the file has.
fn format_of(path: &Path, options: &ProfileFileOptions, begin: &[u8]) -> Result<ProfileFormat> {
    let format = match options.format {
        Some(asked) if asked.is_read() => asked,
        Some(asked) => {
            let what = format!("{} is written alone", asked.as_str());
            return Err(ProfileFileError::UnknownFormat(what));
        }
        None => ProfileFormat::of_input(path, begin).ok_or_else(|| {
            ProfileFileError::UnknownFormat(format!(
                "{}: its format is not recognized by content or name: set `format`",
                path.display()
            ))
        })?,
    };
    match &options.event {
        Some(event) if format != ProfileFormat::Perf => Err(ProfileFileError::Option(format!(
            "{}: event {event}: events are those of a recording of perf",
            path.display()
        ))),
        _ => Ok(format),
    }
}

/// Reads a recording of perf, whose files are found as the options say.
fn recording(
    path: &Path,
    options: &ProfileFileOptions,
    files: &ModuleFiles,
    notes: &mut ProfileNotes,
) -> Result<Profile> {
    let all = recording_files(path).map_err(of(path))?;
    let all = all.into_iter().map(|(path, file)| {
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        (path, input)
    });
    let maps = MapOptions::default().with_maps_of(options.maps);
    let of_recording = RecordingOptions::default()
        .with_maps(maps.with_recording(path))
        .with_summed(!options.times)
        .with_event(options.event.clone());
    let input = Recording::NamedFiles(all.collect());
    let opened = PerfData::open(input, of_recording, files.clone());
    let mut reader = opened.map_err(of(path))?;
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

fn lines(
    path: &Path,
    input: impl BufRead,
    is_summed: bool,
    notes: &mut ProfileNotes,
) -> Result<Profile> {
    let mut reader = ProfileReader::new(is_summed);
    for item in ndjson::Reader::new(input) {
        let taken = match item {
            Ok((line, record)) => reader
                .take(record)
                .map_err(|cause| ndjson::Error::Malformed { line, cause }),
            Err(error @ ndjson::Error::Malformed { .. }) => Err(error),
            Err(error) => return Err(of(path)(error)),
        };
        if let Err(error) = taken {
            notes.line(&error);
        }
    }
    Ok(reader.into_profile())
}
