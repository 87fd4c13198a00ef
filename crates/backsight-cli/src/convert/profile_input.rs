//! The profile that a command reads, and which part of it.

use std::path::Path;

use backsight::account::Tally;
use backsight::{Demangled, MapsOf, ModuleFiles, ProfileSymbolizer};
use backsight_formats::pprof;
use backsight_profile::Profile;
use backsight_report::NamePattern;

use super::filter_flags::FilterFlags;
use super::format::InputFormat;
use super::read::{self, InputOptions, ReadReport};
use super::shown;
use super::unfiltered::Unfiltered;
use crate::args::{parse_percent, parse_size};
use crate::debug_files::DebugFiles;
use crate::failure::{Failure, Result, complain};
use crate::fetchers::Fetchers;
use crate::file::Shown;
use crate::jit_maps::JitMaps;
use crate::progress::Progress;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::Accounted;

/// How a profile is read and symbolized.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ProfileInput {
    /// The format of the input; overrides its name and content
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<InputFormat>,

    /// Which value of the samples to use, where there is room for one: `cpu-clock`,
    /// `alloc_space`, … [default: the one that the input marks as its default]. In a recording of
    /// perf, each event has two: the number of samples (`samples`, or `cycles-samples` if there
    /// are several events), and the sum of their periods (`cpu-clock` in nanoseconds, `cycles`)
    #[arg(long, value_name = "NAME")]
    sample_type: Option<String>,

    /// Take only the samples of this event of a perf recording or of perf script, with its
    /// modifiers or without: `cycles`, `cycles:u`, `cpu_core/cycles/` [default: all events, or
    /// the one with the most samples where there is room for one]. The value of its samples
    /// is chosen with --sample-type
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// Do not look up functions and lines; keep only those that the input has
    #[arg(long)]
    no_symbols: bool,

    /// Functions are looked up elsewhere, but for those that only this machine can name.
    #[arg(skip)]
    is_handed_on: bool,

    /// Symbols are written for the trace that is read.
    #[arg(skip)]
    is_for_trace: bool,

    #[command(flatten)]
    symbols: Symbols,

    #[command(flatten)]
    filter: FilterFlags,

    /// With --debuginfod or --bucket, fetch files of modules alone that at least so many percent
    /// of the samples wait for, those that most wait for first. Outputs that are written while
    /// the input is read (ndjson) fetch all
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = parse_percent)]
    #[arg(requires = "fetchers")]
    min_share: f64,

    /// Limit of memory for an input that is read as a whole: pprof, OpenTelemetry, speedscope's
    /// and V8's JSON, the stacks of a trace of Perfetto
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = parse_size)]
    max_memory: u64,
}

impl ProfileInput {
    /// An input whose functions are looked up elsewhere.
    pub(super) fn handed_on(from: Option<InputFormat>, debug_files: DebugFiles) -> Self {
        Self {
            from,
            sample_type: None,
            event: None,
            no_symbols: true,
            is_handed_on: true,
            is_for_trace: false,
            symbols: Symbols::of(debug_files, false),
            filter: FilterFlags::default(),
            min_share: 0.0,
            max_memory: pprof::Limits::default().memory,
        }
    }

    /// Reads the lists of names of code that was made at run time of these users.
    pub(super) fn with_jit_maps(self, jit_maps: JitMaps) -> Self {
        let symbols = self.symbols.with_jit_maps(jit_maps);
        Self { symbols, ..self }
    }

    /// Takes only the samples of this event.
    pub(super) fn with_event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    /// Returns where the files of modules in this input are found.
    pub(crate) fn files_of(&self, input: &Path) -> ModuleFiles {
        self.symbols.files_of(input)
    }

    /// The servers and buckets that are asked for files.
    pub(crate) fn fetchers(&self) -> &Fetchers {
        self.symbols.fetchers()
    }

    /// Returns which modules samples are taken of, if not of all.
    pub(crate) fn module(&self) -> Option<&NamePattern> {
        self.filter.module.as_ref()
    }

    /// Returns the expression of the functions that samples are taken of, if not of all.
    pub(crate) fn function(&self) -> Option<&NamePattern> {
        self.filter.function.as_ref()
    }

    /// Returns the flags that leave samples or frames out.
    pub(crate) fn filters_given(&self) -> Vec<&'static str> {
        self.filter.given()
    }

    /// Reads a trace of Perfetto without the names that its recorder had.
    pub(super) fn for_trace(&self) -> Self {
        Self {
            is_for_trace: true,
            ..self.clone()
        }
    }

    /// Whether the value of the samples that is used was named.
    pub(super) fn has_value_named(&self) -> bool {
        self.sample_type.is_some()
    }

    /// Returns the flag without which more functions are looked up, and what it leaves out.
    pub(crate) fn looks_up_less(&self) -> Option<&'static str> {
        match self.no_symbols {
            true => Some("with --no-symbols, functions are not looked up"),
            false => self.symbols.looks_up_less(),
        }
    }

    pub(crate) fn has_symbols(&self) -> bool {
        !self.no_symbols
    }

    /// Whether samples and frames are taken out, which is possible only in a whole profile.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filter.takes_all()
    }

    /// Sets how many threads work, and checks that the named files can be used.
    pub(crate) fn start(&self) -> Result {
        self.symbols.use_jobs()?;
        Ok(match self.no_symbols {
            true => self.symbols.check_debug_files(),
            false => self.symbols.check(),
        })
    }

    /// Reads a profile piece by piece with functions and lines, and hands it to `drain`, which may
    /// take the samples out.
    pub(super) fn in_pieces(
        &self,
        input: &Path,
        mut drain: impl FnMut(&mut Profile) -> Result<()>,
    ) -> Result<(Profile, ReadReport)> {
        let options = self.read_options(input, false);
        let mut symbolizer = (!self.no_symbols).then(|| self.symbolizer(&options));
        let mut demangled = Demangled::default();
        read::in_pieces(input, &options, |profile| {
            self.choose_type(profile)?;
            if let Some(symbolizer) = &mut symbolizer {
                demangled.demangle_new(profile);
                symbolizer.look_up(profile);
                demangled.skip(profile);
            }
            drain(profile)
        })
    }

    /// Reads a whole profile with functions and lines. With `has_one_type` for its format, its
    /// default value is the one that is used, and a message says which others there are. What is
    /// left out is added to the report.
    pub(crate) fn whole(
        &self,
        input: &Path,
        has_time: bool,
        has_one_type: impl FnOnce(Option<InputFormat>) -> bool,
        tally: &mut Tally,
    ) -> Result<(Profile, ReadReport)> {
        // Which files are worth fetching is known when all samples are read.
        self.symbols.fetchers().hold();
        let options = self.read_options(input, !has_time && !self.filter.needs_time());
        let (mut profile, mut report) = read::run(input, &options)?;
        let has_one_type = has_one_type(report.format);
        report.has_one_value = has_one_type;
        let not_waiting = self.filter.take_waiting(&mut profile)?;
        report.unfiltered = Unfiltered::of(&profile, &self.filter);
        if let Some(lacks) = self.filter.lacks_spaces(&profile) {
            complain(format_args!("{}: {lacks}", Shown(input)));
        }
        self.choose_type(&mut profile)?;
        if has_one_type && self.sample_type.is_none() {
            let shown = profile.default_type.unwrap_or_default();
            let shown = usize::try_from(shown).unwrap_or_default();
            let has_single = matches!(
                report.format,
                Some(InputFormat::Speedscope | InputFormat::Perfetto)
            );
            if let Some(what) = shown::left_out(&profile, shown, has_single) {
                let way_out = "choose another with --sample-type, or for a recording with --event";
                complain(format_args!("{}: {what} ({way_out})", Shown(input)));
            }
        }
        // What no condition on tasks and times takes needs no names.
        let filters = self.filter.of(&profile);
        let filters = filters.map_err(|failure| match failure {
            Failure::Failed(cause) => Failure::of(Shown(input), cause),
            other => other,
        })?;
        let unwanted = filters
            .tasks
            .apply(&mut profile)
            .saturating_add(not_waiting);
        if !self.no_symbols {
            let _shown = Progress::step("looking up functions");
            Demangled::default().demangle_new(&mut profile);
            let mut symbolizer = self.symbolizer(&options);
            symbolizer.look_up_all(&mut profile, self.min_share);
        }
        let unwanted = unwanted.saturating_add(filters.stacks.apply(&mut profile));
        report
            .left_out
            .add("samples that no filter takes", unwanted);
        let shown = profile.default_type.unwrap_or_default();
        let shown = usize::try_from(shown).ok().filter(|_| has_one_type);
        let others = tally.take(&profile, shown);
        report
            .left_out
            .add("samples of values that are not shown", others);
        Ok((profile, report))
    }

    fn read_options(&self, input: &Path, summed: bool) -> InputOptions<'_> {
        InputOptions {
            from: self.from,
            event: self.event.as_deref(),
            summed,
            max_memory: self.max_memory,
            is_for_trace: self.is_for_trace,
            // Build IDs and segments are read from files even without symbols.
            files: self.symbols.files_of(input),
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
