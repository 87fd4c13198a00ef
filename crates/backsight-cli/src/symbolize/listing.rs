//! The flags of `addr2line` that control its output.

use backsight_formats::addr2line_text::Style;

/// The flags that `symbolize` and `addr2line` spell the same. The letters of the two others have
/// another meaning in `symbolize`.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "As addr2line")]
pub(crate) struct Listing {
    /// Print the address first
    #[arg(short, long)]
    addresses: bool,

    /// Print the function before its file and line
    #[arg(short, long)]
    functions: bool,

    /// Demangle function names
    #[arg(short = 'C', long)]
    demangle: bool,

    /// Print file names without directories
    #[arg(short = 's', long)]
    basenames: bool,
}

impl Listing {
    /// Returns the style, including the two flags that each command spells differently.
    pub(crate) fn style(self, inlines: bool, pretty: bool) -> Style {
        Style {
            addresses: self.addresses,
            functions: self.functions,
            inlines,
            pretty,
            basenames: self.basenames,
            demangle: self.demangle,
        }
    }
}
