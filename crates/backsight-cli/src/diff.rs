//! `backsight diff`: compares two profiles.

mod compared_page;
mod decimal_places;
mod folded;
mod normalize;
mod rows;
mod signed;

use std::io::Write;
use std::path::PathBuf;

use backsight_report::Difference;

use crate::args::parse_percent;
use crate::convert::shown_value;
use crate::failure::{Done, Failure, Result, complain};
use crate::report::{Measured, ReadProfile, TableFlags};

use normalize::NormalizeArg;

/// Compare two profiles: which functions take a larger or smaller share
///
/// Takes every input of `convert`, and filters both as it does. Shares are of each profile's whole,
/// so recordings of different lengths can be compared; with --normalize, by time or by the values.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The profile to compare with
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The profile that is compared
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// Write stacks of both to FILE instead: `.folded` has two values on each line, before and
    /// after; `.svg` is a flame graph of AFTER, red where a share grew and blue where it shrank;
    /// `.html` is a page for a browser with the same colours; `.pb.gz` has both for go tool pprof, BEFORE with negative values, as its -diff_base has them
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How the values of both are made comparable [default: total]. Folded stacks have them as
    /// they are
    #[arg(long, value_enum, value_name = "HOW")]
    normalize: Option<NormalizeArg>,

    /// Compare values of different units, such as a time with a number
    #[arg(long)]
    any_units: bool,

    /// Exit with code 4 if the own share of a row grew by more than so many points
    #[arg(long, value_name = "POINTS", value_parser = parse_percent)]
    threshold: Option<f64>,

    #[command(flatten)]
    table: TableFlags,
}

/// The exit code where a row grew by more than the threshold.
const GREW: u8 = 4;

impl Diff {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        self.check()?;
        let normalize = self.normalize.unwrap_or_default();
        let Some(by) = self.table.by().of_rows() else {
            let message = "diff --by event: events are not compared; choose one with --event";
            return Err(Failure::Usage(message.to_owned()));
        };
        let checked = self.table.read.start()?;
        let mut before = self.table.read.read(&self.before, true)?;
        let mut after = self.table.read.read(&self.after, true)?;
        decimal_places::unite(&mut before, &mut after)?;
        self.check_same_value(&before, &after)?;
        let sides = [&before, &after].map(|side| (&side.profile, side.value));
        let [first, second] = sides;
        let difference = Difference::of(first, second, by, self.table.read.inlines());
        if difference.by_name_alone {
            let what = "only one of the profiles has modules: names alone tell what is the same";
            complain(format_args!("{what}"));
        }
        let wholes = difference.whole;
        let profiles = sides.map(|(profile, _)| profile);
        let scale = normalize.scale(profiles, wholes)?;
        let difference = difference.with_whole_before(normalize.whole_before(scale, wholes));
        match &self.output {
            Some(output) if signed::is_one(output) => signed::write(output, sides, scale)?,
            Some(output) if compared_page::is_page(output) => {
                let names = [&*self.before, &*self.after];
                compared_page::write(output, sides, difference.whole, names, normalize)?;
            }
            Some(output) => folded::write(output, sides, difference.whole, out)?,
            None => self.table.show(out, |screen, mut out| {
                let (limit, format) = (self.table.limit(), self.table.format());
                rows::write(&difference, normalize, by, limit, format, screen, &mut out)
            })?,
        }
        let malformed = before.malformed.saturating_add(after.malformed);
        let done = self.table.read.done(malformed, checked);
        Ok(match self.grew(&difference, normalize) {
            true => Done::Code(GREW).and(done),
            false => done,
        })
    }

    /// Checks that each flag has an effect on what is written.
    fn check(&self) -> Result<()> {
        let Some(output) = &self.output else {
            return Ok(());
        };
        let is_text =
            !signed::is_one(output) && !compared_page::is_page(output) && !folded::is_drawn(output);
        let has_rows = self.threshold.is_some();
        for (flag, is_given) in [
            ("--format", self.table.format.is_some()),
            ("-n", self.table.rows.is_some()),
            ("--by", self.table.by.is_some() && !has_rows),
            (
                "--normalize",
                self.normalize.is_some() && is_text && !has_rows,
            ),
        ] {
            if is_given {
                let what = "has no effect on the stacks that -o writes";
                return Err(Failure::Usage(format!("{flag} {what}")));
            }
        }
        Ok(())
    }

    /// Shares of different values can be compared, but that is hardly meant.
    fn check_same_value(&self, before: &ReadProfile, after: &ReadProfile) -> Result<()> {
        let [first, second] = [before, after].map(|side| shown_value(&side.profile));
        let (Some(first), Some(second)) = (first, second) else {
            return Ok(());
        };
        let units = [before, after].map(|side| Measured::of(&side.profile, side.value).unit);
        let what = format!("before is {first}, after is {second}: choose with --sample-type");
        match units {
            _ if first == second => {}
            [one, other] if one != other && !self.any_units => {
                let way_out = "or compare them as they are with --any-units";
                return Err(Failure::Failed(format!("{what}, {way_out}")));
            }
            _ => complain(format_args!("{what}")),
        }
        Ok(())
    }

    /// Says the rows that grew by more than the threshold. Returns whether there are any.
    fn grew(&self, difference: &Difference, normalize: NormalizeArg) -> bool {
        let Some(threshold) = self.threshold else {
            return false;
        };
        let mut any = false;
        for row in &difference.rows {
            let [before, after] = difference.shares(row.own).map(|share| share * 100.0);
            if after - before > threshold {
                any = true;
                let grew = format!("{before:.2} % to {after:.2} %");
                let of = normalize.percent_of();
                complain(format_args!(
                    "{} grew from {grew} of its own: % of {of}",
                    row.name
                ));
            }
        }
        any
    }
}
