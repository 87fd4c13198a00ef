//! A tree of calls.

use std::io::Write;

use backsight_report::{CallTree, CallTreeNode, RowKind};

use super::amount::{grouped, percent};
use super::format::ReportFormat;
use super::shown_profile::ShownProfile;
use super::{records, rows};
use crate::failure::Result;
use crate::screen::Screen;

/// Levels deeper than this are not indented further: on a screen they would have no room.
const MAX_INDENT: usize = 40;

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
    writeln!(out, "{dim}{:>8} {:>8}  calls{dim:#}", "total", "self")?;
    // The nodes on the way to the current one that have folded children.
    let mut folded: Vec<&CallTreeNode> = Vec::new();
    for node in nodes {
        while let Some(parent) = folded.pop_if(|parent| parent.depth >= node.depth) {
            write_folded(parent, tree.whole, screen, out)?;
        }
        let total = percent(node.total, tree.whole);
        let own = percent(node.own, tree.whole);
        let depth = usize::try_from(node.depth).unwrap_or(usize::MAX);
        let indent = indent_of(depth, screen);
        let deeper = match depth > indent {
            true => format!("[{depth}] "),
            false => String::new(),
        };
        let room = screen
            .columns()
            .saturating_sub(indent + deeper.len() + 20)
            .max(8);
        let name = screen.text(&node.entry.name(shows.profile, by));
        let name = screen.cut_row(by, &name, room);
        write!(out, "{total:>7.2}% ")?;
        match node.own {
            0 => write!(out, "{:>8}", "")?,
            _ => write!(out, "{own:>7.2}%")?,
        }
        writeln!(
            out,
            "  {:indent$}{dim}{deeper}{dim:#}{bold}{name}{bold:#}",
            ""
        )?;
        if let (1.., _) = node.folded {
            folded.push(node);
        }
    }
    for parent in folded.into_iter().rev() {
        write_folded(parent, tree.whole, screen, out)?;
    }
    let rest = tree.nodes.len().saturating_sub(limit);
    if rest > 0 {
        writeln!(out, "… {rest} more nodes (-n)")?;
    }
    Ok(())
}

fn indent_of(depth: usize, screen: &Screen) -> usize {
    depth.min(MAX_INDENT).min(screen.columns() / 3)
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
    let depth = usize::try_from(parent.depth).unwrap_or(usize::MAX);
    let indent = indent_of(depth.saturating_add(1), screen);
    let count = grouped(i64::from(count));
    let dim = screen.palette.module;
    let own = "";
    writeln!(
        out,
        "{dim}{share:>7.2}% {own:>8}  {own:indent$}({count} more, see --fold){dim:#}"
    )?;
    Ok(())
}
