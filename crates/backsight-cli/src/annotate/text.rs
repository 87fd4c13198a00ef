//! An annotated function as text.

use std::io::Write;

use anstyle::Style;
use backsight::{CodeFrame, CodeInstruction};

use super::code_part::CodePart;
use super::gaps;
use super::listing::FunctionListing;
use super::shown_rows::ShownRows;
use super::source_part::SourcePart;
use crate::columns::{begin_of, left_of};
use crate::failure::Result;
use crate::report::{ShownProfile, percent, write_head};
use crate::screen::Screen;

/// The width of a bar that stands for all.
const BAR_WIDTH: usize = 8;

/// Screens with fewer columns have no room for bars.
const MIN_WIDE: usize = 70;

/// Screens with fewer columns have no room for totals, nor for whole addresses: offsets in the
/// function take their place, as perf shows them.
const MIN_WITH_TOTAL: usize = 60;

/// How much of a target's name is shown at least.
const MIN_TARGET: usize = 4;

/// So many functions that it is inlined into are shown.
const MAX_HOSTS: usize = 3;

/// Writes text.
struct Writer<'w, 'p, W> {
    shows: &'w ShownProfile<'p>,
    whole: i64,
    view: ShownRows,
    screen: &'w Screen,
    out: &'w mut W,
}

/// Writes functions, each with its lines and instructions.
pub(super) fn write(
    shows: &ShownProfile<'_>,
    whole: i64,
    listings: &[FunctionListing],
    view: ShownRows,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    write_head(shows, whole, screen, out)?;
    let mut writer = Writer {
        shows,
        whole,
        view,
        screen,
        out,
    };
    for listing in listings {
        writer.function(listing)?;
    }
    Ok(())
}

impl<W: Write> Writer<'_, '_, W> {
    fn function(&mut self, of: &FunctionListing) -> Result<()> {
        let (bold, dim) = (self.screen.palette.function, self.screen.palette.module);
        let name = self.screen.text(&of.name);
        let name = self.screen.cut_name(&name, self.screen.columns());
        let module = of.module.as_deref().unwrap_or("no module");
        let module = self.screen.text(module);
        let own = percent(of.shares.own, self.whole);
        let total = percent(of.shares.total, self.whole);
        let has_total = self.has_total();
        let out = &mut self.out;
        writeln!(out, "{bold}{name}{bold:#}")?;
        match has_total {
            true => writeln!(
                out,
                "{dim}in {module}: {own:.2}% of all samples in its own code, {total:.2}% in all{dim:#}\n"
            )?,
            false => {
                let module = self
                    .screen
                    .cut(&module, self.screen.columns().saturating_sub(3));
                writeln!(
                    out,
                    "{dim}in {module}\n{own:>7.2}% self\n{total:>7.2}% total{dim:#}\n"
                )?;
            }
        }
        for part in &of.sources {
            self.source(of, part)?;
        }
        if let Some(amounts) = of.without_line().filter(|_| self.view.has_source) {
            self.row(of, amounts)?;
            writeln!(self.out, " samples without a line\n")?;
        }
        for part in of.code.parts.iter().take(MAX_HOSTS) {
            self.code(of, part)?;
        }
        let count = of.code.parts.len().saturating_sub(MAX_HOSTS);
        if count > 0 {
            self.row(of, of.code.sum_from(MAX_HOSTS, &of.shares))?;
            writeln!(
                self.out,
                " in {count} more functions that it is inlined into\n"
            )?;
        }
        for left in &of.code.unplaced {
            self.row(of, (left.own, left.total))?;
            let why = self.screen.text(&left.why);
            writeln!(self.out, " without instructions: {why}\n")?;
        }
        Ok(())
    }

    fn source(&mut self, of: &FunctionListing, part: &SourcePart) -> Result<()> {
        let dim = self.screen.palette.module;
        let file = part.file.as_deref().unwrap_or("[no file]");
        let place = match &part.text {
            Ok(text) if text.path.as_os_str() != file => {
                format!("{file}, from {}", text.path.display())
            }
            Ok(_) => file.to_owned(),
            Err(_) => format!("{file}, without text"),
        };
        self.head(&format!("line  {place}"))?;
        let amounts: Vec<(i64, i64)> = part.rows.iter().map(|row| (row.own, row.total)).collect();
        let shown = gaps::shown(&amounts, self.view);
        let numbers = gaps::numbers(&shown);
        let totals = part.totals_by(&of.shares, &numbers);
        let mut gap = Gap::default();
        for (row, number) in part.rows.iter().zip(&numbers) {
            if let Some(number) = number {
                gap.add(row.own, totals.get(number));
                continue;
            }
            self.gap(of, &mut gap, "line")?;
            self.row(of, (row.own, row.total))?;
            let text = part.text.as_ref().ok().and_then(|text| text.line(row.line));
            let text = self.screen.text(text.unwrap_or_default());
            let number = match self.has_total() {
                true => format!("{:>6}  ", row.line),
                false => format!("{:>3} ", row.line),
            };
            let before = self.figures().saturating_add(number.len());
            let text = begin_of(&text, self.screen.columns().saturating_sub(before));
            writeln!(self.out, "{dim}{number}{dim:#}{text}")?;
        }
        self.gap(of, &mut gap, "line")?;
        writeln!(self.out)?;
        Ok(())
    }

    fn code(&mut self, of: &FunctionListing, part: &CodePart) -> Result<()> {
        let dim = self.screen.palette.module;
        let profile = self.shows.profile;
        let name = part.code.name.and_then(|name| profile.strings.get(name));
        let module = profile.module(part.module);
        let module = module.map(|module| module.path_lossy().into_owned());
        let module = self.screen.text(&module.unwrap_or_default());
        let is_host = part.code.name != of.shares.entry.function;
        let what = match is_host {
            true => format!("code inlined into {}", name.unwrap_or("a function")),
            false => "code".to_owned(),
        };
        let what = self.screen.text(&what);
        self.head(&format!("address  {what}, {module}"))?;
        let shown = gaps::shown(&part.amounts, self.view);
        let numbers = gaps::numbers(&shown);
        let totals = part.totals_by(&of.shares, |at| numbers.get(at).copied().flatten());
        let mut gap = Gap::default();
        let mut before: &[CodeFrame] = &[];
        let rows = part.code.instructions.iter().zip(&part.amounts);
        for ((row, amounts), number) in rows.zip(&numbers) {
            if let Some(number) = number {
                gap.add(amounts.0, totals.get(number));
                continue;
            }
            let has_gap = gap.rows > 0;
            self.gap(of, &mut gap, "instruction")?;
            if before != row.frames || has_gap {
                let place = self.place_of(of, row);
                let indent = self.figures().saturating_add(self.before_place());
                writeln!(self.out, "{:>indent$}{dim}{place}{dim:#}", "")?;
                before = &row.frames;
            }
            self.row(of, *amounts)?;
            let instruction = &row.instruction;
            let address = match self.has_total() {
                true => format!("{:>12x}  ", instruction.address.0),
                false => format!("{:>4} ", self.offset_of(row, part)),
            };
            let before = self.figures().saturating_add(address.len());
            let room = self.screen.columns().saturating_sub(before);
            let text = self.screen.text(&instruction.text);
            let text = self.screen.cut_name(&text, room);
            let target = self.target_of(row, left_of(room, &text));
            writeln!(self.out, "{dim}{address}{dim:#}{text}{dim}{target}{dim:#}")?;
        }
        self.gap(of, &mut gap, "instruction")?;
        if part.code.is_cut {
            let indent = self.figures().saturating_add(self.before_place());
            let what = "the function goes on: it is cut after 4 MiB";
            writeln!(self.out, "{:>indent$}{dim}{what}{dim:#}", "")?;
        }
        if part.between != 0 {
            self.row(of, (part.between, 0))?;
            writeln!(
                self.out,
                " samples within instructions, not at the begin of one"
            )?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// Returns where an instruction is in its function.
    fn offset_of(&self, row: &CodeInstruction, part: &CodePart) -> String {
        let first = part.code.instructions.first();
        let begin = first.map_or(0, |first| first.instruction.address.0);
        format!("+{:x}", row.instruction.address.0.saturating_sub(begin))
    }

    /// Returns what an instruction jumps to or calls, as objdump shows it: ` <work+0x1c>`, if there
    /// is room for a part of the name.
    fn target_of(&self, row: &CodeInstruction, room: usize) -> String {
        let Some(target) = row.target else {
            return String::new();
        };
        let name = self.shows.profile.strings.get(target.function);
        let name = self.screen.text(name.unwrap_or_default());
        let offset = match target.offset {
            0 => String::new(),
            offset => format!("+{offset:#x}"),
        };
        // With blank and brackets.
        let room = room.saturating_sub(offset.len() + 3);
        match room < MIN_TARGET {
            true => String::new(),
            false => format!(" <{}{offset}>", self.screen.cut_name(&name, room)),
        }
    }

    /// Returns the lines that an instruction is of, innermost first, with the names of inlined
    /// functions.
    fn place_of(&self, of: &FunctionListing, row: &CodeInstruction) -> String {
        let strings = &self.shows.profile.strings;
        let name_of = |file: &str| file.rsplit('/').next().unwrap_or_default().to_owned();
        let parts = row.frames.iter().map(|frame| {
            let file = frame.file.and_then(|file| strings.get(file)).map(name_of);
            let line = match (file, frame.line) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                (Some(file), None) => file,
                (None, _) => "no line".to_owned(),
            };
            match frame
                .function
                .filter(|name| Some(*name) != of.shares.entry.function)
            {
                Some(name) => format!("{} {line}", strings.get(name).unwrap_or_default()),
                None => line,
            }
        });
        let parts: Vec<String> = parts.collect();
        let text = self.screen.text(&parts.join(" < "));
        let before = self.figures().saturating_add(self.before_place());
        let room = self.screen.columns().saturating_sub(before);
        self.screen.cut(&text, room).into_owned()
    }

    fn head(&mut self, what: &str) -> Result<()> {
        let dim = self.screen.palette.module;
        let what = self.screen.text(what);
        let (own, total) = ("self", "total");
        let (bar, columns) = (self.bar_room(), self.screen.columns());
        match self.has_total() {
            true => {
                let what = self.screen.cut(&what, columns.saturating_sub(bar + 20));
                writeln!(
                    self.out,
                    "{dim}{own:>8}{:bar$}{total:>9}   {what}{dim:#}",
                    ""
                )?;
            }
            false => {
                let what = self.screen.cut(&what, columns.saturating_sub(9));
                writeln!(self.out, "{dim}{own:>8} {what}{dim:#}")?;
            }
        }
        Ok(())
    }

    fn has_total(&self) -> bool {
        self.screen.columns() >= MIN_WITH_TOTAL
    }

    /// Returns how many columns the figures of a row take, with the blank behind them.
    fn figures(&self) -> usize {
        let total = if self.has_total() { 9 } else { 0 };
        self.bar_room().saturating_add(9 + total)
    }

    /// Returns how far behind the figures the place of instructions begins.
    fn before_place(&self) -> usize {
        if self.has_total() { 11 } else { 1 }
    }

    /// Returns how many columns a bar takes, with the blank before it.
    fn bar_room(&self) -> usize {
        match self.screen.columns() >= MIN_WIDE {
            true => BAR_WIDTH + 1,
            false => 0,
        }
    }

    /// Writes amounts and a blank, without an end of line.
    fn row(&mut self, of: &FunctionListing, (own, total): (i64, i64)) -> Result<()> {
        let [own_share, total_share] = [own, total].map(|amount| percent(amount, self.whole));
        let style = self.style(own, of.shares.own);
        match own {
            0 => write!(self.out, "{:>8}{:bar$}", "", "", bar = self.bar_room())?,
            _ => {
                write!(self.out, "{style}{own_share:>7.2}%{style:#}")?;
                if self.bar_room() > 0 {
                    write!(self.out, " {}", self.screen.bar(own_share, BAR_WIDTH))?;
                }
            }
        }
        match total {
            _ if !self.has_total() => write!(self.out, " ")?,
            0 => write!(self.out, " {:>8} ", "")?,
            _ => write!(self.out, " {total_share:>7.2}% ")?,
        }
        Ok(())
    }

    fn style(&self, own: i64, all: i64) -> Style {
        match percent(own, all) {
            share if share >= 10.0 => self.screen.palette.hot,
            share if share >= 2.0 => self.screen.palette.warm,
            _ => Style::new(),
        }
    }

    fn gap(&mut self, of: &FunctionListing, gap: &mut Gap, what: &str) -> Result<()> {
        let dim = self.screen.palette.module;
        match (gap.rows, gap.amounts) {
            (0, _) => {}
            (rows, (0, 0)) => {
                let before = self.figures().saturating_add(3);
                writeln!(
                    self.out,
                    "{dim}{:>before$}({}){dim:#}",
                    "",
                    count_of(rows, what)
                )?;
            }
            (rows, amounts) => {
                self.row(of, amounts)?;
                let rows = count_of(rows, what);
                writeln!(self.out, "{dim}   ({rows}, see -n){dim:#}")?;
            }
        }
        *gap = Gap::default();
        Ok(())
    }
}

fn count_of(rows: usize, what: &str) -> String {
    match rows {
        1 => format!("1 {what}"),
        _ => format!("{rows} {what}s"),
    }
}

/// Rows that are left out.
#[derive(Default)]
struct Gap {
    rows: usize,
    amounts: (i64, i64),
}

impl Gap {
    /// Adds a row, with the total of all rows of the gap.
    fn add(&mut self, own: i64, total: Option<&i64>) {
        self.rows = self.rows.saturating_add(1);
        self.amounts.0 = self.amounts.0.saturating_add(own);
        self.amounts.1 = total.copied().unwrap_or_default();
    }
}
