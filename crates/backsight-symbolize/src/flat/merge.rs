//! The parts of all units, made into one index.

use rayon::prelude::*;

use super::blocks::{self, Placed};
use super::files::Files;
use super::functions::Functions;
use super::nodes::Nodes;
use super::spots::{self, SpotTables, Spots};
use super::{Sources, gaps};
use crate::claims::Claims;
use crate::dwarf::{Block, DwarfFile, LineRow, UnitPart};
use crate::index::{
    Column, FileRecord, Index, Le32, Meta, NONE, Node, NodeRow, Parts, Row, buckets,
};

/// Blocks that one thread lays out at a time.
const CHUNK: usize = 4096;

/// What is left of a unit's part, and the rows that its own have in the index.
struct Source {
    scopes: Vec<(Le32, Le32)>,
    scope_blocks: Vec<Block>,
    line_blocks: Vec<Block>,
    nodes: Nodes,
    /// Its nodes follow those of the units before it.
    nodes_before: u32,
    /// The part's lines: where they start, and the unit's spot.
    lines: Vec<(Le32, Le32)>,
    spots: Vec<u32>,
}

impl Source {
    /// Takes the part of a unit whose functions and files have these rows, and lets go of
    /// what it had. Also returns the unit's spots.
    fn of(part: UnitPart<'_>, functions: &[u32], files: &[u32]) -> (Self, SpotTables) {
        let mut spots = Spots::default();
        let mut line = |row: &LineRow| {
            let file = spots::row_of(files, row.file);
            let spot = spots.add(file, row.line, row.column);
            (Le32::new(row.start), Le32::new(spot))
        };
        let lines = part.lines.iter().map(&mut line).collect();
        let source = Self {
            nodes: Nodes::of(&part, functions, files, &mut spots),
            scopes: part.scopes,
            scope_blocks: part.scope_blocks,
            line_blocks: part.line_blocks,
            nodes_before: 0,
            lines,
            spots: Vec::new(),
        };
        (source, spots.into_tables())
    }
}

/// Merges the parts of all units, in the units' order.
pub(super) fn merge<'d>(parts: Vec<UnitPart<'d>>, claims: &Claims, sources: Sources<'d>) -> Index {
    let meta = Meta {
        build_id: sources.build_id,
        inline_depth: sources.limits.inline_depth.into(),
        incomplete: sources.dwarf.is_none_or(DwarfFile::is_incomplete),
        limited: sources.limited || claims.limited || parts.iter().any(|part| part.limited),
        ..Meta::default()
    };
    let ((mut functions, function_rows), (files, file_rows)) = rayon::join(
        || function_rows(&parts),
        || file_rows(&parts, sources.limits.name_bytes),
    );
    let rows = function_rows.into_par_iter().zip(file_rows);
    let sources_of = parts.into_par_iter().zip(rows);
    let units: Vec<(Source, SpotTables)> = sources_of
        .map(|(part, (functions, files))| Source::of(part, &functions, &files))
        .collect();
    let (merged, (spots, spot_columns)) = number(units);

    let (mut nodes, (scopes, lines)) = rayon::join(
        || all_nodes(&merged),
        || rayon::join(|| scopes(&merged, claims), || lines(&merged, claims)),
    );
    let scopes = gaps::fill(scopes, &mut nodes, &mut functions, &sources);
    let mut extents = Vec::new();
    let nodes = nodes.into_iter().map(|node| node.to_row(&mut extents));
    let nodes: Vec<NodeRow> = nodes.collect();

    let (function_records, mut strings) = functions.into_tables();
    let files = files_behind(&mut strings, files);
    let size = sources.code.size();
    let shift = meta.bucket_shift;
    Index::new(Parts {
        buckets: Column::Built(buckets(&scopes, &lines, shift, size)),
        windows: Column::Built(sources.code.into_windows()),
        scopes: Column::Built(scopes),
        lines: Column::Built(lines),
        spots: Column::Built(spots),
        spot_columns: Column::Built(spot_columns),
        nodes: Column::Built(nodes),
        extents: Column::Built(extents),
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

/// Gives the nodes and spots of all units their rows in the index.
fn number(units: Vec<(Source, SpotTables)>) -> (Vec<Source>, SpotTables) {
    // Half of them are new, as a rule.
    let count = units
        .iter()
        .map(|(_, (spots, _))| spots.len())
        .sum::<usize>()
        / 2;
    let mut all = Spots::with_capacity(count);
    let mut nodes_before: u32 = 0;
    let mut numbered = Vec::with_capacity(units.len());
    for (mut source, spots) in units {
        source.spots = all.add_all(&spots);
        source.nodes_before = nodes_before;
        let count = u32::try_from(source.nodes.len()).unwrap_or(NONE);
        nodes_before = nodes_before.saturating_add(count);
        numbered.push(source);
    }
    (numbered, all.into_tables())
}

fn all_nodes(merged: &[Source]) -> Vec<Node> {
    let moved = |source: &Source| source.nodes.behind(source.nodes_before, &source.spots);
    let parts: Vec<Vec<Node>> = merged.par_iter().map(moved).collect();
    parts.concat()
}

/// Scopes, and their nodes.
fn scopes(merged: &[Source], claims: &Claims) -> Vec<Row> {
    let blocks = merged.iter().map(|source| source.scope_blocks.as_slice());
    let placed = blocks::place(blocks, claims);
    lay_out(
        merged,
        &placed,
        |source| &source.scopes,
        |source, node| {
            let node = source.nodes.row_of(node);
            node.saturating_add(source.nodes_before)
        },
    )
}

/// Lines, and their spots.
fn lines(merged: &[Source], claims: &Claims) -> Vec<Row> {
    let blocks = merged.iter().map(|source| source.line_blocks.as_slice());
    let placed = blocks::place(blocks, claims);
    lay_out(
        merged,
        &placed,
        |source| &source.lines,
        |source, spot| spots::row_of(&source.spots, spot),
    )
}

/// Lays out the rows of placed blocks one behind another. `row` is asked for the row in
/// the index of what a unit's row names.
fn lay_out(
    merged: &[Source],
    placed: &[Placed],
    rows_in: impl for<'s> Fn(&'s Source) -> &'s [(Le32, Le32)] + Sync,
    row: impl Fn(&Source, u32) -> u32 + Sync,
) -> Vec<Row> {
    let chunk = |(placed, next): (&[Placed], u32)| {
        let mut laid_out = Vec::new();
        for (block, gap) in with_gaps(placed, next) {
            let Some(source) = source_of(merged, block) else {
                continue;
            };
            for (start, named) in rows_of(rows_in(source), block) {
                let start = start.get().max(block.begin);
                let row = row(source, named.get());
                laid_out.push(Row::new(start, row));
            }
            if gap {
                laid_out.push(Row::new(block.end, NONE));
            }
        }
        laid_out
    };
    chunks(placed).map(chunk).collect::<Vec<_>>().concat()
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

fn source_of<'m>(merged: &'m [Source], block: &Placed) -> Option<&'m Source> {
    merged.get(usize::try_from(block.unit).ok()?)
}

/// Returns the rows that hold within the placed block, which may be less than
/// the block it was.
fn rows_of<'r>(rows: &'r [(Le32, Le32)], block: &Placed) -> &'r [(Le32, Le32)] {
    let first = usize::try_from(block.first).unwrap_or(usize::MAX);
    let count = usize::try_from(block.count).unwrap_or(0);
    let rows = rows.get(first..).and_then(|rows| rows.get(..count));
    let rows = rows.unwrap_or_default();
    let from = rows.partition_point(|row| row.0.get() <= block.begin);
    let to = rows.partition_point(|row| row.0.get() < block.end);
    rows.get(from.saturating_sub(1)..to).unwrap_or_default()
}
