//! Merges the parts of all units into one index.

use rayon::prelude::*;

use super::blocks::{self, PlacedBlock};
use super::code_offsets::CodeOffsets;
use super::files::FileMerger;
use super::functions::FunctionMerger;
use super::merge_input::{MergeInput, TableSymbols};
use super::nodes::{KnownNodes, UnitNodes, at_row};
use super::part::{Block, LineRow, UnitPart};
use super::spots::{self, SharedFiles, SpotMerger, SpotTables};
use super::unit_ranges::UnitRanges;
use super::{gaps, layout};
use crate::format::{
    CallNode, Extent, FileRecord, FlatIndex, FunctionRecord, IndexMeta, IndexParts, Le32, NONE,
    NodeRow, OffsetRow, TableRows, bucket_shift, buckets,
};
use crate::symbol_index::SymbolIndex;

/// The rows of a unit that are still needed, and their rows in the index.
struct UnitRows {
    scopes: Vec<(Le32, Le32)>,
    scope_blocks: Vec<Block>,
    line_blocks: Vec<Block>,
    nodes: UnitNodes,
    /// The number of nodes of the units before it.
    nodes_before: u32,
    /// The part's lines: their start, and the unit's spot.
    lines: Vec<(Le32, Le32)>,
}

/// Buffers that are reused from one unit to the next.
#[derive(Default)]
struct MergeScratch {
    spots: SpotMerger,
    known: KnownNodes,
}

impl UnitRows {
    /// Converts the part of a unit, whose functions and files have these rows in the
    /// index. Also returns the unit's spots.
    fn of(
        part: UnitPart<'_>,
        functions: &[u32],
        files: &[u32],
        scratch: &mut MergeScratch,
    ) -> (Self, SpotTables) {
        let MergeScratch { spots, known } = scratch;
        let mut line = |row: &LineRow| {
            let file = spots::row_of(files, row.file);
            let spot = spots.add(file, row.line, row.column);
            (Le32::new(row.start), Le32::new(spot))
        };
        let lines = part.lines.iter().map(&mut line).collect();
        let source = Self {
            nodes: UnitNodes::of(&part, functions, files, spots, known),
            scopes: part.scopes,
            scope_blocks: part.scope_blocks,
            line_blocks: part.line_blocks,
            nodes_before: 0,
            lines,
        };
        (source, spots.take_tables())
    }
}

/// Scopes, nodes, functions and files of the index, without the spots.
struct MergedScopes {
    rows: Vec<OffsetRow>,
    /// The nodes of all units, with the spots of their units, followed by those of
    /// symbols.
    nodes: Vec<CallNode>,
    functions: Vec<FunctionRecord>,
    files: Vec<FileRecord>,
    strings: Vec<u8>,
}

/// Merges the parts of all units, in the order of the units. `unit_ranges` says which
/// unit is used for code that several have.
///
/// Sequential phases run in pairs, in parallel.
pub fn merge<'d>(
    mut parts: Vec<UnitPart<'d>>,
    unit_ranges: impl FnOnce(&CodeOffsets) -> UnitRanges + Send,
    symbols: &TableSymbols<'d>,
    merging: MergeInput,
) -> SymbolIndex {
    let code = &merging.code;
    let named = parts.par_iter_mut();
    named.for_each(|part| gaps::name_functions(part, symbols.symbols, code));
    let ((functions, function_rows), ((files, file_rows), unit_ranges)) = rayon::join(
        || function_rows(&parts),
        || {
            let files = || file_rows(&parts, merging.name_bytes);
            rayon::join(files, || unit_ranges(code))
        },
    );
    let mut meta = IndexMeta {
        build_id: merging.build_id,
        inline_depth: merging.inline_depth.into(),
        incomplete: merging.is_incomplete,
        limited: symbols.limited || unit_ranges.limited || parts.iter().any(|part| part.limited),
        ..IndexMeta::default()
    };
    let shared = SharedFiles::of(&file_rows, files.len());
    let rows = function_rows.into_par_iter().zip(file_rows);
    let sources_of = parts.into_par_iter().zip(rows);
    let units: Vec<(UnitRows, SpotTables)> = sources_of
        .map_init(
            MergeScratch::default,
            |scratch, (part, (functions, files))| UnitRows::of(part, &functions, &files, scratch),
        )
        .collect();
    let (merged, unit_spots) = number(units);
    let ((spots, spot_rows), (placed_lines, scopes)) = rayon::join(
        || all_spots(unit_spots, &shared),
        || {
            let blocks = merged.iter().map(|source| source.line_blocks.as_slice());
            rayon::join(
                || blocks::place(blocks, &unit_ranges),
                || scopes(&merged, &unit_ranges, functions, files, symbols, code),
            )
        },
    );
    let ((nodes, extents), lines) = rayon::join(
        || node_rows(scopes.nodes, &merged, &spot_rows),
        || lines(&merged, &placed_lines, &spot_rows),
    );
    let scope_rows = scopes.rows;
    let size = code.size();
    let rows = scope_rows.len().saturating_add(lines.len());
    meta.bucket_shift = bucket_shift(meta.bucket_shift, rows, size);
    let shift = meta.bucket_shift;
    let (buckets, ()) = rayon::join(
        || buckets(&scope_rows, &lines, shift, size),
        || merged.into_par_iter().for_each(drop),
    );
    let (spots, spot_columns) = spots;
    let index = FlatIndex::new(IndexParts {
        buckets: TableRows::Built(buckets),
        windows: TableRows::Built(merging.code.into_windows()),
        scopes: TableRows::Built(scope_rows),
        lines: TableRows::Built(lines),
        spots: TableRows::Built(spots),
        spot_columns: TableRows::Built(spot_columns),
        nodes: TableRows::Built(nodes),
        extents: TableRows::Built(extents),
        functions: TableRows::Built(scopes.functions),
        demangled: TableRows::default(),
        files: TableRows::Built(scopes.files),
        strings: TableRows::Built(scopes.strings),
        meta,
    });
    SymbolIndex::of_index(index)
}

fn function_rows<'d>(parts: &[UnitPart<'d>]) -> (FunctionMerger<'d>, Vec<Vec<u32>>) {
    // Usually half of them are new.
    let count = parts.iter().map(|part| part.functions.len()).sum::<usize>() / 2;
    let mut functions = FunctionMerger::with_capacity(count);
    let mut add = |part: &UnitPart<'d>| {
        let names = part.functions.iter();
        names.map(|name| functions.add(name)).collect()
    };
    let rows = parts.iter().map(&mut add).collect();
    (functions, rows)
}

fn file_rows<'d>(parts: &[UnitPart<'d>], limit: usize) -> (FileMerger<'d>, Vec<Vec<u32>>) {
    let mut files = FileMerger::new(limit);
    let mut add = |part: &UnitPart<'d>| {
        let paths = part.files.iter();
        paths.map(|parts| files.add(parts)).collect()
    };
    let rows = parts.iter().map(&mut add).collect();
    (files, rows)
}

/// Numbers the nodes of all units.
fn number(units: Vec<(UnitRows, SpotTables)>) -> (Vec<UnitRows>, Vec<SpotTables>) {
    let mut nodes_before: u32 = 0;
    let numbered = units.into_iter().map(|(mut source, spots)| {
        source.nodes_before = nodes_before;
        let count = u32::try_from(source.nodes.len()).unwrap_or(NONE);
        nodes_before = nodes_before.saturating_add(count);
        (source, spots)
    });
    numbered.unzip()
}

/// Returns the spots of all units, and for each unit the rows of its spots in the result.
fn all_spots(units: Vec<SpotTables>, shared: &SharedFiles) -> (SpotTables, Vec<Vec<u32>>) {
    // Usually half of them are new.
    let count = units.iter().map(|(spots, _)| spots.len()).sum::<usize>() / 2;
    let mut all = SpotMerger::with_capacity(count);
    let rows = units.iter().map(|spots| all.add_all(spots, shared));
    let rows = rows.collect();
    (all.into_tables(), rows)
}

/// Returns the rows and the extents of nodes, which are in the order of their units.
/// `spot_rows` has the rows of each unit's spots.
fn node_rows(
    nodes: Vec<CallNode>,
    merged: &[UnitRows],
    spot_rows: &[Vec<u32>],
) -> (Vec<NodeRow>, Vec<Extent>) {
    let mut rows = Vec::with_capacity(nodes.len());
    let mut extents = Vec::new();
    let mut nodes = nodes.into_iter();
    for (source, spots) in merged.iter().zip(spot_rows) {
        let own = nodes.by_ref().take(source.nodes.len());
        rows.extend(own.map(|node| at_row(node, spots).to_row(&mut extents)));
    }
    // The nodes of symbols are functions, which have no spot.
    rows.extend(nodes.map(|node| node.to_row(&mut extents)));
    (rows, extents)
}

/// Returns the scopes of all units, with the gaps between them filled by symbols.
fn scopes<'d>(
    merged: &[UnitRows],
    unit_ranges: &UnitRanges,
    mut functions: FunctionMerger<'d>,
    files: FileMerger<'d>,
    symbols: &TableSymbols<'d>,
    code: &CodeOffsets,
) -> MergedScopes {
    let blocks = merged.iter().map(|source| source.scope_blocks.as_slice());
    let placed = blocks::place(blocks, unit_ranges);
    let rows = |unit: usize| {
        let source = merged.get(unit)?;
        let row = |node| {
            source
                .nodes
                .row_of(node)
                .saturating_add(source.nodes_before)
        };
        Some((source.scopes.as_slice(), row))
    };
    let rows = layout::lay_out(&placed, rows);
    let count = merged.iter().map(|source| source.nodes.len()).sum();
    let mut nodes = Vec::with_capacity(count);
    for source in merged {
        nodes.extend(source.nodes.renumbered(source.nodes_before));
    }
    let rows = gaps::fill(&rows, &mut nodes, &mut functions, symbols.symbols, code);
    let (files, paths) = files.into_tables(functions.string_bytes());
    let (functions, strings) = functions.into_tables(&paths);
    MergedScopes {
        rows,
        nodes,
        functions,
        files,
        strings,
    }
}

/// Returns the lines of all units, with their spots.
fn lines(merged: &[UnitRows], placed: &[PlacedBlock], spot_rows: &[Vec<u32>]) -> Vec<OffsetRow> {
    let rows = |unit: usize| {
        let (source, spots) = merged.get(unit).zip(spot_rows.get(unit))?;
        Some((source.lines.as_slice(), |spot| spots::row_of(spots, spot)))
    };
    layout::lay_out(placed, rows)
}
