//! The flags of `addr2line` that say what its listing shows.

use backsight_formats::addr2line_text::Style;

/// Flags that `symbolize` and `addr2line` spell alike. The two others have letters
/// that mean something else in `symbolize`.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "As addr2line")]
pub(crate) struct Listing {
    /// Begin with the address
    #[arg(short, long)]
    addresses: bool,

    /// Name the function before its file and line
    #[arg(short, long)]
    functions: bool,

    /// Name functions as people wrote them, not as the linker needs them
    #[arg(short = 'C', long)]
    demangle: bool,

    /// Show files without their directories
    #[arg(short = 's', long)]
    basenames: bool,
}

impl Listing {
    /// Returns the style, with the two flags that each command spells its own way.
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
