//! A tree of calls.

use std::io::Write;

use backsight_report::{CallTree, CallTreeNode, RowKind};

use super::amount::{grouped, percent};
use super::format::ReportFormat;
use super::shown_profile::ShownProfile;
use super::{records, rows};
use crate::failure::Result;
use crate::screen::{NARROW, Screen};

/// Levels deeper than this are not indented further: on a screen they would have no room.
const MAX_INDENT: usize = 40;

/// A narrow screen has so many times the columns of the deepest indentation.
const NARROW_INDENT: usize = 8;

/// Writes the first nodes of a tree.
pub(super) fn write(
    shows: &ShownProfile<'_>,
    tree: &CallTree,
    by: RowKind,
    limit: usize,
    format: ReportFormat,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let nodes = tree.nodes.iter().take(limit);
    if format != ReportFormat::Text {
        return records::write_tree(shows, format, by, tree.whole, nodes, out);
    }
    rows::write_head(shows, tree.whole, screen, out)?;
    let dim = screen.palette.module;
    let bold = screen.palette.function;
    match screen.is_narrow() {
        true => writeln!(out, "{dim}{:>8} calls{dim:#}", "total")?,
        false => writeln!(out, "{dim}{:>8} {:>8}  calls{dim:#}", "total", "self")?,
    }
    // The nodes on the way to the current one that have folded children.
    let mut folded: Vec<&CallTreeNode> = Vec::new();
    for node in nodes {
        while let Some(parent) = folded.pop_if(|parent| parent.depth >= node.depth) {
            write_folded(parent, tree.whole, screen, out)?;
        }
        let total = percent(node.total, tree.whole);
        let own = percent(node.own, tree.whole);
        write!(out, "{total:>7.2}% ")?;
        match node.own {
            _ if screen.is_narrow() => {}
            0 => write!(out, "{:>8}  ", "")?,
            _ => write!(out, "{own:>7.2}%  ")?,
        }
        let (indent, room) = begin_of_node(node.depth, screen.columns(), before(screen));
        let name = screen.text(&node.entry.name(shows.profile, by));
        let name = screen.cut_row(by, &name, room);
        writeln!(out, "{dim}{indent}{dim:#}{bold}{name}{bold:#}")?;
        if let (1.., _) = node.folded {
            folded.push(node);
        }
    }
    for parent in folded.into_iter().rev() {
        write_folded(parent, tree.whole, screen, out)?;
    }
    let rest = tree.nodes.len().saturating_sub(limit);
    if rest > 0 {
        writeln!(out, "{} {rest} more nodes (-n)", screen.cut_mark())?;
    }
    Ok(())
}

/// Returns how many columns the figures take.
fn before(screen: &Screen) -> usize {
    if screen.is_narrow() { 9 } else { 19 }
}

/// Returns what stands before the name of a node, and how many of a line's columns are left for
/// the name if `before` others are taken. Where a node is too deep to be indented so far, its
/// depth is said.
pub(crate) fn begin_of_node(depth: u32, columns: usize, before: usize) -> (String, usize) {
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let most = MAX_INDENT.min(columns / 3);
    let begin = match columns < NARROW {
        // The name needs the room of the indentation.
        true if depth > columns / NARROW_INDENT => format!("[{depth}]"),
        _ if depth > most => format!("{:most$}[{depth}] ", ""),
        _ => " ".repeat(depth),
    };
    let room = columns.saturating_sub(before + begin.len());
    (begin, room)
}

/// Writes what the children of a node are that are not shown.
fn write_folded(
    parent: &CallTreeNode,
    whole: i64,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<()> {
    let (count, sum) = parent.folded;
    let share = percent(sum, whole);
    let depth = parent.depth.saturating_add(1);
    let (indent, room) = begin_of_node(depth, screen.columns(), before(screen));
    let count = grouped(i64::from(count));
    let texts = [
        format!("({count} more, see --fold)"),
        format!("({count} more)"),
    ];
    let text = texts.iter().find(|text| text.len() <= room);
    let text = text.map_or_else(|| format!("+{count}"), Clone::clone);
    let dim = screen.palette.module;
    let own = if screen.is_narrow() { "" } else { "          " };
    writeln!(out, "{dim}{share:>7.2}% {own}{indent}{text}{dim:#}")?;
    Ok(())
}
