//! The calls that the compiler inlined into one function.
//!
//! `DW_TAG_inlined_subroutine` DIEs form a tree; its ranges become a table whose
//! entries name the deepest node, and from there the parents lead outwards.

use std::sync::OnceLock;

use backsight_index::engine::{Name, Overlaps, RankedRange, bytes_of};
use gimli::UnitOffset;

use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::DieKind;
use crate::dwarf::die::walk::{CodeDie, CodeDies};
use crate::dwarf::fault::Fault;
use crate::dwarf::lines::line_table::{LineTable, SourceLocation};
use crate::dwarf::ranges::range::RangeSink;
use crate::dwarf::units::unit::Unit;

/// The inside of one function.
#[derive(Debug, Default)]
pub(in crate::dwarf) struct FunctionBody {
    inlines: Vec<InlinedCall>,
    overlaps: Overlaps,
    name: OnceLock<Name>,
    pub(in crate::dwarf) limited: bool,
    /// Whether the walk ended at what cannot be read.
    pub(in crate::dwarf) damaged: bool,
}

/// One inlined call.
#[derive(Debug)]
pub(in crate::dwarf) struct InlinedCall {
    die: UnitOffset,
    parent: Option<u32>,
    call_file: Option<u64>,
    call_line: u32,
    call_column: u16,
    /// Whether deeper calls were left out, being too deep.
    pub(in crate::dwarf) cut: bool,
    name: OnceLock<Name>,
}

impl FunctionBody {
    /// Walks the DIEs inside the function at `die`. What precedes a
    /// malformed DIE or a limit is used.
    pub(in crate::dwarf) fn read(die: UnitOffset, unit: &Unit<'_>, fuel: &mut Fuel) -> Self {
        let mut body = Self::default();
        let mut items = Vec::new();
        let walked = body.walk(die, unit, fuel, &mut items);
        body.limited = walked == Err(Fault::Limit);
        body.damaged = walked == Err(Fault::Malformed);
        body.overlaps = Overlaps::new(items, 1);
        body
    }

    fn walk(
        &mut self,
        die: UnitOffset,
        unit: &Unit<'_>,
        fuel: &mut Fuel,
        items: &mut Vec<RankedRange>,
    ) -> Result<(), Fault> {
        let limits = unit.unit_file.limits;
        let unit_ref = unit.own_root()?.unit_ref();
        let mut dies = CodeDies::of_subtree(die, unit)?;
        // The inlined calls that enclose the next DIE, outermost first.
        let mut open: Vec<(isize, u32)> = Vec::new();
        while let Some(die) = dies.next(fuel)? {
            if die.depth == 0 {
                continue;
            }
            while open.last().is_some_and(|(depth, _)| *depth >= die.closed) {
                open.pop();
            }
            // A nested function has a body of its own.
            if die.kind == DieKind::Function {
                dies.skip_children();
                continue;
            }
            let parent = open.last().map(|(_, inline)| *inline);
            if open.len() >= usize::from(limits.inline_depth) {
                let parent = parent.and_then(|at| self.inlines.get_mut(usize::try_from(at).ok()?));
                if let Some(parent) = parent {
                    parent.cut = true;
                }
                dies.skip_children();
                continue;
            }
            let value = u32::try_from(self.inlines.len()).map_err(|_| Fault::Limit)?;
            let level = u32::try_from(open.len()).unwrap_or(u32::MAX);
            let sink = RangeSink {
                items,
                limit: limits.rows_per_unit,
                rank: u32::MAX.saturating_sub(level),
                value,
                damage: unit.unit_file.damage,
            };
            die.ranges().collect(unit_ref, fuel, sink, |_, _| true)?;
            self.inlines.push(InlinedCall::new(die, parent, unit));
            if die.has_children {
                open.push((die.depth, value));
            }
        }
        Ok(())
    }

    /// Returns the bytes that its tables take.
    pub(in crate::dwarf) fn bytes(&self) -> usize {
        let tables = bytes_of(&self.inlines).saturating_add(self.overlaps.bytes());
        tables.saturating_add(size_of::<Self>())
    }

    /// Returns the inlined calls at `addr`, innermost first.
    pub(in crate::dwarf) fn inlines_at(&self, addr: u64) -> impl Iterator<Item = &InlinedCall> {
        let get = |at: u32| self.inlines.get(usize::try_from(at).ok()?);
        let deepest = self.overlaps.find(addr).first().and_then(|at| get(*at));
        std::iter::successors(deepest, move |inline| inline.parent.and_then(get))
    }

    /// Returns the physical function's own name, which `resolve` finds the first time.
    pub(in crate::dwarf) fn name(&self, resolve: impl FnOnce() -> Name) -> Name {
        self.name.get_or_init(resolve).clone()
    }
}

impl InlinedCall {
    fn new(die: &CodeDie, parent: Option<u32>, unit: &Unit<'_>) -> Self {
        Self {
            die: die.die,
            parent,
            call_file: die.call_file(unit),
            call_line: die.call_line(),
            call_column: die.call_column(),
            cut: false,
            name: OnceLock::new(),
        }
    }

    /// Returns where the call stands.
    pub(in crate::dwarf) fn call<'d>(
        &self,
        lines: Option<&LineTable<'d>>,
        unit: &Unit<'d>,
    ) -> SourceLocation {
        let file = self.call_file.zip(lines);
        SourceLocation {
            file: file.and_then(|(file, lines)| lines.file(file, unit)),
            line: Some(self.call_line).filter(|line| *line > 0),
            column: Some(self.call_column.into()).filter(|column| *column > 0),
        }
    }

    /// Returns the name of the inlined function, which `resolve` finds from
    /// the DIE of the call the first time.
    pub(in crate::dwarf) fn name(&self, resolve: impl FnOnce(UnitOffset) -> Name) -> Name {
        self.name.get_or_init(|| resolve(self.die)).clone()
    }
}
