//! An annotated function as NDJSON.

use std::io::Write;

use backsight_profile::StrIdx;
use serde_json::{Value, json};

use super::code_part::CodePart;
use super::gaps;
use super::listing::FunctionListing;
use super::shown_rows::ShownRows;
use super::source_part::SourcePart;
use crate::failure::Result;
use crate::report::ShownProfile;

/// Writes functions, each with its lines and instructions. Without a number of rows, all are
/// written.
pub(super) fn write(
    shows: &ShownProfile<'_>,
    whole: i64,
    listings: &[FunctionListing],
    view: ShownRows,
    out: &mut impl Write,
) -> Result<()> {
    let view = ShownRows {
        is_whole: view.rows.is_none(),
        ..view
    };
    let head = json!({
        "type": "annotate",
        "schema_version": 1,
        "value": shows.measured.kind,
        "unit": shows.measured.unit,
        "whole": whole,
    });
    writeln!(out, "{head}")?;
    for of in listings {
        let function = json!({
            "type": "function",
            "function": of.name,
            "module": of.module,
            "self": of.shares.own,
            "total": of.shares.total,
        });
        writeln!(out, "{function}")?;
        for part in &of.sources {
            write_source(part, view, out)?;
        }
        if let Some((own, total)) = of.without_line().filter(|_| view.has_source) {
            let line = json!({
                "type": "line",
                "file": null,
                "line": null,
                "text": null,
                "self": own,
                "total": total,
            });
            writeln!(out, "{line}")?;
        }
        for part in &of.code.parts {
            write_code(shows, part, view, out)?;
        }
        for left in &of.code.unplaced {
            let left = json!({
                "type": "unplaced",
                "reason": left.why,
                "self": left.own,
                "total": left.total,
            });
            writeln!(out, "{left}")?;
        }
    }
    Ok(())
}

fn write_source(part: &SourcePart, view: ShownRows, out: &mut impl Write) -> Result<()> {
    let amounts: Vec<(i64, i64)> = part.rows.iter().map(|row| (row.own, row.total)).collect();
    let shown = gaps::shown(&amounts, view);
    let rows = part.rows.iter().zip(shown).filter(|(_, shown)| *shown);
    for (row, _) in rows {
        let text = part.text.as_ref().ok();
        let line = json!({
            "type": "line",
            "file": part.file,
            "line": row.line,
            "text": text.and_then(|text| text.line(row.line)),
            "self": row.own,
            "total": row.total,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_code(
    shows: &ShownProfile<'_>,
    part: &CodePart,
    view: ShownRows,
    out: &mut impl Write,
) -> Result<()> {
    let profile = shows.profile;
    let text = |at: Option<StrIdx>| at.and_then(|at| profile.strings.get(at));
    let module = profile.module(part.module);
    let code = json!({
        "type": "code",
        "function": text(part.code.name),
        "module": module.map(|module| module.path_lossy()),
        "build_id": module.and_then(|module| module.build_id).map(|id| id.to_string()),
        "between": part.between,
        "cut": part.code.is_cut,
    });
    writeln!(out, "{code}")?;
    let shown = gaps::shown(&part.amounts, view);
    let rows = part.code.instructions.iter().zip(&part.amounts);
    for ((row, (own, total)), _) in rows.zip(shown).filter(|(_, shown)| *shown) {
        let frames = row.frames.iter().map(|frame| {
            json!({
                "function": text(frame.function),
                "file": text(frame.file),
                "line": frame.line,
            })
        });
        let target = row.instruction.target.map(|address| {
            json!({
                "address": address.to_string(),
                "function": text(row.target.map(|target| target.function)),
                "offset": row.target.map(|target| target.offset),
            })
        });
        let instruction = json!({
            "type": "instruction",
            "address": row.instruction.address.to_string(),
            "size": row.instruction.size,
            "text": row.instruction.text,
            "target": target,
            "self": own,
            "total": total,
            "frames": frames.collect::<Vec<Value>>(),
        });
        writeln!(out, "{instruction}")?;
    }
    Ok(())
}
