//! `backsight addr2line`: symbolizes addresses of a file, with the flags and output of binutils'
//! addr2line.
//!
//! It is a subcommand of its own because `symbolize` uses two of its letters, `-i` and `-p`, for
//! a file and a process. A letter must not change its meaning with another flag
//! (docs/decisions/0005).

use std::io::Write;
use std::path::PathBuf;

use crate::debug_files::DebugFiles;
use crate::failure::{Done, Result};
use crate::input::Addresses;
use crate::sink::{Layout, Sink};
use crate::symbol_files::SymbolFilesFlag;
use crate::symbolize::{AddrKindArg, Listing, Symbols, elf};

/// Convert addresses of a file to lines, with the flags and output of binutils' addr2line
///
/// Flags and output are those of addr2line, so that a script can call `backsight addr2line`
/// instead. The addresses are ELF virtual addresses, as nm prints them.
#[derive(Debug, clap::Args)]
pub(crate) struct Addr2line {
    #[command(flatten)]
    addresses: Addresses,

    /// The ELF file
    #[arg(short = 'e', long = "exe", value_name = "ELF", default_value = "a.out")]
    elf: PathBuf,

    #[command(flatten)]
    listing: Listing,

    /// Also show the functions into which the code was inlined
    #[arg(short, long)]
    inlines: bool,

    /// Print each function and its location on one line
    #[arg(short, long)]
    pretty_print: bool,

    #[command(flatten, next_help_heading = "Beyond addr2line")]
    debug_files: DebugFiles,

    #[command(flatten, next_help_heading = "Beyond addr2line")]
    symbol_files: SymbolFilesFlag,

    /// Print on standard error where files were looked for, and why files that were found were
    /// not used
    #[arg(long, help_heading = "Beyond addr2line")]
    verbose: bool,

    /// Exit with code 3 if an address has neither function nor line, or a line of input is
    /// malformed
    #[arg(long, help_heading = "Beyond addr2line")]
    strict: bool,
}

impl Addr2line {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let style = self.listing.style(self.inlines, self.pretty_print);
        let mut sink = Sink::new(out, Layout::Addr2line(style));
        let symbols = Symbols::of(self.debug_files, self.verbose);
        // addr2line's own -v shows its version.
        let symbols = symbols.with_verbose_flag("--verbose");
        let symbols = symbols.with_symbol_files(self.symbol_files);
        let checked = symbols.check();
        // As with addr2line, addresses are read from standard input if none are given.
        let addresses = self.addresses.or_stdin();
        let malformed = elf::run(
            &self.elf,
            AddrKindArg::Virtual,
            addresses,
            &symbols,
            &mut sink,
        )?;
        Ok(Done::under(self.strict, malformed + sink.unresolved).and(checked))
    }
}
