//! A table of rows.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;

use backsight_profile::Profile;
use backsight_report::{ReportTable, RowKind, events};

use super::amount::{Measured, grouped, percent};
use super::format::ReportFormat;
use super::records;
use super::shown_profile::ShownProfile;
use crate::columns::{columns_of, left_of};
use crate::failure::Result;
use crate::screen::Screen;

/// The width of a bar that stands for all.
const BAR_WIDTH: usize = 10;

/// Below so many columns there are neither bars nor modules.
const MIN_WIDE: usize = 60;

/// How much of a name is shown at least where there are modules: these are cut before.
const MIN_NAME_WIDTH: usize = 16;

/// The width of a time with its blank, and below how many columns there is none in each row.
const TIME_WIDTH: usize = 9;
const MIN_WIDE_OF_TIMES: usize = 80;

/// Writes the first rows of a table.
pub(crate) fn write(
    shows: &ShownProfile<'_>,
    table: &ReportTable,
    by: RowKind,
    limit: usize,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    if format != ReportFormat::Text {
        let rows = table.rows.iter().take(limit);
        return records::write(shows, format, by, table.whole, rows, out);
    }
    write_head(shows, table.whole, screen, out)?;
    let is_wide = screen.columns() >= MIN_WIDE;
    let has_module = is_wide && matches!(by, RowKind::Function | RowKind::Line);
    let bar = if is_wide { BAR_WIDTH + 1 } else { 0 };
    // Threads and processes are not in each other's stacks.
    let has_total = !matches!(by, RowKind::Thread | RowKind::Process);
    // A narrow screen has room for the figure that rows are sorted by.
    let by_total = !table
        .rows
        .is_sorted_by_key(|row| Reverse(row.own.saturating_abs()));
    let has_own = !screen.is_narrow() || !has_total || !by_total;
    let has_total = has_total && (!screen.is_narrow() || by_total);
    let own_width = if has_own { 8 } else { 0 };
    let total = if has_total { 9 } else { 0 };
    // A share of a time is a time, too.
    let has_time = shows.measured.unit == "nanoseconds" && screen.columns() >= MIN_WIDE_OF_TIMES;
    let time = if has_time { TIME_WIDTH } else { 0 };
    let times = if has_total { 2 * time } else { time };
    let before = own_width + bar + total + times;
    let shown = table
        .rows
        .iter()
        .take(limit)
        .filter(|row| row.own != 0 || row.total != 0);
    let shown: Vec<_> = shown.collect();
    let module_of = |row: &backsight_report::ReportRow| -> String {
        let path = row.entry.module_name(shows.profile);
        let path = path.as_deref().unwrap_or_default();
        screen.text(path.rsplit('/').next().unwrap_or_default())
    };
    let shown_names = shown.iter().map(|row| row.entry.name(shows.profile, by));
    let shown_names: Vec<_> = shown_names.collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for name in &shown_names {
        let times = times.entry(name).or_default();
        *times = times.saturating_add(1);
    }
    // Of files of one name in several folders, the folders are shown.
    let placed = |row: &backsight_report::ReportRow, name: &str| {
        let is_one = times.get(name).is_none_or(|times| *times < 2);
        let placed = row.entry.placed_name.filter(|_| !is_one);
        placed.and_then(|at| shows.profile.strings.get(at))
    };
    let names: Vec<(String, String)> = shown
        .iter()
        .zip(&shown_names)
        .map(|(row, name)| {
            let module = if has_module {
                module_of(row)
            } else {
                String::new()
            };
            (screen.text(placed(row, name).unwrap_or(name)), module)
        })
        .collect();
    let title = by.as_str();
    let widest = |of: fn(&(String, String)) -> &String| {
        names.iter().map(|it| columns_of(of(it))).max().unwrap_or(0)
    };
    let room = screen.columns().saturating_sub(before + 2);
    let of_modules = room.saturating_sub(MIN_NAME_WIDTH + 2).min(24);
    let module_width = widest(|(_, module)| module)
        .min(of_modules)
        .max("module".len());
    let name_width = match has_module {
        true => room.saturating_sub(module_width + 2),
        false => room,
    };
    let name_width = widest(|(name, _)| name).max(title.len()).min(name_width);
    let dim = screen.palette.module;
    let of_time = if has_time { "time" } else { "" };
    write!(out, "{dim}")?;
    if has_own {
        write!(out, "{:>8}{of_time:>time$}", "self")?;
    }
    write!(out, "{:bar$}", "")?;
    if has_total {
        write!(out, "{:>9}{of_time:>time$}", "total")?;
    }
    match has_module {
        true => writeln!(out, "  {title:<name_width$}  module{dim:#}")?,
        false => writeln!(out, "  {title}{dim:#}")?,
    }
    for (row, (name, module)) in shown.iter().zip(&names) {
        let own = percent(row.own, table.whole);
        let amount = |of| match has_time {
            true => shows.measured.amount(of),
            false => String::new(),
        };
        if has_own {
            write!(out, "{own:>7.2}%{:>time$}", amount(row.own))?;
        }
        if bar > 0 {
            write!(out, " {}", screen.bar(own, BAR_WIDTH))?;
        }
        if has_total {
            let total = percent(row.total, table.whole);
            write!(out, " {total:>7.2}%{:>time$}", amount(row.total))?;
        }
        let bold = screen.palette.function;
        let name = screen.cut_row(by, name, name_width);
        let pad = left_of(name_width, &name);
        write!(out, "  {bold}{name}{bold:#}")?;
        if has_module && !module.is_empty() {
            write!(
                out,
                "{:pad$}  {dim}{}{dim:#}",
                "",
                screen.cut(module, module_width)
            )?;
        }
        writeln!(out)?;
    }
    let rest = table.rows.iter().skip(limit);
    let (count, sum) = rest.fold((0_i64, 0_i64), |(count, sum), row| {
        (count.saturating_add(1), sum.saturating_add(row.own))
    });
    if count > 0 {
        let share = percent(sum, table.whole);
        writeln!(
            out,
            "{share:>7.2}%{:>time$}{:bar$}  in {} more rows (-n)",
            if has_time {
                shows.measured.amount(sum)
            } else {
                String::new()
            },
            "",
            grouped(count)
        )?;
    }
    Ok(())
}

/// Writes what is measured, and how much of it there is.
pub(crate) fn write_head(
    shows: &ShownProfile<'_>,
    whole: i64,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let input = screen.text(&shows.input.to_string_lossy());
    let amounts = amounts(shows.profile, shows.value, whole, screen);
    // Of both the begin is told where there is no room: it is the event and its sum.
    writeln!(
        out,
        "{}\n",
        screen.cut(&format!("{amounts} in {input}"), screen.columns())
    )?;
    Ok(())
}

/// Returns what a value measures and how much of it there is, and what else the samples measure, as
/// the time that they stand for.
pub(crate) fn amounts(profile: &Profile, value: u32, whole: i64, screen: &Screen) -> String {
    let measured = Measured::of(profile, value);
    let kind = measured.kind;
    let mut text = format!("{}: {}", screen.text(kind), measured.amount(whole));
    let others = events(profile).into_iter();
    let others = others.filter(|other| {
        // How many samples an amount is of is not said.
        let measured = Measured::of(profile, other.value);
        let count_of = |event: &str| event.is_empty() || event.strip_suffix('-') == Some(kind);
        let is_count =
            measured.unit == "count" && measured.kind.strip_suffix("samples").is_some_and(count_of);
        other.value != value && other.sum != 0 && !is_count
    });
    let others = others.map(|other| {
        let measured = Measured::of(profile, other.value);
        format!(
            "{} {}",
            screen.text(measured.kind),
            measured.amount(other.sum)
        )
    });
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        text = format!("{text} ({})", others.join(", "));
    }
    text
}

/// Writes the sum of each event.
pub(super) fn write_events(
    shows: &ShownProfile<'_>,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let events = events(shows.profile);
    if format != ReportFormat::Text {
        return records::write_events(shows, format, &events, out);
    }
    let dim = screen.palette.module;
    writeln!(out, "{dim}{:>16}  event{dim:#}", "sum")?;
    for event in events {
        let measured = Measured::of(shows.profile, event.value);
        let sum = measured.amount(event.sum);
        writeln!(out, "{sum:>16}  {}", screen.text(measured.kind))?;
    }
    Ok(())
}
