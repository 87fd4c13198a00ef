//! The callers or callees of functions.

use std::io::Write;

use backsight_report::{CallNeighbours, Edge, RowKind};

use super::amount::percent;
use super::format::ReportFormat;
use super::shown_profile::ShownProfile;
use super::{records, rows};
use crate::failure::Result;
use crate::screen::Screen;

/// Writes the callers, or else the callees, of functions.
pub(super) fn write(
    shows: &ShownProfile<'_>,
    (whole, found): &(i64, Vec<CallNeighbours>),
    is_callers: bool,
    limit: usize,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    if format != ReportFormat::Text {
        return records::write_neighbours(shows, format, *whole, found, is_callers, limit, out);
    }
    rows::write_head(shows, *whole, screen, out)?;
    let dim = screen.palette.module;
    let bold = screen.palette.function;
    let named = |entry: &backsight_report::ReportEntry, before: usize| {
        let name = screen.text(&entry.name(shows.profile, RowKind::Function));
        let room = screen.columns().saturating_sub(before);
        screen.cut_name(&name, room).into_owned()
    };
    let is_narrow = screen.is_narrow();
    let arrow = match (is_callers, is_narrow) {
        (true, false) => "  from ",
        (false, false) => "    to ",
        (true, true) => " < ",
        (false, true) => " > ",
    };
    for of in found.iter().take(limit) {
        let total = percent(of.total, *whole);
        let own = percent(of.own, *whole);
        writeln!(out, "{bold}{}{bold:#}", named(&of.entry, 0))?;
        match is_narrow {
            true => writeln!(out, "{dim}{total:>7.2}% total\n{own:>7.2}% self{dim:#}")?,
            false => writeln!(
                out,
                "{dim}{total:>7.2}% of all samples, {own:.2}% in its own code{dim:#}"
            )?,
        }
        let edges = match is_callers {
            true => &of.callers,
            false => &of.callees,
        };
        for edge in edges.iter().take(limit) {
            let Edge { entry, amount, .. } = edge;
            let share = percent(*amount, *whole);
            let name = match (entry, is_callers) {
                (Some(entry), _) => named(entry, 8 + arrow.len()),
                (None, true) => "[no caller]".to_owned(),
                (None, false) => "[no callee]".to_owned(),
            };
            writeln!(out, "{share:>7.2}%{arrow}{name}")?;
        }
        let more = edges.len().saturating_sub(limit);
        if more > 0 {
            writeln!(out, "{:>8}  {more} more (-n)", "")?;
        }
        writeln!(out)?;
    }
    let more = found.len().saturating_sub(limit);
    if more > 0 {
        writeln!(out, "{more} more functions match (-n)")?;
    }
    Ok(())
}
