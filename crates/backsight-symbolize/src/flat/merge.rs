//! The parts of all units, made into one index.

use rayon::prelude::*;

use super::blocks::{self, Placed};
use super::files::Files;
use super::functions::Functions;
use super::nodes::Nodes;
use super::{Sources, gaps};
use crate::claims::Claims;
use crate::dwarf::{DwarfFile, LineRow, UnitPart};
use crate::index::{Column, FileRecord, Index, Le16, Le32, Meta, NONE, Node, Parts, buckets};

/// Blocks that one thread lays out at a time.
const CHUNK: usize = 4096;

/// A unit's part, and the rows that its own have in the index.
struct Source<'p, 'd> {
    part: &'p UnitPart<'d>,
    nodes: Nodes,
    /// Its nodes follow those of the units before it.
    nodes_before: u32,
    files: Vec<u32>,
}

/// Merges the parts of all units, in the units' order.
pub(super) fn merge<'d>(parts: &[UnitPart<'d>], claims: &Claims, sources: Sources<'d>) -> Index {
    let meta = Meta {
        build_id: sources.build_id,
        inline_depth: sources.limits.inline_depth.into(),
        incomplete: sources.dwarf.is_none_or(DwarfFile::is_incomplete),
        limited: sources.limited || claims.limited || parts.iter().any(|part| part.limited),
        ..Meta::default()
    };
    let ((mut functions, function_rows), (files, file_rows)) = rayon::join(
        || function_rows(parts),
        || file_rows(parts, sources.limits.name_bytes),
    );
    let rows = function_rows.into_par_iter().zip(file_rows);
    let mut merged: Vec<Source<'_, 'd>> = parts
        .par_iter()
        .zip(rows)
        .map(|(part, (functions, files))| Source {
            part,
            nodes: Nodes::of(part, &functions, &files),
            nodes_before: 0,
            files,
        })
        .collect();
    let mut nodes_before: u32 = 0;
    for source in &mut merged {
        source.nodes_before = nodes_before;
        let count = u32::try_from(source.nodes.len()).unwrap_or(NONE);
        nodes_before = nodes_before.saturating_add(count);
    }

    let ((mut nodes, mut node_columns), (scopes, lines)) = rayon::join(
        || all_nodes(&merged),
        || rayon::join(|| scopes(&merged, claims), || lines(&merged, claims)),
    );
    let scopes = gaps::fill(scopes, &mut nodes, &mut functions, &sources);
    node_columns.resize(nodes.len(), Le16::default());

    let (function_records, mut strings) = functions.into_tables();
    let files = files_behind(&mut strings, files);
    let (scope_starts, scope_nodes): (Vec<Le32>, Vec<Le32>) = scopes.into_iter().unzip();
    let size = sources.code.size();
    let shift = meta.bucket_shift;
    Index::new(Parts {
        scope_buckets: Column::Built(buckets(&scope_starts, shift, size)),
        line_buckets: Column::Built(buckets(&lines.starts, shift, size)),
        windows: Column::Built(sources.code.into_windows()),
        scope_starts: Column::Built(scope_starts),
        scope_nodes: Column::Built(scope_nodes),
        line_starts: Column::Built(lines.starts),
        line_files: Column::Built(lines.files),
        lines: Column::Built(lines.lines),
        line_columns: Column::Built(lines.columns),
        nodes: Column::Built(nodes),
        node_columns: Column::Built(node_columns),
        functions: Column::Built(function_records),
        demangled: Column::default(),
        files: Column::Built(files),
        strings: Column::Built(strings),
        meta,
    })
}

fn function_rows<'d>(parts: &[UnitPart<'d>]) -> (Functions<'d>, Vec<Vec<u32>>) {
    // Half of them are new, as a rule.
    let count = parts.iter().map(|part| part.functions.len()).sum::<usize>() / 2;
    let mut functions = Functions::with_capacity(count);
    let mut add = |part: &UnitPart<'d>| {
        let names = part.functions.iter();
        names.map(|name| functions.add(name)).collect()
    };
    let rows = parts.iter().map(&mut add).collect();
    (functions, rows)
}

fn file_rows(parts: &[UnitPart<'_>], limit: usize) -> (Files, Vec<Vec<u32>>) {
    let mut files = Files::new(limit);
    let mut add = |part: &UnitPart<'_>| {
        let paths = part.files.iter();
        paths.map(|parts| files.add(parts)).collect()
    };
    let rows = parts.iter().map(&mut add).collect();
    (files, rows)
}

/// Puts the files' strings behind the functions', and moves the records along.
fn files_behind(strings: &mut Vec<u8>, files: Files) -> Vec<FileRecord> {
    let (records, more) = files.into_tables();
    // A table that outgrows 32 bits has texts that are not found, not wrong ones.
    let before = u32::try_from(strings.len()).unwrap_or(NONE);
    strings.extend_from_slice(&more);
    let moved = |at: Le32| match at.get() {
        0 => at,
        at => Le32::new(at.saturating_add(before)),
    };
    let records = records.into_iter();
    records
        .map(|record| FileRecord {
            directory: moved(record.directory),
            name: moved(record.name),
        })
        .collect()
}

fn all_nodes(merged: &[Source<'_, '_>]) -> (Vec<Node>, Vec<Le16>) {
    let moved = |source: &Source<'_, '_>| source.nodes.behind(source.nodes_before);
    let parts: Vec<Vec<Node>> = merged.par_iter().map(moved).collect();
    let columns = merged.iter().map(|source| source.nodes.columns());
    (parts.concat(), columns.collect::<Vec<_>>().concat())
}

/// Scopes: where they start, and the node or [`NONE`].
pub(super) type Scopes = Vec<(Le32, Le32)>;

fn scopes(merged: &[Source<'_, '_>], claims: &Claims) -> Scopes {
    let blocks = merged
        .iter()
        .map(|source| source.part.scope_blocks.as_slice());
    let placed = blocks::place(blocks, claims);
    let lay_out = |placed: &[Placed], next: u32| {
        let mut scopes = Vec::new();
        for (block, gap) in with_gaps(placed, next) {
            let Some(source) = source_of(merged, block) else {
                continue;
            };
            let rows = rows_of(&source.part.scopes, block, |scope| scope.0.get());
            for (start, node) in rows {
                let start = start.get().max(block.begin);
                let node = source.nodes.row_of(node.get());
                let node = node.saturating_add(source.nodes_before);
                scopes.push((Le32::new(start), Le32::new(node)));
            }
            if gap {
                scopes.push((Le32::new(block.end), Le32::new(NONE)));
            }
        }
        scopes
    };
    chunks(&placed)
        .map(|(placed, next)| lay_out(placed, next))
        .collect::<Vec<_>>()
        .concat()
}

/// The line table, column by column.
#[derive(Debug, Default)]
struct LineTable {
    starts: Vec<Le32>,
    files: Vec<Le32>,
    lines: Vec<Le32>,
    columns: Vec<Le16>,
}

impl LineTable {
    fn push(&mut self, row: LineRow) {
        self.starts.push(Le32::new(row.start));
        self.files.push(Le32::new(row.file));
        self.lines.push(Le32::new(row.line));
        self.columns.push(Le16::new(row.column));
    }

    /// Returns the rows of all, in tables that are no larger than that takes.
    fn concat(tables: &[Self]) -> Self {
        fn column<'t, T: Copy + 't>(
            tables: &'t [LineTable],
            of: impl Fn(&'t LineTable) -> &'t [T],
        ) -> Vec<T> {
            tables.iter().map(of).collect::<Vec<_>>().concat()
        }
        Self {
            starts: column(tables, |table| &table.starts),
            files: column(tables, |table| &table.files),
            lines: column(tables, |table| &table.lines),
            columns: column(tables, |table| &table.columns),
        }
    }
}

fn lines(merged: &[Source<'_, '_>], claims: &Claims) -> LineTable {
    let blocks = merged
        .iter()
        .map(|source| source.part.line_blocks.as_slice());
    let placed = blocks::place(blocks, claims);
    let lay_out = |placed: &[Placed], next: u32| {
        let mut table = LineTable::default();
        for (block, gap) in with_gaps(placed, next) {
            let Some(source) = source_of(merged, block) else {
                continue;
            };
            for row in rows_of(&source.part.lines, block, |row| row.start) {
                let file = usize::try_from(row.file).ok();
                let file = file.and_then(|at| source.files.get(at));
                table.push(LineRow {
                    start: row.start.max(block.begin),
                    file: file.copied().unwrap_or(NONE),
                    ..*row
                });
            }
            if gap {
                table.push(LineRow {
                    start: block.end,
                    file: NONE,
                    line: 0,
                    column: 0,
                });
            }
        }
        table
    };
    let tables: Vec<LineTable> = chunks(&placed)
        .map(|(placed, next)| lay_out(placed, next))
        .collect();
    LineTable::concat(&tables)
}

/// Chunks of blocks, each with where the first block behind it begins.
fn chunks(placed: &[Placed]) -> impl IndexedParallelIterator<Item = (&[Placed], u32)> {
    let next_of = |at: usize| {
        let next = at.saturating_add(1).saturating_mul(CHUNK);
        placed.get(next).map_or(NONE, |block| block.begin)
    };
    let chunks = placed.par_chunks(CHUNK).enumerate();
    chunks.map(move |(at, chunk)| (chunk, next_of(at)))
}

/// Returns each block and whether a gap follows it.
fn with_gaps(placed: &[Placed], next: u32) -> impl Iterator<Item = (&Placed, bool)> {
    let begins = placed.iter().skip(1).map(|block| block.begin);
    let begins = begins.chain(std::iter::once(next));
    let pairs = placed.iter().zip(begins);
    pairs.map(|(block, next)| (block, block.end < next))
}

fn source_of<'m, 'p, 'd>(
    merged: &'m [Source<'p, 'd>],
    block: &Placed,
) -> Option<&'m Source<'p, 'd>> {
    merged.get(usize::try_from(block.unit).ok()?)
}

/// Returns the rows that hold within the placed block, which may be less than
/// the block it was.
fn rows_of<'r, R>(rows: &'r [R], block: &Placed, start: impl Fn(&R) -> u32) -> &'r [R] {
    let first = usize::try_from(block.first).unwrap_or(usize::MAX);
    let count = usize::try_from(block.count).unwrap_or(0);
    let rows = rows.get(first..).and_then(|rows| rows.get(..count));
    let rows = rows.unwrap_or_default();
    let from = rows.partition_point(|row| start(row) <= block.begin);
    let to = rows.partition_point(|row| start(row) < block.end);
    rows.get(from.saturating_sub(1)..to).unwrap_or_default()
}
