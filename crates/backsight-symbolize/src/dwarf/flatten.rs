//! All that one unit says of its code, as flat tables.
//!
//! One walk over the unit's DIEs and one run of its line program, nothing looked
//! up in between: what a lookup finds step by step, laid out in advance. The
//! answers are the same; a batch that touches most units gets them sooner.

use backsight_index::engine::{
    CallNode, CodeOffsets, Le16, NONE, OverlapScratch, Overlaps, RankedRange, UnitPart,
    ValueChange, innermost, sort,
};
use hashbrown::HashMap;

use super::fault::Fault;
use super::lookup::DwarfLookup;
use crate::dwarf::die::form::{AttrValue, ValueClass};
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::DieKind;
use crate::dwarf::die::walk::{CodeDie, CodeDies};
use crate::dwarf::functions::name;
use crate::dwarf::lines::line_table::LineTable;
use crate::dwarf::ranges::range::RangeSink;
use crate::dwarf::units::tables::UnitTables;
use crate::dwarf::units::unit::Unit;

/// A function with code, on its way into the part.
#[derive(Debug)]
struct FlatFunction {
    /// Its root node.
    node: u32,
    /// Where its body's spans are.
    spans: std::ops::Range<usize>,
}

/// A DIE whose descendants are being walked.
#[derive(Debug)]
struct OpenDie {
    depth: isize,
    /// Inlined calls around the next DIE, this one included.
    level: u32,
    /// The node of this DIE; `None` for a function without code.
    node: Option<u32>,
    /// Set for functions: where its inlined ranges begin among all that are open,
    /// and which function it is.
    function: Option<(usize, Option<usize>)>,
    /// Whether it lies below the deepest level that is kept.
    too_deep: bool,
}

/// The files of the line program that the part has rows of.
struct FileRows<'f, 'd> {
    /// Has the lines and their files.
    unit: &'f Unit<'d>,
    lines: &'f LineTable<'d>,
    /// Rows by the files' numbers in the line program.
    rows: Vec<u32>,
}

impl<'d> FileRows<'_, 'd> {
    /// Returns the row of the file with this number in the line program.
    fn row(&mut self, file: u64, part: &mut UnitPart<'d>) -> u32 {
        let slot = usize::try_from(file).ok();
        let Some(slot) = slot.and_then(|at| self.rows.get_mut(at)) else {
            return self.lines.no_file(self.unit).unwrap_or(NONE);
        };
        if *slot == NONE
            && let Some(parts) = self.lines.path_parts(file, self.unit)
        {
            *slot = u32::try_from(part.files.len()).unwrap_or(NONE);
            part.files.push(parts);
        }
        *slot
    }
}

/// What a unit is flattened in, kept from one to the next: a file has thousands.
#[derive(Debug, Default)]
pub(crate) struct FlattenScratch<'d> {
    lines: LineTable<'d>,
    part: UnitPart<'d>,
    file_rows: Vec<u32>,
    /// The functions' ranges; the value is a row of `functions`.
    ranges: Vec<RankedRange>,
    overlaps: Overlaps,
    /// Rows of the functions by the DIE that names them.
    function_rows: HashMap<AttrValue, u32>,
    functions: Vec<FlatFunction>,
    open: Vec<OpenDie>,
    /// The ranges inlined into the functions that are open; the value is a node.
    inlined: Vec<RankedRange>,
    /// Begins and nodes of the bodies that are closed.
    spans: Vec<ValueChange>,
    room: OverlapScratch,
}

impl FlattenScratch<'_> {
    /// Forgets the unit before.
    fn begin(&mut self) {
        self.ranges.clear();
        self.function_rows.clear();
        self.functions.clear();
        self.open.clear();
        self.inlined.clear();
        self.spans.clear();
    }
}

/// A unit on its way into a part.
struct Flattening<'f, 'd> {
    /// Has the functions and their names.
    full: &'f Unit<'d>,
    index: &'f DwarfLookup<'d>,
    code: &'f CodeOffsets,
    part: UnitPart<'d>,
    files: FileRows<'f, 'd>,
    scratch: &'f mut FlattenScratch<'d>,
    fuel: Fuel,
}

/// Flattens one unit. What precedes a malformed DIE or row or a
/// limit is used.
pub(in crate::dwarf) fn flatten<'d>(
    tables: &UnitTables<'d>,
    index: &DwarfLookup<'d>,
    code: &CodeOffsets,
    scratch: &mut FlattenScratch<'d>,
) -> UnitPart<'d> {
    scratch.begin();
    let unit = &tables.unit;
    let mut lines = std::mem::take(&mut scratch.lines);
    lines.clear();
    let read = unit
        .own_root()
        .and_then(|root| lines.fill(root, None, index.elf, &mut scratch.ranges));
    scratch.ranges.clear();
    let mut rows = std::mem::take(&mut scratch.file_rows);
    rows.clear();
    rows.resize(lines.file_count(), NONE);
    let full = &tables.full(&index.splits).unit;
    let mut flattening = Flattening {
        full,
        index,
        code,
        part: std::mem::take(&mut scratch.part),
        files: FileRows {
            unit,
            lines: &lines,
            rows,
        },
        scratch,
        // A walk, and the names of all it meets.
        fuel: full.unit_file.fuel_for(full.length().saturating_mul(2)),
    };
    let walked = flattening.walk();
    let limited = [read, walked].contains(&Err(Fault::Limit));
    let damaged = read == Err(Fault::Malformed);
    // The functions may be another file's.
    full.unit_file.damage.sound(walked);
    flattening.close_down_to(isize::MIN);
    flattening.lay_out_scopes();
    flattening.lay_out_lines();
    let Flattening { part, files, .. } = flattening;
    scratch.file_rows = files.rows;
    scratch.lines = lines;
    scratch.part = part;
    UnitPart {
        mangles: full.mangles(),
        limited,
        damaged,
        ..scratch.part.take()
    }
}

impl<'d> Flattening<'_, 'd> {
    fn walk(&mut self) -> Result<(), Fault> {
        let mut dies = CodeDies::of_unit(self.full)?;
        while let Some(die) = dies.next(&mut self.fuel)? {
            self.close_down_to(die.closed);
            match die.kind {
                DieKind::Function => self.function(die)?,
                _ => self.inlined_call(die)?,
            }
        }
        Ok(())
    }

    /// Closes what is open at this depth or deeper.
    fn close_down_to(&mut self, depth: isize) {
        let FlattenScratch {
            functions,
            open,
            inlined,
            spans,
            room,
            ..
        } = &mut *self.scratch;
        while let Some(open) = open.pop_if(|open| open.depth >= depth) {
            let Some((from, function)) = open.function else {
                continue;
            };
            if let Some(function) = function.and_then(|at| functions.get_mut(at)) {
                let items = inlined.get_mut(from..).unwrap_or_default();
                sort(items);
                let first = spans.len();
                innermost(items, room, spans);
                function.spans = first..spans.len();
            }
            inlined.truncate(from);
        }
    }

    fn function(&mut self, die: &CodeDie) -> Result<(), Fault> {
        let root = self.full.own_root()?;
        let unit = root.unit_ref();
        let limit = self.full.unit_file.limits.rows_per_unit;
        let value = u32::try_from(self.scratch.functions.len()).map_err(|_| Fault::Limit)?;
        let mut first_range = None;
        let elf = self.index.elf;
        let sink = RangeSink {
            items: &mut self.scratch.ranges,
            limit,
            rank: 0,
            value,
            damage: self.full.unit_file.damage,
        };
        die.ranges()
            .collect(unit, &mut self.fuel, sink, |begin, end| {
                let is_code = elf.has_function(begin, end);
                if is_code {
                    first_range = first_range.or(Some((begin, end)));
                }
                is_code
            })?;
        let mut open = OpenDie {
            depth: die.depth,
            level: 0,
            node: None,
            function: Some((self.scratch.inlined.len(), None)),
            too_deep: false,
        };
        if let Some((begin, end)) = first_range {
            let low = die.ranges().low(unit);
            let entry = low.and_then(|low| self.code.offset(low));
            let entry = entry.or_else(|| self.code.offset(begin)).unwrap_or(0);
            let size = u32::try_from(end.saturating_sub(begin)).unwrap_or(0);
            let function = self.function_row(die);
            let node = self.push_node(CallNode::root(function, entry, size), 0)?;
            self.scratch
                .functions
                .push(FlatFunction { node, spans: 0..0 });
            open.node = Some(node);
            open.function = Some((
                self.scratch.inlined.len(),
                self.scratch.functions.len().checked_sub(1),
            ));
        }
        self.enclose(die, open);
        Ok(())
    }

    fn inlined_call(&mut self, die: &CodeDie) -> Result<(), Fault> {
        // Outside of functions with code there is nothing to be inlined into.
        let Some(outer) = self.scratch.open.last() else {
            return Ok(());
        };
        let Some(parent) = outer.node else {
            return Ok(());
        };
        let (level, outer_too_deep) = (outer.level, outer.too_deep);
        let limits = self.full.unit_file.limits;
        let mut open = OpenDie {
            depth: die.depth,
            level: level.saturating_add(1),
            node: Some(parent),
            function: None,
            too_deep: true,
        };
        if outer_too_deep {
            self.enclose(die, open);
            return Ok(());
        }
        if level >= u32::from(limits.inline_depth) {
            let parent = usize::try_from(parent).ok();
            if let Some(parent) = parent.and_then(|at| self.part.nodes.get_mut(at)) {
                *parent = parent.cut();
            }
            self.enclose(die, open);
            return Ok(());
        }
        let file = die.call_file(self.full);
        let file = file.map_or(NONE, |file| self.files.row(file, &mut self.part));
        let function = self.function_row(die);
        let node = CallNode::inlined(parent, function, file, die.call_line());
        let value = self.push_node(node, die.call_column())?;
        let root = self.full.own_root()?;
        let unit = root.unit_ref();
        let sink = RangeSink {
            items: &mut self.scratch.inlined,
            limit: limits.rows_per_unit,
            rank: u32::MAX.saturating_sub(level),
            value,
            damage: self.full.unit_file.damage,
        };
        die.ranges()
            .collect(unit, &mut self.fuel, sink, |_, _| true)?;
        open.node = Some(value);
        open.too_deep = false;
        self.enclose(die, open);
        Ok(())
    }

    /// Notes what encloses the next DIEs. One without children encloses none, and
    /// the walk would not say when it ends.
    fn enclose(&mut self, die: &CodeDie, open: OpenDie) {
        if die.has_children {
            self.scratch.open.push(open);
        }
    }

    fn push_node(&mut self, node: CallNode, column: u16) -> Result<u32, Fault> {
        let at = u32::try_from(self.part.nodes.len()).map_err(|_| Fault::Limit)?;
        self.part.nodes.push(node);
        self.part.node_columns.push(Le16::new(column));
        Ok(at)
    }

    /// Returns the row of the function that this DIE is, or is a copy of.
    fn function_row(&mut self, die: &CodeDie) -> u32 {
        // Copies share their original's row, unless they have a name themselves.
        let origin = die.origin().filter(|_| !die.is_named());
        let shared = [ValueClass::UnitRef, ValueClass::InfoRef, ValueClass::SupRef];
        let key = origin.filter(|origin| shared.contains(&origin.class));
        if let Some(row) = key.and_then(|key| self.scratch.function_rows.get(&key)) {
            return *row;
        }
        let raw = name::raw(die, self.full, &self.index.links, &mut self.fuel);
        let row = u32::try_from(self.part.functions.len()).unwrap_or(NONE);
        self.part.functions.push(raw);
        if let Some(key) = key {
            self.scratch.function_rows.insert(key, row);
        }
        row
    }

    fn lay_out_scopes(&mut self) {
        let FlattenScratch {
            ranges,
            overlaps,
            functions,
            spans,
            ..
        } = &mut *self.scratch;
        overlaps.fill(ranges, 1);
        for (begin, end, value) in overlaps.covered() {
            let function = usize::try_from(value).ok();
            let Some(function) = function.and_then(|at| functions.get(at)) else {
                continue;
            };
            let spans = spans.get(function.spans.clone()).unwrap_or_default();
            let part = &mut self.part;
            self.code.parts(begin, end, |virt, from, to| {
                part.push_scopes(virt, (from, to), function.node, spans);
            });
        }
    }

    fn lay_out_lines(&mut self) {
        let Self { part, files, .. } = self;
        files.lines.for_each_run(|begin, end, sequence, rows| {
            self.code.parts(begin, end, |virt, from, to| {
                // The run lies within the sequence.
                let into = virt.saturating_sub(sequence);
                part.push_lines(into, (from, to), rows, |part, file| {
                    files.row(file.into(), part)
                });
            });
        });
    }
}
