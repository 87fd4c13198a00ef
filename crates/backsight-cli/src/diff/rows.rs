//! The rows of a comparison.

use std::io::Write;

use backsight_report::{Change, Difference, RowKind};
use serde_json::json;

use super::normalize::NormalizeArg;
use crate::columns::columns_of;
use crate::failure::Result;
use crate::report::{RecordWriter, ReportFormat};
use crate::screen::Screen;

/// Writes the rows that changed most.
pub(super) fn write(
    difference: &Difference,
    normalize: NormalizeArg,
    by: RowKind,
    limit: usize,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    match format {
        ReportFormat::Text => text(difference, normalize, by, limit, screen, out),
        _ => {
            let rows = difference.rows.iter().take(limit);
            records(difference, normalize, rows, format, out)
        }
    }
}

/// Screens with fewer columns have no room for modules.
const MIN_WIDE: usize = 80;

/// How much of a name is shown at least where there are modules.
const MIN_NAME_WIDTH: usize = 16;

/// Screens with fewer columns have no room for the shares before, which follow from the others.
const MIN_WITH_BEFORE: usize = 60;

fn text(
    difference: &Difference,
    normalize: NormalizeArg,
    by: RowKind,
    limit: usize,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let dim = screen.palette.module;
    let title = by.as_str();
    let has_before = screen.columns() >= MIN_WITH_BEFORE;
    if normalize != NormalizeArg::Total {
        writeln!(out, "{dim}% of {}{dim:#}", normalize.percent_of())?;
    }
    write!(out, "{dim}")?;
    if has_before {
        write!(out, "{:>9} ", "before")?;
    }
    // Of the own share it tells how it changed.
    let is_narrow = screen.is_narrow();
    let [after, own, total] = ["after", "self", "total"];
    match is_narrow {
        true => writeln!(out, "{own:>7} {title}{dim:#}")?,
        false => writeln!(out, "{after:>9} {own:>9} {total:>9}  {title}{dim:#}")?,
    }
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
    let before_name = match has_before {
        true => 41,
        false if is_narrow => 8,
        false => 31,
    };
    let room = screen.columns().saturating_sub(before_name);
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
        // A name is shown before its module is.
        let of_modules = room.saturating_sub(MIN_NAME_WIDTH + 4).min(24);
        let module = module.map(|module| screen.cut(&module, of_modules).into_owned());
        let of_module = module.as_deref().map_or(0, |it| columns_of(it) + 4);
        let name = screen.text(&row.name);
        let name = screen.cut_row(by, &name, room.saturating_sub(of_module));
        if has_before {
            write!(out, "{before:>8.2}% ")?;
        }
        match is_narrow {
            true => write!(out, "{style}{own:>+7.2}{style:#} {name}")?,
            false => {
                write!(out, "{after:>8.2}% ")?;
                write!(out, "{style}{own:>+9.2}{style:#} {total:>+9.2}  {name}")?;
            }
        }
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
    normalize: NormalizeArg,
    rows: impl Iterator<Item = &'r Change>,
    format: ReportFormat,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = RecordWriter::new(format, out);
    let [whole_before, whole_after] = difference.whole;
    if format == ReportFormat::Json {
        let head = [
            ("schema_version", json!(1)),
            ("normalize", json!(normalize.as_str())),
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
