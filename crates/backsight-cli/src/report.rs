//! `backsight report`: lists what a profile is of.
//!
//! ```text
//!   input ──▶ Profile ──filters──▶ ReportTable | CallTree | CallNeighbours ──▶ text | NDJSON | CSV
//! ```

mod amount;
mod by;
mod format;
mod missing_function;
mod neighbours;
mod read_flags;
mod records;
mod rows;
mod shown_profile;
mod table_flags;
mod tree;

use std::io::Write;
use std::path::PathBuf;

use backsight_report::{CallNeighbours, CallTree, Direction, NamePattern, ReportTable};
use clap::ValueEnum;

use crate::args::parse_percent;
use crate::convert::{Unfiltered, parse_regex};
use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::screen::Screen;

use by::ByArg;

pub(crate) use amount::{Measured, percent};
pub(crate) use format::ReportFormat;
pub(crate) use read_flags::{ReadFlags, ReadProfile};
pub(crate) use records::Writer as RecordWriter;
pub(crate) use rows::{amounts, write as write_table, write_head};
pub(crate) use shown_profile::ShownProfile;
pub(crate) use table_flags::TableFlags;
pub(crate) use tree::begin_of_node;

/// List the hottest functions of a profile, who calls them, and what they call
///
/// Takes every input of `convert`, and filters as it does. `self` is the share of samples whose
/// innermost frame a row is, `total` that of samples in whose stack it is.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportCommand {
    /// The input file; `-` is standard input
    #[arg(value_name = "FILE", default_value = "perf.data")]
    input: PathBuf,

    /// What rows are sorted by [default: self]
    #[arg(long, value_enum, value_name = "WHAT")]
    sort: Option<SortArg>,

    /// Who calls the functions whose name matches
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    #[arg(conflicts_with_all = ["by", "sort", "tree"])]
    callers: Option<NamePattern>,

    /// What the functions whose name matches call
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    #[arg(conflicts_with_all = ["by", "sort", "tree"])]
    callees: Option<NamePattern>,

    /// Show who calls whom as a tree, from the outermost functions on
    #[arg(long, conflicts_with = "sort")]
    tree: bool,

    /// With --tree, start from the innermost functions
    #[arg(long, requires = "tree")]
    reverse: bool,

    /// With --tree, fold branches below so many percent
    /// [default: 1]
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent, requires = "tree")]
    fold: Option<f64>,

    #[command(flatten)]
    table: TableFlags,
}

/// Branches below so many percent are folded.
const FOLD: f64 = 1.0;

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortArg {
    /// The share of samples whose innermost frame it is
    #[value(name = "self")]
    Own,
    /// The share of samples in whose stack it is
    Total,
}

impl ReportCommand {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        self.check()?;
        let checked = self.table.read.start()?;
        let read = self
            .table
            .read
            .read(&self.input, self.table.by() != ByArg::Event)?;
        let shows = ShownProfile {
            profile: &read.profile,
            value: read.value,
            input: &self.input,
            measured: Measured::of(&read.profile, read.value),
        };
        self.table.show(out, |screen, mut out| {
            self.write(&shows, &read.unfiltered, screen, &mut out)
        })?;
        Ok(self.table.read.done(read.malformed, checked))
    }

    /// Checks that each flag has an effect on what is listed.
    fn check(&self) -> Result<()> {
        // clap does not ask for --tree where it is in conflict with another flag.
        let of_tree = [("--fold", self.fold.is_some()), ("--reverse", self.reverse)];
        let mut given = of_tree.into_iter().filter(|(_, is_given)| *is_given);
        if let Some((flag, _)) = given.next().filter(|_| !self.tree) {
            return Err(Failure::Usage(format!(
                "{flag} is for --tree, and has no effect on callers and callees"
            )));
        }
        let by = self.table.by();
        let is_of_tasks = matches!(by, ByArg::Thread | ByArg::Process);
        let cause = match by {
            ByArg::Event if self.tree => "--tree: an event has no stack of its own",
            ByArg::Event if self.sort.is_some() => "--sort: events stay in the order of the input",
            ByArg::Event if self.table.rows.is_some() => "-n: all events are listed",
            _ if is_of_tasks && self.tree => "--tree: threads do not call each other",
            _ if is_of_tasks && self.sort == Some(SortArg::Total) => {
                "--sort total: a thread has no total, as threads do not call each other"
            }
            _ => return Ok(()),
        };
        Err(Failure::Usage(format!(
            "--by {} has no place for {cause}",
            by.as_str()
        )))
    }

    fn write(
        &self,
        shows: &ShownProfile<'_>,
        unfiltered: &Unfiltered,
        screen: &Screen,
        out: &mut impl Write,
    ) -> Result<()> {
        let inlines = self.table.read.inlines();
        let limit = self.table.limit();
        let format = self.table.format();
        if self.callers.is_some() || self.callees.is_some() {
            for (regex, is_callers) in [(&self.callers, true), (&self.callees, false)] {
                let Some(regex) = regex else { continue };
                let found = CallNeighbours::of(shows.profile, shows.value, regex, inlines);
                if found.1.is_empty() {
                    let wanted = regex.to_string();
                    let read = &self.table.read;
                    let missing = read.missing(shows.profile, shows.value, &wanted, unfiltered);
                    let advice = missing.advice(|name| regex.is_match(name));
                    let cause = format!("no function in the samples matches {regex}{advice}");
                    return Err(Failure::of(Shown(shows.input), cause));
                }
                neighbours::write(shows, &found, is_callers, limit, format, screen, out)?;
            }
            return Ok(());
        }
        let Some(by) = self.table.by().of_rows() else {
            return rows::write_events(shows, format, screen, out);
        };
        if self.tree {
            let direction = match self.reverse {
                true => Direction::Callers,
                false => Direction::Callees,
            };
            let least = |whole| amount::part(whole, self.fold.unwrap_or(FOLD));
            let made = CallTree::of(shows.profile, shows.value, by, inlines, direction, least);
            // A tree is folded, and has all that is left, unless a number of nodes is asked for.
            let limit = self.table.rows.unwrap_or(usize::MAX);
            return tree::write(shows, &made, by, limit, format, screen, out);
        }
        let table = ReportTable::of(shows.profile, shows.value, by, inlines);
        let table = match self.sort {
            None | Some(SortArg::Own) => table,
            Some(SortArg::Total) => table.by_total(),
        };
        rows::write(shows, &table, by, limit, format, screen, out)
    }
}
