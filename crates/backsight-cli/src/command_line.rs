//! The command line: the subcommands, and the sections that `--help` adds at the end.

use clap::{CommandFactory, Parser};

use crate::{
    addr2line, annotate, buildid, completions, convert, demo, diff, doctor, guide, index, inspect,
    man, maps, normalize, record, report, stack, store, symbolize, top, view,
};

/// Convert raw stack addresses of Linux processes to functions and lines
///
/// Exit codes: 0 success, 1 failure, 2 wrong usage, 3 with --strict if an address is unresolved
/// or a line of input is malformed.
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
    Stack(stack::StackCommand),
    Convert(convert::Convert),
    Record(record::Record),
    Report(report::ReportCommand),
    Annotate(annotate::Annotate),
    View(view::View),
    Top(top::Top),
    Diff(diff::Diff),
    Addr2line(addr2line::Addr2line),
    #[command(name = "buildid")]
    BuildId(buildid::BuildIdCommand),
    Index(index::Index),
    Inspect(inspect::Inspect),
    Store(store::StoreCommand),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
    /// The process that `demo` inspects
    #[command(hide = true)]
    DemoChild,
    /// The process that becomes the command of `record`
    #[command(hide = true)]
    RecordLaunched(record::Launched),
}

/// Returns the clap command with the additional help sections.
pub(crate) fn whole() -> clap::Command {
    guide::add_to(Backsight::command())
}
