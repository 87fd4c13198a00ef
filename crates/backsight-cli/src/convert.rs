//! `backsight convert`: a captured profile from one format to another.
//!
//! ```text
//!   input ──▶ Profile ──▶ frames ──▶ output
//!            (places)    (names)
//! ```

mod demangled;
mod flame_graph;
mod format;
mod open;
mod paths;
mod perf_data;
mod read;
mod recording;
mod shown;
mod text_event;
mod write;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use backsight::account::Tally;
use backsight::{MapsOf, ProfileSymbolizer};
use backsight_formats::ndjson::{HeaderLine, ProfileWriter};
use backsight_formats::pprof;
use backsight_profile::{Location, Profile};
use clap::ValueEnum;

use crate::account::{self, Said};
use crate::args::parse_size;
use crate::debug_files::DebugFiles;
use crate::failure::{Done, Failure, Result, complain};
use crate::file::{Shown, is_same};
use crate::output;
use crate::progress::Progress;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::Accounted;
use crate::tool::TOOL;

use demangled::Demangled;
use paths::Paths;
use read::{How, Told};

pub(crate) use format::{Input, Output};

/// Turn a captured profile into another format, with functions and lines
///
/// The formats go by the files' names and what is in them: perf.data and the text of
/// perf script in; NDJSON (.ndjson), pprof (.pb.gz), OpenTelemetry's profiles (.otlp) and
/// folded stacks (.folded) in and out; the Firefox Profiler's JSON (.json) and flame
/// graphs (.svg) out.
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    paths: Paths,

    /// The format of the input, whatever its name is
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<Input>,

    /// The format of the output, whatever its name is
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<Output>,

    /// Which of several values the samples are weighed by, where the format has room for
    /// one: `cpu-clock`, `alloc_space`, … [default: what the input shows first]. Of a
    /// recording of perf each event has two: how many samples (`samples`; `cycles-samples` beside others), and
    /// what they stand for (`cpu-clock`: nanoseconds, `cycles`: cycles)
    #[arg(long, value_name = "NAME")]
    sample_type: Option<String>,

    /// Of what perf recorded or printed, the event whose samples are taken, with its modifiers or
    /// without: `cycles`, `cycles:u`, `cpu_core/cycles/` [default: all, and the one with
    /// the most samples where the output has room for one]. Which value they are weighed by
    /// is another question: --sample-type
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// What folded stacks and flame graphs begin with
    #[arg(long, alias = "lead", value_enum, value_name = "WHAT", default_value_t)]
    root_frame: RootFrame,

    /// Leave out functions and lines that the input does not have itself
    #[arg(long)]
    no_symbols: bool,

    /// Functions are looked up elsewhere, but for those that only this machine can name.
    #[arg(skip)]
    is_handed_on: bool,

    #[command(flatten)]
    symbols: Symbols,

    /// The memory that an input may take which is unpacked as a whole: pprof,
    /// OpenTelemetry
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = parse_size)]
    max_memory: u64,

    /// Exit with 3 when an address has no frame, or a part of the input is malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: Said,
}

/// What folded stacks begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RootFrame {
    /// The name of the process
    #[default]
    Process,
    /// The name of the thread, and both IDs
    Thread,
    /// The first function
    None,
}

impl From<RootFrame> for backsight_formats::folded::RootFrame {
    fn from(root_frame: RootFrame) -> Self {
        match root_frame {
            RootFrame::Process => Self::Process,
            RootFrame::Thread => Self::Thread,
            RootFrame::None => Self::None,
        }
    }
}

impl Convert {
    /// `normalize -i`: for sending off, where nothing is to be looked up.
    pub(crate) fn without_symbols(
        input: PathBuf,
        from: Option<Input>,
        output: Option<PathBuf>,
        to: Output,
        strict: bool,
        debug_files: DebugFiles,
    ) -> Self {
        Self {
            paths: Paths::new(input, output.unwrap_or_else(|| PathBuf::from("-"))),
            from,
            to: Some(to),
            sample_type: None,
            event: None,
            root_frame: RootFrame::default(),
            no_symbols: true,
            is_handed_on: true,
            symbols: Symbols::of(debug_files, false),
            max_memory: pprof::Limits::default().memory,
            strict,
            account: Said::default(),
        }
    }

    /// Says what it came to as asked for.
    pub(crate) fn saying(self, account: Said) -> Self {
        Self { account, ..self }
    }

    /// With the samples of this event alone.
    pub(crate) fn of_event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let (input, output) = self.paths.both()?;
        let to = Output::of(output, self.to)?;
        check_place(output, input)?;
        self.symbols.use_jobs()?;
        if !self.no_symbols {
            self.symbols.check();
        }
        let mut tally = Tally::default();
        let (
            profile,
            Told {
                malformed,
                left_out,
            },
        ) = match to {
            Output::Ndjson => self.streamed(input, output, &mut tally, out)?,
            _ => self.whole(to, input, output, &mut tally, out)?,
        };
        let account = tally.account(&profile, left_out, !self.no_symbols);
        let value = shown::value(&profile).filter(|_| to.has_one_type());
        account::say(&account, self.account.when(), &profile, value.as_deref());
        // Samples whose first value is 0 count for none; NDJSON has addresses alone as well.
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
        Ok(Done::under(self.strict, malformed.saturating_add(gaps)))
    }

    /// What is new is written as it comes, so that memory does not grow with the input
    /// where its format is streamed.
    fn streamed(
        &self,
        input: &Path,
        output: &Path,
        tally: &mut Tally,
        out: &mut impl Write,
    ) -> Result<(Profile, Told)> {
        let how = self.how(false);
        let mut places = (!self.no_symbols).then(|| self.places(&how));
        let mut demangled = Demangled::default();
        to_output(output, out, |out| {
            let mut writer = ProfileWriter::new(&HeaderLine::new(TOOL), out);
            let read = read::in_pieces(input, &how, |profile| {
                self.choose_type(profile)?;
                if let Some(places) = &mut places {
                    demangled.look_at(profile);
                    places.look_up(profile);
                    demangled.skip(profile);
                }
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
    ) -> Result<(Profile, Told)> {
        let how = self.how(!to.has_time());
        let (mut profile, mut told) = read::run(input, &how)?;
        self.choose_type(&mut profile)?;
        if to.has_one_type() && self.sample_type.is_none() {
            let shown = profile.default_type.unwrap_or_default();
            let shown = usize::try_from(shown).unwrap_or_default();
            if let Some(what) = shown::left_out(&profile, shown) {
                let way_out = "--sample-type shows others, and of a recording --event";
                complain(format_args!("{}: {what} ({way_out})", Shown(input)));
            }
        }
        if !self.no_symbols {
            let _shown = Progress::step("looking functions up");
            Demangled::default().look_at(&mut profile);
            self.places(&how).look_up(&mut profile);
        }
        let shown = profile.default_type.unwrap_or_default();
        let shown = usize::try_from(shown).ok().filter(|_| to.has_one_type());
        let others = tally.take(&profile, shown);
        told.left_out
            .add("samples of values that are not shown", others);
        let _shown = Progress::step("writing");
        to_output(output, out, |mut out| {
            let done = write::run(&profile, to, self.root_frame.into(), &mut out);
            done.map_err(|failure| match failure {
                Failure::Failed(cause) => Failure::of(Shown(output), cause),
                other => other,
            })
        })?;
        Ok((profile, told))
    }

    fn how(&self, summed: bool) -> How<'_> {
        How {
            from: self.from,
            event: self.event.as_deref(),
            summed,
            max_memory: self.max_memory,
            // They matter without symbols too.
            files: self.symbols.files(),
            maps: match self.no_symbols && !self.is_handed_on {
                true => MapsOf::Nobody,
                false => self.symbols.maps_of(),
            },
        }
    }

    fn places(&self, how: &How<'_>) -> Accounted<ProfileSymbolizer> {
        Accounted::new(ProfileSymbolizer::new(how.files.clone()), &self.symbols)
    }

    fn choose_type(&self, profile: &mut Profile) -> Result<()> {
        match &self.sample_type {
            Some(name) => choose_type(profile, name),
            None => Ok(()),
        }
    }
}

/// What is written takes the place of what stands there: that must not be what is read.
fn check_place(output: &Path, input: &Path) -> Result<()> {
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
    // `perf record --threads` leaves a folder.
    let inside = fs::read_dir(input).into_iter().flatten().flatten();
    let inside = inside.filter_map(|entry| entry.path().metadata().ok());
    let mut read = input.metadata().ok().into_iter().chain(inside);
    match read.any(|read| is_same(&there, &read)) {
        true => Err(Failure::of(
            Shown(output),
            "would replace what is read: name another file",
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

fn choose_type(profile: &mut Profile, wanted: &str) -> Result<()> {
    let kinds = profile.sample_types.iter();
    let kinds: Vec<&str> = kinds
        .map(|of| profile.strings.get(of.kind).unwrap_or_default())
        .collect();
    let at = kinds.iter().position(|kind| *kind == wanted);
    let Some(at) = at.and_then(|at| u32::try_from(at).ok()) else {
        let cause = if kinds.is_empty() {
            "the input says of no value what it counts".to_owned()
        } else {
            format!("the input has {}", kinds.join(", "))
        };
        return Err(Failure::of(format_args!("--sample-type {wanted}"), cause));
    };
    profile.default_type = Some(at);
    Ok(())
}
