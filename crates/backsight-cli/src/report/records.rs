//! Reports as NDJSON and CSV.

use std::io::Write;

use backsight_formats::escape::Terminal;
use backsight_report::{CallNeighbours, CallTreeNode, EventRow, ReportEntry, ReportRow, RowKind};
use serde_json::{Value, json};

use super::amount::Measured;
use super::format::ReportFormat;
use super::shown_profile::ShownProfile;
use crate::failure::Result;

/// The fields of a row, in order.
type Fields = Vec<(&'static str, Value)>;

/// Writes rows of a table.
pub(super) fn write<'r>(
    shows: &ShownProfile<'_>,
    format: ReportFormat,
    by: RowKind,
    whole: i64,
    rows: impl Iterator<Item = &'r ReportRow>,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = Writer::new(format, out);
    writer.head(shows, whole)?;
    for row in rows {
        let mut record = entry(shows, &row.entry, by);
        record.push(("self", json!(row.own)));
        record.push(("total", json!(row.total)));
        writer.row("row", &record)?;
    }
    Ok(())
}

/// Writes nodes of a tree in depth-first order.
pub(super) fn write_tree<'r>(
    shows: &ShownProfile<'_>,
    format: ReportFormat,
    by: RowKind,
    whole: i64,
    nodes: impl Iterator<Item = &'r CallTreeNode>,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = Writer::new(format, out);
    writer.head(shows, whole)?;
    for node in nodes {
        let mut record = vec![("depth", json!(node.depth))];
        record.extend(entry(shows, &node.entry, by));
        record.push(("self", json!(node.own)));
        record.push(("total", json!(node.total)));
        record.push(("folded", json!(node.folded.1)));
        writer.row("node", &record)?;
    }
    Ok(())
}

/// Writes calls of functions.
pub(super) fn write_neighbours(
    shows: &ShownProfile<'_>,
    format: ReportFormat,
    whole: i64,
    found: &[CallNeighbours],
    is_callers: bool,
    limit: usize,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = Writer::new(format, out);
    writer.head(shows, whole)?;
    let name = |entry: &ReportEntry| entry.name(shows.profile, RowKind::Function).into_owned();
    for of in found.iter().take(limit) {
        let edges = match is_callers {
            true => &of.callers,
            false => &of.callees,
        };
        for edge in edges.iter().take(limit) {
            let other = edge.entry.as_ref().map(name);
            let (caller, callee) = match is_callers {
                true => (other, Some(name(&of.entry))),
                false => (Some(name(&of.entry)), other),
            };
            let record = vec![
                ("caller", json!(caller)),
                ("callee", json!(callee)),
                ("amount", json!(edge.amount)),
            ];
            writer.row("call", &record)?;
        }
    }
    Ok(())
}

/// Writes the sums of events.
pub(super) fn write_events(
    shows: &ShownProfile<'_>,
    format: ReportFormat,
    events: &[EventRow],
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = Writer::new(format, out);
    for event in events {
        let measured = Measured::of(shows.profile, event.value);
        let record = vec![
            ("event", json!(measured.kind)),
            ("unit", json!(measured.unit)),
            ("rows", json!(event.samples)),
            ("sum", json!(event.sum)),
        ];
        writer.row("event", &record)?;
    }
    Ok(())
}

fn entry(shows: &ShownProfile<'_>, entry: &ReportEntry, by: RowKind) -> Fields {
    let name = entry.name(shows.profile, by);
    let module = entry.module_name(shows.profile);
    match by {
        RowKind::Module => vec![("module", json!(name))],
        RowKind::Thread => vec![("thread", json!(name))],
        RowKind::Process => vec![("process", json!(name))],
        RowKind::Line => {
            let function = entry.function.and_then(|at| shows.profile.strings.get(at));
            let file = entry.file.and_then(|at| shows.profile.strings.get(at));
            vec![
                ("function", json!(function)),
                ("file", json!(file)),
                ("line", json!(entry.line)),
                ("start_line", json!(entry.start_line)),
                ("module", json!(module)),
            ]
        }
        _ => {
            let placed = entry.placed_name;
            let placed = placed.and_then(|at| shows.profile.strings.get(at));
            let name = placed.unwrap_or(&name);
            vec![("function", json!(name)), ("module", json!(module))]
        }
    }
}

/// Writes records in one of the two formats.
pub(crate) struct Writer<'o, W> {
    format: ReportFormat,
    has_names: bool,
    out: &'o mut W,
}

impl<'o, W: Write> Writer<'o, W> {
    pub(crate) fn new(format: ReportFormat, out: &'o mut W) -> Self {
        Self {
            format,
            has_names: false,
            out,
        }
    }

    /// Writes what is measured. CSV has no place for it.
    fn head(&mut self, shows: &ShownProfile<'_>, whole: i64) -> Result<()> {
        let Measured { kind, unit } = shows.measured;
        if self.format == ReportFormat::Json {
            let head = json!({
                "type": "report",
                "schema_version": 1,
                "value": kind,
                "unit": unit,
                "whole": whole,
            });
            writeln!(self.out, "{head}")?;
        }
        Ok(())
    }

    /// Writes a record, and before the first one of CSV the names of its fields.
    pub(crate) fn row(&mut self, kind: &str, record: &[(&'static str, Value)]) -> Result<()> {
        if self.format == ReportFormat::Json {
            let mut object = serde_json::Map::new();
            object.insert("type".to_owned(), json!(kind));
            object.extend(
                record
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone())),
            );
            writeln!(self.out, "{}", Value::Object(object))?;
            return Ok(());
        }
        if !self.has_names {
            self.has_names = true;
            let names: Vec<&str> = record.iter().map(|(key, _)| *key).collect();
            writeln!(self.out, "{}", names.join(","))?;
        }
        let fields: Vec<String> = record.iter().map(|(_, value)| field(value)).collect();
        writeln!(self.out, "{}", fields.join(","))?;
        Ok(())
    }
}

/// Returns a field of CSV (RFC 4180). Control characters, which the RFC's text has not, and those
/// that turn the direction of a text are escaped as for a terminal, so that a record is one line. A
/// text that a spreadsheet would run as a formula gets an apostrophe before it.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => Terminal(text.as_bytes()).to_string(),
        other => return other.to_string(),
    };
    let apostrophe = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => "'",
        false => "",
    };
    match text.contains(['"', ',', '\n', '\r']) || !apostrophe.is_empty() {
        true => format!("\"{apostrophe}{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::field;

    #[test]
    fn fields_of_csv_are_quoted() {
        let cases = [
            (json!("main"), "main"),
            (json!("f(a, b)"), "\"f(a, b)\""),
            (json!("a\"b"), "\"a\"\"b\""),
            (json!("=1+2"), "\"'=1+2\""),
            (json!("a\nb"), "a\\nb"),
            (json!("a\u{1b}[0m\u{202e}b"), "a\\x1b[0m\\u{202e}b"),
            (json!(-5), "-5"),
            (json!(null), ""),
        ];
        for (value, want) in cases {
            assert_eq!(field(&value), want, "{value}");
        }
    }
}
