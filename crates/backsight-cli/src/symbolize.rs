//! `backsight symbolize`: addresses to functions, files and lines.

mod captured;
mod elf;
mod find;
mod lookup;
mod process;

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::args::{Format, parse_pid};
use crate::failure::{Done, Failure, Result};
use crate::input::Addresses;
use crate::sink::Sink;

pub(crate) use process::Live;

/// Turn addresses into functions, files and lines, inlined functions included
///
/// Every address gets an answer, in the order given: its frames, innermost first,
/// or at least its module and offset, and the reason why there is no more.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Symbolize {
    /// A live process. Without addresses: where each of its threads stands
    #[arg(short, long, value_name = "PID", value_parser = parse_pid, group = "source")]
    pid: Option<u32>,

    /// An ELF file; the addresses are places in it
    #[arg(short, long, value_name = "ELF", group = "source")]
    elf: Option<PathBuf>,

    /// What `backsight normalize --format json` wrote, here or on another host; `-`
    /// reads it from standard input
    #[arg(short, long, value_name = "NORMALIZED", group = "source")]
    input: Option<PathBuf>,

    #[command(flatten)]
    addresses: Addresses,

    /// What the addresses of -e are
    #[arg(long, value_enum, default_value_t, requires = "elf")]
    addr_kind: AddrKind,

    #[command(flatten)]
    symbols: Symbols,

    /// How to write the answers
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Exit with 3 when an address has no frame, or a line is malformed
    #[arg(long)]
    strict: bool,
}

/// What an address of a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum AddrKind {
    /// An ELF virtual offset, as nm and objdump print it
    #[default]
    Virtual,
    /// A byte of the file
    Offset,
}

/// How symbols are looked up.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Symbols {
    /// Look here for separate debug files, as DIR/.build-id/xx/rest.debug, instead
    /// of in /usr/lib/debug; may be given several times
    #[arg(long, value_name = "DIR")]
    debug_dir: Vec<PathBuf>,

    /// Give only the functions that have code of their own, without those that were
    /// inlined there
    #[arg(long)]
    no_inlines: bool,

    /// Use this many threads [default: as many as there are processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

impl Symbols {
    fn options(&self) -> backsight_symbolize::Options {
        let mut options = backsight_symbolize::Options {
            inlines: !self.no_inlines,
            ..backsight_symbolize::Options::default()
        };
        if !self.debug_dir.is_empty() {
            options.debug_dirs.clone_from(&self.debug_dir);
        }
        options
    }
}

impl Symbolize {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        if let Some(jobs) = self.symbols.jobs {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs);
            pool.build_global()
                .map_err(|error| Failure::of(format_args!("-j {jobs}"), error))?;
        }
        let mut sink = Sink::new(out, self.format);
        let malformed = if let Some(input) = &self.input {
            if !self.addresses.is_empty() || self.addresses.stack {
                let message = "-i brings its own addresses: give none, and no --stack";
                return Err(Failure::Usage(message.to_owned()));
            }
            captured::run(input, &self.symbols, &mut sink)?
        } else if let Some(elf) = &self.elf {
            elf::run(
                elf,
                self.addr_kind,
                self.addresses,
                &self.symbols,
                &mut sink,
            )?
        } else {
            // clap lets nobody come here without one of the three.
            let pid = self.pid.unwrap_or_default();
            process::run(pid, self.addresses, &self.symbols, &mut sink)?
        };
        Ok(Done::under(self.strict, malformed + sink.unresolved))
    }
}
