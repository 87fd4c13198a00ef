//! `backsight symbolize`: converts addresses to functions, files and lines.

pub(crate) mod accounted;
mod addr_kind;
mod captured;
pub(crate) mod elf;
mod kernel;
mod listing;
mod process;
mod symbols;

use std::io::Write;
use std::path::PathBuf;

use backsight_formats::addr2line_text::Style;
use clap::ValueEnum;

use crate::account::AccountFlags;
use crate::args::{AutoOrNever, Pids, all_pids, check_proc_root, parse_pids};
use crate::failure::{Done, Failure, Result};
use crate::input::Addresses;
use crate::palette::Palette;
use crate::sink::{Layout, Sink};

pub(crate) use addr_kind::AddrKindArg;
pub(crate) use listing::Listing;
pub(crate) use process::{LiveProcess, failed};
pub(crate) use symbols::Symbols;

/// Convert addresses to functions, files and lines, including inlined functions
///
/// Every address gets an answer, in the order given: its frames, innermost first; or at least
/// its module and offset, and the reason why there are no frames.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Symbolize {
    /// A live process. Without addresses: where each of its threads is, which stops none
    /// (`backsight stack` prints their whole stacks); several processes may be given: `-p 1,2`,
    /// `-p 1 2`, `-p $(pidof name)`
    #[arg(short, long, value_name = "PID", value_parser = parse_pids, group = "source")]
    pid: Vec<Pids>,

    /// An ELF file; the addresses are in this file
    #[arg(short, long, value_name = "ELF", group = "source")]
    elf: Option<PathBuf>,

    /// The kernel that runs here, which lists its addresses for root (CAP_SYSLOG). ROOT is the
    /// directory with its proc, sys, boot and lib, such as /host in a sidecar. Lines come from
    /// vmlinux and the .ko files, or their debug files
    #[arg(long, value_name = "ROOT", num_args = 0..=1, require_equals = true, group = "source")]
    #[arg(default_missing_value = "/")]
    kernel: Option<PathBuf>,

    /// The output of `backsight normalize --format json`, from this or another host; `-` reads
    /// it from standard input
    #[arg(short, long, value_name = "NORMALIZED", group = "source")]
    input: Option<PathBuf>,

    #[command(flatten)]
    addresses: Addresses,

    /// The kind of addresses for -e
    #[arg(long, value_enum, default_value_t, requires = "elf")]
    addr_kind: AddrKindArg,

    #[command(flatten)]
    symbols: Symbols,

    /// Where to find processes instead of /proc, such as /host/proc in a sidecar
    #[arg(long, value_name = "DIR", conflicts_with_all = ["elf", "input", "kernel"])]
    proc_root: Option<PathBuf>,

    /// Whether text of a file that the program moved to memory without a file, such as huge
    /// pages, is taken as that file's, and marked as inferred
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    #[arg(conflicts_with_all = ["elf", "input"])]
    remapped_text: AutoOrNever,

    /// How to print the answers [default: text; with a flag of addr2line, addr2line]
    #[arg(long, value_enum)]
    format: Option<SymbolizeFormat>,

    /// Exit with code 3 if an address has no frame, or a line is malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: AccountFlags,

    #[command(flatten)]
    listing: Listing,

    /// Also show the functions into which the code was inlined (addr2line's -i)
    #[arg(long, conflicts_with = "no_inlines", help_heading = "As addr2line")]
    inlines: bool,

    /// Print each function and its location on one line (addr2line's -p)
    #[arg(long, help_heading = "As addr2line")]
    pretty_print: bool,
}

/// The format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SymbolizeFormat {
    /// Text for reading, including inlined functions
    Text,
    /// NDJSON, one object per line; documented, and stable within a schema_version
    Json,
    /// The format of binutils' addr2line, controlled by its flags
    Addr2line,
}

impl Symbolize {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        self.symbols.use_jobs()?;
        let checked = self.symbols.check();
        if self.input.is_none() && !self.account.is_default() {
            let message = "--account and --quiet apply only to a capture (-i)";
            return Err(Failure::Usage(message.to_owned()));
        }
        if self.elf.is_some() && self.symbols.vmlinux().is_some() {
            let message = "--vmlinux has no effect with -e, which names the file";
            return Err(Failure::Usage(message.to_owned()));
        }
        // Without addresses, the threads of a process are listed, and a capture has its own.
        if self.elf.is_some() || self.kernel.is_some() {
            self.addresses.check_given()?;
        }
        let mut sink = Sink::new(out, self.layout()?);
        let malformed = if let Some(input) = &self.input {
            if !self.addresses.is_empty() || self.addresses.stack {
                let message =
                    "-i reads addresses from the capture: give neither addresses nor --stack";
                return Err(Failure::Usage(message.to_owned()));
            }
            captured::run(input, &self.symbols, self.account.when(), &mut sink)?
        } else if let Some(elf) = &self.elf {
            elf::run(
                elf,
                self.addr_kind,
                self.addresses,
                &self.symbols,
                &mut sink,
            )?
        } else if let Some(root) = &self.kernel {
            kernel::run(root, self.addresses, &self.symbols, &mut sink)?
        } else {
            // clap requires one of the four.
            let processes = process::Processes {
                pids: all_pids(&self.pid),
                proc_root: self.proc_root,
                remapped_text: self.remapped_text,
                symbols: &self.symbols,
            };
            check_proc_root(processes.proc_root.as_deref())?;
            let (done, malformed) = processes.run(self.addresses, &mut sink)?;
            if done != Done::Fully {
                return Ok(done.and(checked));
            }
            malformed
        };
        Ok(Done::under(self.strict, malformed + sink.unresolved).and(checked))
    }

    /// Returns the output format. A flag of addr2line selects its format; with another format it
    /// would have no effect, which is an error.
    fn layout(&self) -> Result<Layout> {
        let style = self.listing.style(self.inlines, self.pretty_print);
        let flagged = style != Style::default();
        match self.format {
            Some(SymbolizeFormat::Addr2line) => Ok(Layout::Addr2line(style)),
            None if flagged => Ok(Layout::Addr2line(style)),
            Some(_) if flagged => {
                let message = "-a, -f, -C, -s, --inlines and --pretty-print apply only to the format of \
                               addr2line: omit --format or these flags";
                Err(Failure::Usage(message.to_owned()))
            }
            Some(SymbolizeFormat::Json) => Ok(Layout::Json),
            Some(SymbolizeFormat::Text) | None => Ok(Layout::Text(Palette::of_stdout())),
        }
    }
}
