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

/// Screens with fewer columns have no room for modules.
const MIN_WIDE: usize = 80;

/// Screens with fewer columns have no room for the shares before, which follow from the others.
const MIN_WITH_BEFORE: usize = 60;

fn text(
    difference: &Difference,
    by: RowKind,
    limit: usize,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let dim = screen.palette.module;
    let title = by.as_str();
    let has_before = screen.columns() >= MIN_WITH_BEFORE;
    write!(out, "{dim}")?;
    if has_before {
        write!(out, "{:>9} ", "before")?;
    }
    let [after, own, total] = ["after", "self", "total"];
    writeln!(out, "{after:>9} {own:>9} {total:>9}  {title}{dim:#}")?;
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
    let before_name = if has_before { 42 } else { 32 };
    let room = screen.columns().saturating_sub(before_name).max(8);
    for row in difference.rows.iter().take(limit) {
        let [before, after] = difference.shares(row.own).map(|share| share * 100.0);
        let [all_before, all_after] = difference.shares(row.total).map(|share| share * 100.0);
        let (own, total) = (after - before, all_after - all_before);
        let style = match own {
            it if it >= 0.005 => screen.palette.missing,
            it if it <= -0.005 => screen.palette.good,
            _ => screen.palette.module,
        };
        let module = row.module.as_deref();
        let module = module.filter(|_| screen.columns() >= MIN_WIDE);
        let module = module.map(|path| screen.text(path.rsplit('/').next().unwrap_or_default()));
        let of_module = module.as_deref().map_or(0, |it| it.chars().count() + 4);
        let name = screen.text(&row.name);
        let name = screen.cut_row(by, &name, room.saturating_sub(of_module).max(8));
        if has_before {
            write!(out, "{before:>8.2}% ")?;
        }
        write!(out, "{after:>8.2}% ")?;
        write!(out, "{style}{own:>+9.2}{style:#} {total:>+9.2}  {name}")?;
        if let Some(module) = module {
            write!(out, "  {dim}({module}){dim:#}")?;
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
