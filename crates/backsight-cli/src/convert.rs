//! `backsight convert`: converts a profile from one format to another.
//!
//! ```text
//!   input ──▶ Profile ──▶ frames ──▶ output
//!            (places)    (names)
//! ```

mod caption;
mod filter_flags;
mod flame_graph;
mod format;
mod open;
mod paths;
mod perf_data;
mod profile_input;
mod read;
mod recording;
mod shown;
mod stack_flags;
mod text_event;
mod trace_symbols;
mod unfiltered;
mod waits;
mod write;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use backsight::account::Tally;
use backsight_formats::ndjson::{HeaderLine, ProfileWriter};
use backsight_profile::{Location, Profile};

use crate::account::{self, AccountFlags};
use crate::debug_files::DebugFiles;
use crate::failure::{Done, Failure, Result, complain};
use crate::file::{Shown, is_same};
use crate::jit_maps::JitMaps;
use crate::output;
use crate::progress::Progress;
use crate::tool::TOOL;

use paths::Paths;

pub(crate) use filter_flags::parse_regex;
pub(crate) use flame_graph::drawable;
pub(crate) use format::{InputFormat, Output};
pub(crate) use profile_input::ProfileInput;
pub(crate) use read::ReadReport;
pub(crate) use shown::{left_out as left_out_by, value as shown_value};
pub(crate) use stack_flags::StackFlags;
pub(crate) use unfiltered::Unfiltered;
pub(crate) use waits::value as waits_value;
pub(crate) use write::run as write_profile;

/// Convert a profile to another format, with functions and lines
///
/// Formats are recognized by file name and content. Input: perf.data and the text of perf
/// script, the .cpuprofile of V8, and traces of Perfetto (.perfetto-trace, .pftrace). Input and output: NDJSON (.ndjson), pprof (.pb.gz),
/// OpenTelemetry profiles (.otlp), folded stacks (.folded) and speedscope's JSON
/// (.speedscope.json). Output: Firefox Profiler JSON (.json), flame graphs (.svg) and pages for
/// a browser (.html); for a trace of Perfetto its symbols (.perfetto-symbols), which
/// `cat TRACE SYMBOLS > SYMBOLIZED` appends to it.
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    paths: Paths,

    #[command(flatten)]
    profile: ProfileInput,

    /// The format of the output; overrides its name
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<Output>,

    #[command(flatten)]
    stacks: StackFlags,

    /// Exit with code 3 if an address has no frame, or a part of the input is malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: AccountFlags,
}

impl Convert {
    /// Returns the conversion that `normalize -i` runs: without looking up symbols.
    pub(crate) fn without_symbols(
        input: PathBuf,
        from: Option<InputFormat>,
        output: Option<PathBuf>,
        to: Output,
        strict: bool,
        debug_files: DebugFiles,
    ) -> Self {
        Self {
            paths: Paths::new(input, output.unwrap_or_else(|| PathBuf::from("-"))),
            profile: ProfileInput::handed_on(from, debug_files),
            to: Some(to),
            stacks: StackFlags::default(),
            strict,
            account: AccountFlags::default(),
        }
    }

    /// Sets the flags of the account.
    pub(crate) fn with_account(self, account: AccountFlags) -> Self {
        Self { account, ..self }
    }

    /// Reads the lists of names of code that was made at run time of these users.
    pub(crate) fn with_jit_maps(self, jit_maps: JitMaps) -> Self {
        let profile = self.profile.with_jit_maps(jit_maps);
        Self { profile, ..self }
    }

    /// Takes only the samples of this event.
    pub(crate) fn with_event(self, event: Option<String>) -> Self {
        let profile = self.profile.with_event(event);
        Self { profile, ..self }
    }

    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let (input, output) = self.paths.both()?;
        let to = Output::of(output, self.to)?;
        self.stacks.check(to)?;
        check_not_input(output, input)?;
        let checked = self.profile.start()?;
        let mut tally = Tally::default();
        let (
            profile,
            ReadReport {
                malformed,
                left_out,
                has_one_value,
                ..
            },
        ) = match to {
            Output::PerfettoSymbols => {
                let read = trace_symbols::read(&self.profile, input, &mut tally)?;
                to_output(output, out, |mut out| {
                    trace_symbols::write(input, &read, &mut out)
                })?;
                read
            }
            // Filters need all samples.
            Output::Ndjson if !self.profile.is_filtered() => {
                self.streamed(input, output, &mut tally, out)?
            }
            _ => self.whole(to, input, output, &mut tally, out)?,
        };
        let account = tally.account(&profile, left_out, self.profile.has_symbols());
        let value = shown::value(&profile).filter(|_| has_one_value);
        account::report(&account, self.account.when(), &profile, value.as_deref());
        // Samples whose first value is 0 count as none; NDJSON may have only addresses.
        let has_places = to == Output::Ndjson && !profile.locations.is_empty();
        if account.read == 0 && profile.stacks.is_empty() && !has_places {
            let nothing = shown::nothing(&profile);
            complain(format_args!(
                "{}: {nothing}: what is written has none",
                Shown(input)
            ));
        }
        let has_gap = |location: &&Location| {
            location.reason.is_some() && profile.frames_of(location).is_empty()
        };
        let gaps = profile.locations.iter().filter(has_gap).count();
        let gaps = u64::try_from(gaps).unwrap_or(u64::MAX);
        Ok(Done::under(self.strict, malformed.saturating_add(gaps)).and(checked))
    }

    /// Writes samples as they are read. With a streamed input format, memory does not grow with
    /// the input.
    fn streamed(
        &self,
        input: &Path,
        output: &Path,
        tally: &mut Tally,
        out: &mut impl Write,
    ) -> Result<(Profile, ReadReport)> {
        to_output(output, out, |out| {
            let mut writer = ProfileWriter::new(&HeaderLine::new(TOOL), out);
            let read = self.profile.in_pieces(input, |profile| {
                tally.take(profile, None);
                Ok(writer.drain(profile)?)
            })?;
            writer.flush()?;
            Ok(read)
        })
    }

    fn whole(
        &self,
        to: Output,
        input: &Path,
        output: &Path,
        tally: &mut Tally,
        out: &mut impl Write,
    ) -> Result<(Profile, ReadReport)> {
        // A file of speedscope has room for a profile of each value. In recordings, all values of
        // an event count the same samples.
        let has_all = |from: Option<InputFormat>| {
            let is_recorded = matches!(
                from,
                None | Some(InputFormat::Perf | InputFormat::PerfScript)
            );
            to == Output::Speedscope && !is_recorded && !self.profile.has_value_named()
        };
        let has_one_type = |from| to.has_one_type() && !has_all(from);
        let mut read = self
            .profile
            .whole(input, to.has_time(), has_one_type, tally)?;
        if self.profile.is_filtered() && read.0.samples.is_empty() {
            let left_out = std::mem::take(&mut read.1.left_out);
            let account = std::mem::take(tally).account(&read.0, left_out, false);
            account::report(&account, self.account.when(), &read.0, None);
            let why = read.1.unfiltered.why_nothing(&read.0);
            return Err(Failure::of(Shown(input), why));
        }
        let _shown = Progress::step("writing");
        to_output(output, out, |mut out| {
            let done = match read.1.format {
                Some(InputFormat::Speedscope) if to == Output::Speedscope => {
                    let all = !read.1.has_one_value;
                    write::speedscope_again(&read.0, all, &mut out)
                }
                _ if to == Output::Speedscope && !read.1.has_one_value => {
                    write::speedscope_of_all_values(&read.0, &mut out)
                }
                _ => write::run(&read.0, to, &self.stacks, &mut out),
            };
            done.map_err(|failure| match failure {
                Failure::Failed(cause) => Failure::of(Shown(output), cause),
                other => other,
            })
        })?;
        Ok(read)
    }
}

/// The output replaces an existing file, which must not be the input.
fn check_not_input(output: &Path, input: &Path) -> Result<()> {
    let input = match input == Path::new("-") {
        true => Path::new("/dev/stdin"),
        false => input,
    };
    let there = output
        .metadata()
        .ok()
        .filter(|it| it.is_file() && output != Path::new("-"));
    let Some(there) = there else {
        return Ok(());
    };
    // A recording of `perf record --threads` is a directory.
    let inside = fs::read_dir(input).into_iter().flatten().flatten();
    let inside = inside.filter_map(|entry| entry.path().metadata().ok());
    let mut read = input.metadata().ok().into_iter().chain(inside);
    match read.any(|read| is_same(&there, &read)) {
        true => Err(Failure::of(
            Shown(output),
            "is the input, which the output would replace: name another file",
        )),
        false => Ok(()),
    }
}

fn to_output<T>(
    output: &Path,
    out: &mut impl Write,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    if output == Path::new("-") {
        write(out)
    } else {
        output::replace(output, write)
    }
}
