//! `backsight convert`: a captured profile from one format to another.
//!
//! ```text
//!   input ──▶ Profile ──▶ frames ──▶ output
//!            (places)    (names)
//! ```

mod flame_graph;
pub(crate) mod format;
pub(crate) mod read;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};

use backsight_types::profile::{Location, Profile};
use clap::ValueEnum;

use crate::failure::{Done, Failure, Result};
use crate::file::Shown;
use crate::output;
use crate::progress::Progress;
use crate::symbolize::{self, Symbols};

use format::{Input, Output};

/// Turn a captured profile into another format, with functions and lines
///
/// The formats go by the files' names and what is in them: perf.data in; NDJSON
/// (.ndjson), pprof (.pb.gz), OpenTelemetry's profiles (.otlp) and folded stacks
/// (.folded) in and out; the Firefox Profiler's JSON (.json) and flame graphs (.svg) out.
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// What to read; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,

    /// What to write, whole or not at all; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The format of the input, whatever its name is
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<Input>,

    /// The format of the output, whatever its name is
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<Output>,

    /// Which of several values the samples are weighed by, where the format has room for
    /// one: `cpu-clock`, `alloc_space`, … [default: what the input shows first]
    #[arg(long, value_name = "NAME")]
    sample_type: Option<String>,

    /// What folded stacks and flame graphs begin with
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    lead: Lead,

    /// Leave out functions and lines that the input does not have itself
    #[arg(long)]
    no_symbols: bool,

    #[command(flatten)]
    symbols: Symbols,

    /// Exit with 3 when an address has no frame, or a part of the input is malformed
    #[arg(long)]
    strict: bool,
}

/// What folded stacks begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Lead {
    /// The name of the process
    #[default]
    Process,
    /// The name of the thread, and both IDs
    Thread,
    /// The first function
    None,
}

impl From<Lead> for backsight_formats::folded::Lead {
    fn from(lead: Lead) -> Self {
        match lead {
            Lead::Process => Self::Process,
            Lead::Thread => Self::Thread,
            Lead::None => Self::None,
        }
    }
}

impl Convert {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let to = Output::of(&self.output, self.to)?;
        self.symbols.use_jobs()?;
        if !self.no_symbols {
            self.symbols.check();
        }
        let (mut profile, malformed) = read::run(&self.input, self.from, !to.has_time())?;
        if let Some(name) = &self.sample_type {
            choose_type(&mut profile, name)?;
        }
        if !self.no_symbols {
            let _shown = Progress::step("looking functions up");
            symbolize::profile::run(&mut profile, &self.symbols);
        }
        let lead = self.lead.into();
        if self.output == Path::new("-") {
            write::run(&profile, to, lead, out)?;
        } else {
            let _shown = Progress::step("writing");
            output::replace(&self.output, |mut out| {
                let done = write::run(&profile, to, lead, &mut out);
                done.map_err(|failure| match failure {
                    Failure::Failed(cause) => Failure::of(Shown(&self.output), cause),
                    other => other,
                })
            })?;
        }
        let has_gap = |location: &&Location| {
            location.reason.is_some() && profile.frames_of(location).is_empty()
        };
        let gaps = profile.locations.iter().filter(has_gap).count();
        let gaps = u64::try_from(gaps).unwrap_or(u64::MAX);
        Ok(Done::under(self.strict, malformed.saturating_add(gaps)))
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
