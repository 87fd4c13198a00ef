//! Lays out a whole table for an index.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use backsight_index::engine::{
    CallNode, CodeOffsets, NONE, Overlaps, PathParts, RankedRange, RawName, SequenceRow, UnitPart,
    UnitRanges,
};
use rayon::prelude::*;

use super::body::Body;
use super::call_tree::{Call, LONGEST};
use super::functions::Function;
use super::levels::GoLimits;
use super::names::GoNames;
use super::runs::Run;
use super::table::{GoTable, TableView};
use crate::memory::Memory;

/// The number of functions that are laid out as one unit.
const PER_UNIT: usize = 2048;

/// The maximum number of runs of all functions for each byte of the table. A program with
/// 63,000 functions has 0.09, one with 9,000 has 0.13. The limit is needed because forged
/// records may all share the same runs.
const RUNS_PER_BYTE: usize = 1;

/// A table that is laid out for an index.
#[derive(Debug, Default)]
pub struct GoUnits<'d> {
    /// The parts, with a fixed number of functions each.
    pub parts: Vec<UnitPart<'d>>,
    /// The ranges of the functions. The value is the index of the part.
    functions: Vec<RankedRange>,
}

impl GoUnits<'_> {
    /// Adds the parts to `ranges` for code that no unit has yet. `units` has the unit of
    /// each part.
    pub fn claim(&self, ranges: &mut UnitRanges, units: &[u32], code: &CodeOffsets) {
        ranges.fill(&Overlaps::new(self.functions.clone(), 1), units, code);
    }
}

impl GoTable {
    /// Lays out the table, in rayon's current thread pool.
    #[must_use]
    pub fn units<'d>(
        &self,
        memory: &Memory<'d>,
        names: &'d GoNames,
        code: &CodeOffsets,
        limits: GoLimits,
    ) -> GoUnits<'d> {
        let Some(view) = self.view(memory) else {
            return GoUnits::default();
        };
        let runs = AtomicUsize::new(view.bytes.all.len().saturating_mul(RUNS_PER_BYTE));
        let count = self.functions.div_ceil(PER_UNIT);
        let lay_out = |unit: usize| {
            let first = unit.saturating_mul(PER_UNIT);
            let last = first.saturating_add(PER_UNIT).min(self.functions);
            let mut lowering = Lowering::new(view, names, code, limits, unit);
            for number in first..last {
                lowering.add(number, &runs);
            }
            (lowering.part, lowering.ranges)
        };
        let units = (0..count).into_par_iter().with_max_len(1).map(lay_out);
        let units: Vec<(UnitPart<'d>, Vec<RankedRange>)> = units.collect();
        let (parts, functions): (Vec<_>, Vec<_>) = units.into_iter().unzip();
        GoUnits {
            parts,
            functions: functions.into_iter().flatten().collect(),
        }
    }
}

/// The state while functions are added to a part.
struct Lowering<'t, 'd> {
    view: TableView<'t, 'd>,
    names: &'d GoNames,
    code: &'t CodeOffsets,
    limits: GoLimits,
    unit: u32,
    part: UnitPart<'d>,
    ranges: Vec<RankedRange>,
    /// Rows of functions, by name and line.
    functions: HashMap<(u32, u32), u32>,
    /// Rows of files, by the offset of their path.
    files: HashMap<usize, u32>,
    body: Body,
    /// For one function: the node of each row of its inline tree, and its depth.
    nodes: HashMap<i32, (u32, usize)>,
    calls: Vec<(i32, Call)>,
    scopes: Vec<(u64, Option<u32>)>,
    rows: Vec<SequenceRow>,
}

impl<'t, 'd> Lowering<'t, 'd> {
    fn new(
        view: TableView<'t, 'd>,
        names: &'d GoNames,
        code: &'t CodeOffsets,
        limits: GoLimits,
        unit: usize,
    ) -> Self {
        Self {
            view,
            names,
            code,
            limits,
            unit: u32::try_from(unit).unwrap_or(NONE),
            part: UnitPart::default(),
            ranges: Vec::new(),
            functions: HashMap::new(),
            files: HashMap::new(),
            body: Body::default(),
            nodes: HashMap::new(),
            calls: Vec::new(),
            scopes: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn add(&mut self, number: usize, runs: &AtomicUsize) {
        let Some(function) = self.view.function(number) else {
            self.part.damaged = true;
            return;
        };
        self.body.read(&self.view, &function);
        self.part.damaged |= self.body.is_damaged;
        let take = |left: usize| left.checked_sub(self.body.runs());
        let (relaxed, body) = (Ordering::Relaxed, &self.body);
        if runs.fetch_update(relaxed, relaxed, take).is_err() {
            self.part.limited = true;
            return;
        }
        let end = function.entry.saturating_add(body.size);
        if body.size == 0 {
            return;
        }
        self.ranges.push(RankedRange {
            begin: function.entry,
            end,
            rank: 0,
            value: self.unit,
        });
        let root = self.root(&function);
        self.lay_out_calls(&function, root);
        self.lay_out_lines(&function);
        let (scopes, rows) = (&self.scopes, &self.rows);
        let part = &mut self.part;
        self.code.parts(function.entry, end, |virt, from, to| {
            part.push_scopes(virt, (from, to), root, scopes);
            let into = virt.saturating_sub(function.entry);
            part.push_lines(into, (from, to), rows, |_, file| file);
        });
    }

    fn root(&mut self, function: &Function) -> u32 {
        let row = self.function_row(function.name, function.start_line);
        let entry = self.code.offset(function.entry).unwrap_or(0);
        let size = u32::try_from(self.body.size).unwrap_or(0);
        self.push_node(CallNode::root(row, entry, size))
    }

    fn push_node(&mut self, node: CallNode) -> u32 {
        let number = u32::try_from(self.part.nodes.len()).unwrap_or(NONE);
        self.part.nodes.push(node);
        self.part.node_columns.push(Default::default());
        number
    }

    fn function_row(&mut self, name: u32, line: u32) -> u32 {
        if let Some(row) = self.functions.get(&(name, line)) {
            return *row;
        }
        let raw = self.view.raw_name(name, self.limits.name_bytes);
        let names = self.names;
        let plain = raw.and_then(|(at, raw)| names.printed(at, raw));
        self.part.damaged |= self.view.is_name_damaged(name) || raw.is_some() && plain.is_none();
        let row = u32::try_from(self.part.functions.len()).unwrap_or(NONE);
        self.part.functions.push(RawName {
            plain,
            line,
            ..RawName::default()
        });
        self.functions.insert((name, line), row);
        row
    }

    /// Returns the row of a file, and the line if there is one.
    fn place(&mut self, unit: u32, (file, line): (i32, i32)) -> (u32, u32) {
        let Some(at) = self.view.path_at(unit, file) else {
            self.part.damaged |= self.view.is_path_damaged(unit, file);
            return (NONE, 0);
        };
        let (view, limit, part) = (&self.view, self.limits.name_bytes, &mut self.part);
        let row = *self.files.entry(at).or_insert_with(|| {
            let Some(name) = view.path(at, limit) else {
                return NONE;
            };
            part.files.push(PathParts {
                name,
                ..PathParts::default()
            });
            let row = part.files.len().checked_sub(1);
            row.and_then(|row| u32::try_from(row).ok()).unwrap_or(NONE)
        });
        let line = u32::try_from(line).unwrap_or(0);
        (row, if row == NONE { 0 } else { line })
    }

    /// Lays out the changes of the call level.
    fn lay_out_calls(&mut self, function: &Function, root: u32) {
        self.nodes.clear();
        self.scopes.clear();
        let mut begin = function.entry;
        for at in 0..self.body.calls.len() {
            let Some(run) = self.body.calls.get(at).copied() else {
                break;
            };
            let node = match run.value {
                negative if negative < 0 => root,
                row => self.node(function, root, row),
            };
            self.scopes.push((begin, Some(node)));
            begin = function.entry.saturating_add(run.end);
        }
        self.scopes.push((begin, Some(root)));
    }

    /// Returns the node of a row of the tree. Creates it and the enclosing ones if
    /// needed.
    fn node(&mut self, function: &Function, root: u32, row: i32) -> u32 {
        if let Some((node, _)) = self.nodes.get(&row) {
            return *node;
        }
        let mut calls = std::mem::take(&mut self.calls);
        let is_sound = self.view.calls(function, &self.body, row, &mut calls);
        self.part.damaged |= !is_sound;
        let (mut node, mut depth) = (root, 0_usize);
        for (row, call) in calls.iter().rev() {
            if let Some(known) = self.nodes.get(row) {
                (node, depth) = *known;
                continue;
            }
            depth = depth.saturating_add(1);
            if depth > self.limits.inline_depth {
                self.part.limited = true;
            } else {
                let name = self.function_row(call.name, call.start_line);
                let (file, line) = self.place(function.unit, call.site);
                node = self.push_node(CallNode::inlined(node, name, file, line));
            }
            self.nodes.insert(*row, (node, depth));
        }
        if !is_sound {
            self.nodes.insert(row, (root, LONGEST));
        }
        self.calls = calls;
        node
    }

    /// Lays out the changes of the source line.
    fn lay_out_lines(&mut self, function: &Function) {
        self.rows.clear();
        let end_of = |runs: &[Run], at: usize| runs.get(at).map_or(u64::MAX, |run| run.end);
        let (mut begin, mut file, mut line) = (0_u64, 0_usize, 0_usize);
        while begin < self.body.size {
            let value = |runs: &[Run], at: usize| runs.get(at).map_or(-1, |run| run.value);
            let place = (value(&self.body.files, file), value(&self.body.lines, line));
            let (row, number) = self.place(function.unit, place);
            self.rows.push(SequenceRow {
                into: u32::try_from(begin).unwrap_or(NONE),
                file: row,
                line: number,
                column: 0,
            });
            let ends = (
                end_of(&self.body.files, file),
                end_of(&self.body.lines, line),
            );
            begin = ends.0.min(ends.1);
            file = file.saturating_add(usize::from(ends.0 == begin));
            line = line.saturating_add(usize::from(ends.1 == begin));
        }
    }
}
