//! Prints the summary of an index: its module, and the size of the file and of each table.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_formats::ndjson::{HeaderLine, IndexLine, JsonTable, Writer};
use backsight_symbolize::SymbolIndex;

use crate::args::Format;
use crate::file::Shown;
use crate::tool::TOOL;

/// Writes the header of the output.
pub(super) fn begin(out: &mut impl Write, format: Format) -> io::Result<()> {
    match format {
        Format::Text => Ok(()),
        Format::Json => Writer::new(out).header(&HeaderLine::new(TOOL)),
    }
}

/// Writes the summary of the index at `path`.
pub(super) fn write(
    out: &mut impl Write,
    format: Format,
    path: &Path,
    index: &SymbolIndex,
) -> io::Result<()> {
    match format {
        Format::Text => write_text(out, path, index),
        Format::Json => write_json(out, path, index),
    }
}

fn write_text(out: &mut impl Write, path: &Path, index: &SymbolIndex) -> io::Result<()> {
    writeln!(out, "{}", Summary(path, index))?;
    for table in index.tables() {
        let (name, rows, bytes) = (table.name, table.rows, table.bytes);
        writeln!(out, "  {name:<16}{rows:>12} rows {bytes:>13} bytes")?;
    }
    if index.limit_reached() {
        writeln!(out, "  incomplete: a limit was reached")?;
    }
    if index.is_incomplete() {
        writeln!(
            out,
            "  incomplete: debug information, or a file that it refers to, was not found"
        )?;
    }
    Ok(())
}

fn write_json(out: &mut impl Write, path: &Path, index: &SymbolIndex) -> io::Result<()> {
    let tables = index.tables();
    let tables = tables.iter().map(|table| JsonTable {
        name: table.name,
        rows: number(table.rows),
        bytes: number(table.bytes),
    });
    let tables: Vec<_> = tables.collect();
    let line = IndexLine::new(
        path.as_os_str().as_bytes(),
        index.build_id(),
        number(index.file_size()),
        index.limit_reached(),
        &tables,
    );
    Writer::new(out).index(&line)
}

/// An index in one line.
pub(super) struct Summary<'a>(pub(super) &'a Path, pub(super) &'a SymbolIndex);

impl std::fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(path, index) = self;
        write!(f, "{}  {} bytes  ", Shown(path), index.file_size())?;
        match index.build_id() {
            Some(id) => write!(f, "[build id {id}]"),
            None => f.write_str("[no build id]"),
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
