//! The rows of a comparison.

use std::io::Write;

use backsight_report::{Change, Difference, RowKind};
use serde_json::json;

use crate::failure::Result;
use crate::report::{RecordWriter, ReportFormat};
use crate::screen::Screen;

/// Writes the rows that changed most.
pub(super) fn write(
    difference: &Difference,
    by: RowKind,
    limit: usize,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    match format {
        ReportFormat::Text => text(difference, by, limit, screen, out),
        _ => records(difference, difference.rows.iter().take(limit), format, out),
    }
}

fn text(
    difference: &Difference,
    by: RowKind,
    limit: usize,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let dim = screen.palette.module;
    let title = by.as_str();
    writeln!(
        out,
        "{dim}{:>9} {:>9} {:>9} {:>9}  {title}{dim:#}",
        "before", "after", "self", "total"
    )?;
    let is_changed = |row: &Change| {
        [row.own, row.total].into_iter().any(|amounts| {
            let [before, after] = difference.shares(amounts);
            (after - before).abs() > f64::EPSILON
        })
    };
    if !difference.rows.iter().any(is_changed) {
        writeln!(out, "nothing changed")?;
        return Ok(());
    }
    let room = screen.columns().saturating_sub(42).max(8);
    for row in difference.rows.iter().take(limit) {
        let [before, after] = difference.shares(row.own).map(|share| share * 100.0);
        let [all_before, all_after] = difference.shares(row.total).map(|share| share * 100.0);
        let (own, total) = (after - before, all_after - all_before);
        let style = match own {
            it if it >= 0.005 => screen.palette.missing,
            it if it <= -0.005 => screen.palette.good,
            _ => screen.palette.module,
        };
        let name = screen.text(&row.name);
        let name = screen.cut_row(by, &name, room);
        write!(out, "{before:>8.2}% {after:>8.2}% ")?;
        write!(out, "{style}{own:>+9.2}{style:#} {total:>+9.2}  {name}")?;
        if let Some(module) = &row.module {
            let file = module.rsplit('/').next().unwrap_or_default();
            write!(out, "  {dim}({}){dim:#}", screen.text(file))?;
        }
        writeln!(out)?;
    }
    let more = difference.rows.len().saturating_sub(limit);
    if more > 0 {
        writeln!(out, "{more} more rows (-n)")?;
    }
    Ok(())
}

fn records<'r>(
    difference: &Difference,
    rows: impl Iterator<Item = &'r Change>,
    format: ReportFormat,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = RecordWriter::new(format, out);
    let [whole_before, whole_after] = difference.whole;
    if format == ReportFormat::Json {
        let head = [
            ("schema_version", json!(1)),
            ("whole_before", json!(whole_before)),
            ("whole_after", json!(whole_after)),
        ];
        writer.row("diff", &head)?;
    }
    for row in rows {
        let [own_before, own_after] = row.own;
        let [total_before, total_after] = row.total;
        let record = [
            ("name", json!(row.name)),
            ("module", json!(row.module)),
            ("self_before", json!(own_before)),
            ("self_after", json!(own_after)),
            ("total_before", json!(total_before)),
            ("total_after", json!(total_after)),
        ];
        writer.row("change", &record)?;
    }
    Ok(())
}
