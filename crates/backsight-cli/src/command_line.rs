//! What can be typed: the subcommands, and what `--help` says at their ends.

use clap::{CommandFactory, Parser};

use crate::{
    addr2line, buildid, completions, convert, demo, doctor, guide, index, inspect, man, maps,
    normalize, symbolize,
};

/// Raw stack addresses of Linux processes to functions and lines
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 with --strict when an address is
/// unresolved or a line of input malformed.
#[derive(Debug, Parser)]
#[command(name = "backsight", version, arg_required_else_help = true)]
pub(crate) struct Backsight {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Maps(maps::Maps),
    Normalize(normalize::Normalize),
    Symbolize(symbolize::Symbolize),
    Convert(convert::Convert),
    Addr2line(addr2line::Addr2line),
    #[command(name = "buildid")]
    BuildId(buildid::BuildId),
    Index(index::Index),
    Inspect(inspect::Inspect),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
    /// The process that `demo` looks at
    #[command(hide = true)]
    DemoChild,
}

/// Returns the command with all that its help says.
pub(crate) fn whole() -> clap::Command {
    guide::add_to(Backsight::command())
}
