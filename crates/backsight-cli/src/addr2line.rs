//! `backsight addr2line`: symbolize a file in the words of binutils.
//!
//! Its flags have a subcommand of their own because two of their letters, `-i` and
//! `-p`, take a file and a process in `symbolize`, and a letter whose meaning hangs
//! on another one is a trap (docs/decisions/0005).

use std::io::Write;
use std::path::PathBuf;

use crate::debug_files::DebugFiles;
use crate::failure::{Done, Result};
use crate::input::Addresses;
use crate::sink::{Layout, Sink};
use crate::symbolize::{AddrKind, Listing, Symbols, elf};

/// Turn addresses of a file into lines, in the words of binutils' addr2line
///
/// Flags and listing are those of addr2line, so that a script can call
/// `backsight addr2line` in its place. The addresses are ELF virtual offsets, as nm
/// prints them.
#[derive(Debug, clap::Args)]
pub(crate) struct Addr2line {
    #[command(flatten)]
    addresses: Addresses,

    /// The ELF file
    #[arg(short = 'e', long = "exe", value_name = "ELF", default_value = "a.out")]
    elf: PathBuf,

    #[command(flatten)]
    listing: Listing,

    /// Show the functions into which the code was inlined, too
    #[arg(short, long)]
    inlines: bool,

    /// Put each function and its place on one line
    #[arg(short, long)]
    pretty_print: bool,

    #[command(flatten, next_help_heading = "Beyond addr2line")]
    debug_files: DebugFiles,

    /// Say on standard error where files were looked for, and why those that were there did
    /// not count
    #[arg(long, help_heading = "Beyond addr2line")]
    verbose: bool,

    /// Exit with 3 when an address has no function and no line, or a line of input
    /// is malformed
    #[arg(long, help_heading = "Beyond addr2line")]
    strict: bool,
}

impl Addr2line {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let style = self.listing.style(self.inlines, self.pretty_print);
        let mut sink = Sink::new(out, Layout::Addr2line(style));
        let symbols = Symbols::of(self.debug_files, self.verbose);
        symbols.check();
        // As addr2line: without addresses they come on standard input.
        let addresses = self.addresses.or_stdin();
        let malformed = elf::run(&self.elf, AddrKind::Virtual, addresses, &symbols, &mut sink)?;
        Ok(Done::under(self.strict, malformed + sink.unresolved))
    }
}
