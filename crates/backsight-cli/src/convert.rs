//! `backsight convert`: converts a profile from one format to another.
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

use crate::account::{self, AccountFlags};
use crate::args::{parse_percent, parse_size};
use crate::debug_files::DebugFiles;
use crate::failure::{Done, Failure, Result, complain};
use crate::file::{Shown, is_same};
use crate::jit_maps::JitMaps;
use crate::output;
use crate::progress::Progress;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::Accounted;
use crate::tool::TOOL;

use demangled::Demangled;
use paths::Paths;
use read::{InputOptions, ReadReport};

pub(crate) use format::{InputFormat, Output};
pub(crate) use shown::{left_out as left_out_by, value as shown_value};
pub(crate) use write::run as write_profile;

/// Convert a profile to another format, with functions and lines
///
/// Formats are recognized by file name and content. Input: perf.data and the text of perf
/// script. Input and output: NDJSON (.ndjson), pprof (.pb.gz), OpenTelemetry profiles (.otlp)
/// and folded stacks (.folded). Output: Firefox Profiler JSON (.json) and flame graphs (.svg).
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    paths: Paths,

    /// The format of the input; overrides its name and content
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<InputFormat>,

    /// The format of the output; overrides its name
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<Output>,

    /// Which value of the samples to use, for formats with room for one: `cpu-clock`,
    /// `alloc_space`, … [default: the one that the input marks as its default]. In a recording of
    /// perf, each event has two: the number of samples (`samples`, or `cycles-samples` if there
    /// are several events), and the sum of their periods (`cpu-clock` in nanoseconds, `cycles`)
    #[arg(long, value_name = "NAME")]
    sample_type: Option<String>,

    /// Take only the samples of this event of a perf recording or of perf script, with its
    /// modifiers or without: `cycles`, `cycles:u`, `cpu_core/cycles/` [default: all events, or
    /// the one with the most samples if the output has room for one]. The value of its samples
    /// is chosen with --sample-type
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// The root frame of folded stacks and flame graphs
    #[arg(long, alias = "lead", value_enum, value_name = "WHAT", default_value_t)]
    root_frame: RootFrameArg,

    /// Do not look up functions and lines; keep only those that the input has
    #[arg(long)]
    no_symbols: bool,

    /// Functions are looked up elsewhere, but for those that only this machine can name.
    #[arg(skip)]
    is_handed_on: bool,

    #[command(flatten)]
    symbols: Symbols,

    /// With --debuginfod, fetch files of modules alone that at least so many percent of the
    /// samples wait for, those that most wait for first. Outputs that are written while the input
    /// is read (ndjson) fetch all
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = parse_percent)]
    #[arg(requires = "debuginfod")]
    min_share: f64,

    /// Limit of memory for an input that is decompressed as a whole: pprof, OpenTelemetry
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = parse_size)]
    max_memory: u64,

    /// Exit with code 3 if an address has no frame, or a part of the input is malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: AccountFlags,
}

/// The root frame of folded stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RootFrameArg {
    /// The name of the process
    #[default]
    Process,
    /// The name of the thread, and both IDs
    Thread,
    /// No extra frame: stacks start with their outermost function
    None,
}

impl From<RootFrameArg> for backsight_formats::folded::RootFrame {
    fn from(root_frame: RootFrameArg) -> Self {
        match root_frame {
            RootFrameArg::Process => Self::Process,
            RootFrameArg::Thread => Self::Thread,
            RootFrameArg::None => Self::None,
        }
    }
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
            from,
            to: Some(to),
            sample_type: None,
            event: None,
            root_frame: RootFrameArg::default(),
            no_symbols: true,
            is_handed_on: true,
            symbols: Symbols::of(debug_files, false),
            min_share: 0.0,
            max_memory: pprof::Limits::default().memory,
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
        let symbols = self.symbols.with_jit_maps(jit_maps);
        Self { symbols, ..self }
    }

    /// Takes only the samples of this event.
    pub(crate) fn with_event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let (input, output) = self.paths.both()?;
        let to = Output::of(output, self.to)?;
        check_not_input(output, input)?;
        self.symbols.use_jobs()?;
        let checked = match self.no_symbols {
            true => self.symbols.check_debug_files(),
            false => self.symbols.check(),
        };
        let mut tally = Tally::default();
        let (
            profile,
            ReadReport {
                malformed,
                left_out,
            },
        ) = match to {
            Output::Ndjson => self.streamed(input, output, &mut tally, out)?,
            _ => self.whole(to, input, output, &mut tally, out)?,
        };
        let account = tally.account(&profile, left_out, !self.no_symbols);
        let value = shown::value(&profile).filter(|_| to.has_one_type());
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
        let options = self.read_options(false);
        let mut symbolizer = (!self.no_symbols).then(|| self.symbolizer(&options));
        let mut demangled = Demangled::default();
        to_output(output, out, |out| {
            let mut writer = ProfileWriter::new(&HeaderLine::new(TOOL), out);
            let read = read::in_pieces(input, &options, |profile| {
                self.choose_type(profile)?;
                if let Some(symbolizer) = &mut symbolizer {
                    demangled.demangle_new(profile);
                    symbolizer.look_up(profile);
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
    ) -> Result<(Profile, ReadReport)> {
        // Which files are worth fetching is known when all samples are read.
        self.symbols.debuginfod().hold();
        let options = self.read_options(!to.has_time());
        let (mut profile, mut report) = read::run(input, &options)?;
        self.choose_type(&mut profile)?;
        if to.has_one_type() && self.sample_type.is_none() {
            let shown = profile.default_type.unwrap_or_default();
            let shown = usize::try_from(shown).unwrap_or_default();
            if let Some(what) = shown::left_out(&profile, shown) {
                let way_out = "choose another with --sample-type, or for a recording with --event";
                complain(format_args!("{}: {what} ({way_out})", Shown(input)));
            }
        }
        if !self.no_symbols {
            let _shown = Progress::step("looking up functions");
            Demangled::default().demangle_new(&mut profile);
            let mut symbolizer = self.symbolizer(&options);
            symbolizer.look_up_all(&mut profile, self.min_share);
        }
        let shown = profile.default_type.unwrap_or_default();
        let shown = usize::try_from(shown).ok().filter(|_| to.has_one_type());
        let others = tally.take(&profile, shown);
        report
            .left_out
            .add("samples of values that are not shown", others);
        let _shown = Progress::step("writing");
        to_output(output, out, |mut out| {
            let done = write::run(&profile, to, self.root_frame.into(), &mut out);
            done.map_err(|failure| match failure {
                Failure::Failed(cause) => Failure::of(Shown(output), cause),
                other => other,
            })
        })?;
        Ok((profile, report))
    }

    fn read_options(&self, summed: bool) -> InputOptions<'_> {
        InputOptions {
            from: self.from,
            event: self.event.as_deref(),
            summed,
            max_memory: self.max_memory,
            // Build IDs and segments are read from files even without symbols.
            files: self.symbols.files(),
            maps: match self.no_symbols && !self.is_handed_on {
                true => MapsOf::Nobody,
                false => self.symbols.maps_of(),
            },
        }
    }

    fn symbolizer(&self, options: &InputOptions<'_>) -> Accounted<ProfileSymbolizer> {
        Accounted::new(ProfileSymbolizer::new(options.files.clone()), &self.symbols)
    }

    fn choose_type(&self, profile: &mut Profile) -> Result<()> {
        match &self.sample_type {
            Some(name) => choose_type(profile, name),
            None => Ok(()),
        }
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

fn choose_type(profile: &mut Profile, wanted: &str) -> Result<()> {
    let kinds = profile.sample_types.iter();
    let kinds: Vec<&str> = kinds
        .map(|of| profile.strings.get(of.kind).unwrap_or_default())
        .collect();
    let at = kinds.iter().position(|kind| *kind == wanted);
    let Some(at) = at.and_then(|at| u32::try_from(at).ok()) else {
        let cause = if kinds.is_empty() {
            "the input does not name its values".to_owned()
        } else {
            format!("the input has {}", kinds.join(", "))
        };
        return Err(Failure::of(format_args!("--sample-type {wanted}"), cause));
    };
    profile.default_type = Some(at);
    Ok(())
}
