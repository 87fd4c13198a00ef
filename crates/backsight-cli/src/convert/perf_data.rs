//! Reads a `perf` recording, and reports its problems.

use std::fmt;
use std::io::{Read, Seek};
use std::path::Path;

use backsight::account::LeftOut;
use backsight::{
    ModuleFiles, NotWalked, PerfData, Recording, RecordingError, RecordingOptions, Unproven,
};
use backsight_formats::escape::Terminal;
use backsight_formats::perf_data::{self, Problems};
use backsight_profile::Profile;

use crate::failure::{Failure, Result, complain};
use crate::file::Shown;

/// Reads a recording. After each piece, `drain` gets the profile with the new samples and may
/// take them out.
pub(super) fn read(
    path: &Path,
    input: Recording<impl Read + Seek>,
    options: RecordingOptions,
    files: ModuleFiles,
    mut drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<(Profile, Problems, LeftOut)> {
    let opened = PerfData::open(input, options, files);
    let mut recording = opened.map_err(|error| failed(path, error))?;
    while recording.advance() {
        drain(recording.profile_mut())?;
    }
    report_unproven(path, recording.unproven());
    drain(recording.profile_mut())?;
    let finished = recording.finish();
    let say = |what: &dyn fmt::Display| complain(format_args!("{}: {what}", Shown(path)));
    for file in finished.cut_short() {
        let (path, end) = (file.path().unwrap_or(path), file.error());
        complain(format_args!("{}: {end}", Shown(path)));
    }
    if let Some(stacks) = &finished.not_walked {
        say(&not_walked(stacks));
    }
    let problems = finished.problems;
    if problems.late > 0 {
        say(&format_args!(
            "{} records came too late to be sorted by time",
            problems.late
        ));
    }
    let mut left_out = LeftOut::default();
    let what = "samples of events that are not chosen";
    left_out.add(what, finished.not_chosen);
    left_out.add_other("records that perf lost", finished.lost);
    left_out.add_other(
        "times that the kernel throttled sampling",
        finished.throttled,
    );
    left_out.ends = finished.ends;
    left_out.maps = finished.maps;
    Ok((finished.profile, problems, left_out))
}

fn failed(path: &Path, error: RecordingError) -> Failure {
    match error {
        RecordingError::NoSuchEvent { wanted, events } => {
            let others = format_args!("the recording has {}", events.join(", "));
            Failure::of(format_args!("--event {wanted}"), others)
        }
        RecordingError::Read(error) => {
            let path = Shown(error.path().unwrap_or(path));
            match error.error() {
                perf_data::Error::Io(error) => Failure::io(path, error),
                error @ perf_data::Error::NotPerfData => {
                    Failure::of(path, format_args!("{error}: give its format with --from"))
                }
                error @ perf_data::Error::Malformed(_) => {
                    Failure::of(path, format_args!("{error}: record or copy it again"))
                }
                error => Failure::of(path, error),
            }
        }
        // Opening a file gives errors that name it, and this is given open files.
        other => Failure::Failed(other.to_string()),
    }
}

/// Returns a message on stacks recorded as memory that were not unwound.
fn not_walked(stacks: &NotWalked) -> String {
    let name = stacks.machine.as_deref();
    let name = name.unwrap_or("an unnamed machine");
    let whose = match stacks.is_32_bit {
        true => format!("32-bit code on {name}"),
        false => name.to_owned(),
    };
    let count = stacks.stacks;
    format!(
        "{count} stacks were recorded as memory of {whose}, which cannot be unwound here: they \
         keep the frames that the recording has"
    )
}

/// Reports files whose identity is not proven: those of another machine without build IDs, and
/// those accepted by path all the same.
fn report_unproven(name: &Path, unproven: &Unproven) {
    let Unproven { files, places, .. } = unproven;
    if *files > 0 {
        let host = unproven.hostname.as_deref().unwrap_or("another machine");
        let host = Terminal(host.as_bytes());
        complain(format_args!(
            "{}: recorded on {host}, without build IDs of {files} files: {places} addresses in \
             them get no functions, because nothing proves which files they were. Record with \
             --buildid-mmap, or use the files at their paths unproven with --trust-paths",
            Shown(name)
        ));
    }
    if unproven.by_path_alone > 0 {
        complain(format_args!(
            "{}: {} files were accepted by path alone (--trust-paths)",
            Shown(name),
            unproven.by_path_alone
        ));
    }
}
