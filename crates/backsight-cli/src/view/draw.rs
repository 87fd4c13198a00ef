//! Draws the view. Rows are those of `report`, which cuts names and draws bars in the same way.

use backsight_report::{CallTreeNode, Direction, ReportEntry, RowKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::keys::Typing;
use super::model::{ViewModel, ViewPage};
use super::tree_pane::TreePane;
use crate::columns::{begin_of, columns_of, end_of, left_of};
use crate::report::{begin_of_node, percent};
use crate::screen::{NARROW, Screen};

/// How the view looks on this terminal.
pub(super) struct Look {
    pub(super) screen: Screen,
    pub(super) has_colours: bool,
    /// What is shown: the name of the input, or what is being sampled.
    pub(super) title: String,
}

/// The width of a bar that stands for all, and the least width of the screen for bars.
const BAR_WIDTH: usize = 10;
const MIN_WIDE: usize = 60;

const HELP: [&str; 17] = [
    "up, down, PgUp, PgDn, Home, End   go",
    "Enter    callers and callees of the selected function",
    "right    open a branch; go to its first child",
    "left     close a branch; go to its parent",
    "*        open all branches",
    "Tab      between callers and callees",
    "Esc      back; in the list: end the search",
    "s        sort by self, or by total",
    "b        rows: functions, modules, lines, threads, processes",
    "c        call tree from the outermost functions",
    "r        call tree from the innermost functions",
    "e        choose an event or another value",
    "t        choose a process or thread",
    "/        search by an expression (Enter: keep, Esc: end)",
    "?        these keys",
    "q        quit",
    "",
];

impl Look {
    fn dim(&self) -> Style {
        match self.has_colours {
            true => Style::new().fg(Color::DarkGray),
            false => Style::new(),
        }
    }

    fn bar(&self) -> Style {
        match self.has_colours {
            true => Style::new().fg(Color::Blue),
            false => Style::new(),
        }
    }

    fn found(&self) -> Style {
        match self.has_colours {
            true => Style::new().fg(Color::Magenta).add_modifier(Modifier::BOLD),
            false => Style::new().add_modifier(Modifier::UNDERLINED),
        }
    }
}

/// Draws everything. Returns how many rows of a list fit.
pub(super) fn draw(
    model: &mut ViewModel,
    look: &Look,
    typing: Typing,
    frame: &mut Frame<'_>,
) -> usize {
    let area = frame.area();
    let [width, height] = [area.width, area.height].map(usize::from);
    let rows = height.saturating_sub(3);
    let mut lines = vec![head(model, look, width)];
    let mut pages = std::mem::take(&mut model.pages);
    match pages.last_mut() {
        None => table(model, look, width, rows, &mut lines),
        Some(ViewPage::Tree(pane, direction)) => {
            let title = match direction {
                Direction::Callers => "who calls the innermost functions",
                _ => "what the outermost functions call",
            };
            lines.push(tree_title(look, title, true, width));
            tree(model, look, pane, width, rows, &mut lines);
        }
        Some(ViewPage::Function { row, sides, side }) => {
            let whole = model.table.whole;
            let name = look.screen.text(&model.name(&row.entry));
            let shares = format!(
                "self {:.2}%  total {:.2}%  ",
                percent(row.own, whole),
                percent(row.total, whole)
            );
            let bold = Style::new().add_modifier(Modifier::BOLD);
            let is_narrow = width < NARROW;
            let room = if is_narrow {
                width
            } else {
                left_of(width, &shares)
            };
            let name = look.screen.cut_name(&name, room).into_owned();
            let name = Span::styled(name, bold);
            match is_narrow {
                true => {
                    let shares = look.screen.cut_name(shares.trim_end(), width).into_owned();
                    lines.extend([Line::from(name), Line::from(shares)]);
                }
                false => lines.push(Line::from(vec![Span::raw(shares), name])),
            }
            let rows = rows.saturating_sub(usize::from(is_narrow));
            let of_callers = rows.saturating_sub(2) / 2;
            let of_callees = rows.saturating_sub(2).saturating_sub(of_callers);
            let parts = [("callers", of_callers), ("callees", of_callees)];
            for (nth, ((title, rows), pane)) in parts.into_iter().zip(sides).enumerate() {
                lines.push(tree_title(look, title, nth == *side, width));
                let begin = lines.len();
                tree(model, look, pane, width, rows, &mut lines);
                if nth != *side {
                    // The selection of the other side is not shown.
                    for line in lines.iter_mut().skip(begin) {
                        line.style = line.style.remove_modifier(Modifier::REVERSED);
                    }
                }
                lines.resize(begin + rows, Line::default());
            }
        }
        Some(ViewPage::Menu(menu)) => {
            lines.push(tree_title(look, menu.title, true, width));
            let seen = menu.cursor.seen(menu.choices.len(), rows);
            for at in seen {
                let Some((text, _)) = menu.choices.get(at) else {
                    break;
                };
                let text = look.screen.text(text);
                let text = look.screen.cut(&text, width).into_owned();
                lines.push(selected(Line::from(text), at == menu.cursor.selected));
            }
        }
        Some(ViewPage::Help) => {
            lines.push(tree_title(look, "keys", true, width));
            let texts = HELP.iter().map(|text| look.screen.cut(text, width));
            lines.extend(texts.map(|text| Line::from(text.into_owned())));
        }
    }
    model.pages = pages;
    lines.truncate(height.saturating_sub(1));
    frame.render_widget(Paragraph::new(lines), area);
    let foot = Rect {
        y: area.bottom().saturating_sub(1),
        height: area.height.min(1),
        ..area
    };
    frame.render_widget(Paragraph::new(foot_line(model, look, typing, width)), foot);
    rows
}

fn head(model: &ViewModel, look: &Look, width: usize) -> Line<'static> {
    let mut text = format!("{} in {}", model.amounts, look.screen.text(&look.title));
    if let Some(of) = &model.of {
        text = format!("{text}, {}", look.screen.text(of));
    }
    let style = Style::new().add_modifier(Modifier::BOLD);
    Line::styled(look.screen.cut(&text, width).into_owned(), style)
}

fn tree_title(look: &Look, title: &str, is_active: bool, width: usize) -> Line<'static> {
    let style = match is_active {
        true => Style::new().add_modifier(Modifier::BOLD),
        false => look.dim(),
    };
    Line::styled(look.screen.cut(title, width).into_owned(), style)
}

fn selected(line: Line<'static>, is_selected: bool) -> Line<'static> {
    match is_selected {
        true => line.style(Style::new().add_modifier(Modifier::REVERSED)),
        false => line,
    }
}

fn table(
    model: &mut ViewModel,
    look: &Look,
    width: usize,
    rows: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let has_total = !matches!(model.by, RowKind::Thread | RowKind::Process);
    let by_total = model.sorts_by_total && has_total;
    // A narrow screen has room for the figure that rows are sorted by.
    let is_narrow = width < NARROW;
    let has_own = !is_narrow || !by_total;
    let has_total = has_total && (!is_narrow || by_total);
    let is_wide = width >= MIN_WIDE;
    let bar = if is_wide { BAR_WIDTH + 1 } else { 0 };
    let mark = |is_order| if is_order { "*" } else { " " };
    let mut title = match has_own {
        true => format!("{:>7}{}{:bar$}", "self", mark(!by_total), ""),
        false => String::new(),
    };
    if has_total {
        title = format!("{title} {:>7}{}", "total", mark(by_total));
    }
    let title = format!("{title} {}", model.by.as_str());
    let title = look.screen.cut(&title, width).into_owned();
    lines.push(Line::styled(title, look.dim()));
    let seen = model.cursor.seen(model.rows.len(), rows);
    let whole = model.table.whole;
    for at in seen {
        let row = model.rows.get(at).and_then(|at| model.table.rows.get(*at));
        let Some(row) = row else { break };
        let own = percent(row.own, whole);
        let mut spans = Vec::new();
        if has_own {
            spans.push(Span::raw(format!("{own:>7.2}%")));
        }
        if bar > 0 {
            let drawn = format!(" {}", look.screen.bar(own, BAR_WIDTH));
            spans.push(Span::styled(drawn, look.bar()));
        }
        if has_total {
            spans.push(Span::raw(format!(" {:>7.2}%", percent(row.total, whole))));
        }
        let used: usize = spans.iter().map(|span| columns_of(&span.content)).sum();
        let room = width.saturating_sub(used + 1);
        spans.extend(name(model, look, &row.entry, model.by, room));
        lines.push(selected(Line::from(spans), at == model.cursor.selected));
    }
    if model.rows.is_empty() {
        lines.push(Line::styled("nothing is found", look.dim()));
    }
}

/// A name, and behind it the file of its module if there is room.
fn name(
    model: &ViewModel,
    look: &Look,
    entry: &ReportEntry,
    by: RowKind,
    room: usize,
) -> Vec<Span<'static>> {
    let shown = look.screen.text(&entry.name(&model.profile, by));
    let style = match model.is_found(entry) {
        true => look.found(),
        false => Style::new(),
    };
    let module = entry.module_name(&model.profile);
    let module = module.filter(|_| matches!(by, RowKind::Function | RowKind::Line));
    let module = module.map(|path| {
        let file = path.rsplit('/').next().unwrap_or_default();
        format!("  {}", look.screen.text(file))
    });
    let left = left_of(room, &shown);
    let fits = |module: &String| columns_of(module) <= left;
    let shown = look.screen.cut_row(by, &shown, room).into_owned();
    let mut spans = vec![Span::raw(" "), Span::styled(shown, style)];
    if let Some(module) = module.filter(fits) {
        spans.push(Span::styled(module, look.dim()));
    }
    spans
}

fn tree(
    model: &ViewModel,
    look: &Look,
    pane: &mut TreePane,
    width: usize,
    rows: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let len = pane.len();
    for at in pane.cursor.seen(len, rows) {
        let Some((node, has_children, is_open)) = pane.line(at) else {
            break;
        };
        let sign = match (has_children, is_open) {
            (false, _) => ' ',
            (true, true) => '-',
            (true, false) => '+',
        };
        let line = tree_line(model, look, node, sign, width);
        lines.push(selected(line, at == pane.cursor.selected));
    }
}

fn tree_line(
    model: &ViewModel,
    look: &Look,
    node: &CallTreeNode,
    sign: char,
    width: usize,
) -> Line<'static> {
    let share = percent(node.total, model.table.whole);
    let begin = format!("{share:>7.2}% ");
    let (indent, room) = begin_of_node(node.depth, width, begin.len() + 2);
    let begin = format!("{begin}{indent}{sign}");
    let mut spans = vec![Span::raw(begin)];
    spans.extend(name(model, look, &node.entry, RowKind::Function, room));
    Line::from(spans)
}

fn foot_line(model: &ViewModel, look: &Look, typing: Typing, width: usize) -> Line<'static> {
    let text = match (typing, model.search.as_str()) {
        (Typing::Search, text) => format!("/{text}_"),
        (Typing::Keys, "") => {
            "? keys  / search  Enter callers and callees  s sort  e event  t thread  q quit"
                .to_owned()
        }
        (Typing::Keys, text) if model.is_literal() => format!("/{text} (as text)  Esc ends it"),
        (Typing::Keys, text) => format!("/{text}  Esc ends it"),
    };
    let text = look.screen.text(&text);
    let text = match typing {
        // What was typed last is seen.
        Typing::Search => end_of(&text, width),
        Typing::Keys => begin_of(&text, width),
    };
    Line::styled(text.to_owned(), look.dim())
}
