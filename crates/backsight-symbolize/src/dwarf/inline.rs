//! What the compiler folded into one function.
//!
//! `DW_TAG_inlined_subroutine` DIEs form a tree; its ranges become a table whose
//! entries name the deepest node, and from there the parents lead outwards.

use std::sync::OnceLock;

use gimli::{Attribute, AttributeValue, UnitOffset};

use super::function::{Function, Functions};
use super::index::Index;
use super::line::{Lines, Location};
use super::name::Name;
use super::range::RangeAttrs;
use super::unit::Unit;
use super::{Fault, Fuel, Slice, name};
use crate::cover::{Cover, Item};

/// The inside of one function.
#[derive(Debug, Default)]
pub(super) struct Body {
    inlines: Vec<Inline>,
    cover: Cover,
    name: OnceLock<Name>,
    pub(super) limited: bool,
}

/// One call that was folded in.
#[derive(Debug)]
pub(super) struct Inline {
    die: UnitOffset,
    parent: Option<u32>,
    call_file: Option<u64>,
    call_line: u32,
    call_column: u32,
    /// Whether deeper calls were left out, being too deep.
    pub(super) cut: bool,
    name: OnceLock<Name>,
}

impl Body {
    /// Walks the DIEs inside the function at `die`. What stands before a
    /// malformed DIE, or before a limit, counts.
    pub(super) fn read<'d>(
        die: UnitOffset,
        unit: &Unit<'d>,
        index: &Index<'d>,
        fuel: &mut Fuel,
    ) -> Self {
        let mut body = Self::default();
        let mut items = Vec::new();
        let walked = body.walk(die, unit, index, fuel, &mut items);
        body.limited = walked == Err(Fault::Limit);
        body.cover = Cover::new(items, 1);
        body
    }

    fn walk<'d>(
        &mut self,
        die: UnitOffset,
        unit: &Unit<'d>,
        index: &Index<'d>,
        fuel: &mut Fuel,
        items: &mut Vec<Item>,
    ) -> Result<(), Fault> {
        let limits = &index.options.limits;
        let root = unit.own_root(index)?;
        let unit_ref = root.unit_ref(index);
        let mut entries = unit_ref.entries_raw(Some(die))?;
        let top = entries.next_depth();
        let abbrev = entries.read_abbreviation()?.ok_or(Fault::Malformed)?;
        entries.skip_attributes(abbrev.attributes())?;

        // The inlined calls that enclose the next DIE, outermost first.
        let mut open: Vec<(isize, u32)> = Vec::new();
        // Inside a nested function, or below the deepest level: skip to here.
        let mut skip_to = None;
        while !entries.is_empty() && entries.next_depth() > top {
            let depth = entries.next_depth();
            let die = entries.next_offset();
            let Some(abbrev) = entries.read_abbreviation()? else {
                continue;
            };
            fuel.spend(abbrev.attributes().len().saturating_add(1))?;
            if skip_to.is_some_and(|to| depth <= to) {
                skip_to = None;
            }
            while open.last().is_some_and(|(of, _)| *of >= depth) {
                open.pop();
            }
            let inlined = abbrev.tag() == gimli::DW_TAG_inlined_subroutine;
            if skip_to.is_some() || !inlined {
                if skip_to.is_none() && abbrev.tag() == gimli::DW_TAG_subprogram {
                    skip_to = Some(depth);
                }
                entries.skip_attributes(abbrev.attributes())?;
                continue;
            }
            let parent = open.last().map(|(_, inline)| *inline);
            if open.len() >= usize::from(limits.inline_depth) {
                let parent = parent.and_then(|at| self.inlines.get_mut(usize::try_from(at).ok()?));
                if let Some(parent) = parent {
                    parent.cut = true;
                }
                skip_to = Some(depth);
                entries.skip_attributes(abbrev.attributes())?;
                continue;
            }
            let mut inline = Inline::new(die, parent);
            let mut ranges = RangeAttrs::default();
            for spec in abbrev.attributes() {
                let attr = entries.read_attribute(*spec)?;
                ranges.take(&attr);
                inline.take(&attr, unit.header.version());
            }
            let value = u32::try_from(self.inlines.len()).map_err(|_| Fault::Limit)?;
            let level = u32::try_from(open.len()).unwrap_or(u32::MAX);
            let mut full = false;
            let walked = ranges.for_each(unit_ref, fuel, |begin, end| {
                full |= items.len() >= limits.rows_per_unit;
                if !full {
                    items.push(Item {
                        begin,
                        end,
                        rank: u32::MAX.saturating_sub(level),
                        value,
                    });
                }
            });
            if full || walked == Err(Fault::Limit) {
                return Err(Fault::Limit);
            }
            self.inlines.push(inline);
            open.push((depth, value));
        }
        Ok(())
    }

    /// Returns the calls folded together at `addr`, innermost first.
    pub(super) fn inlines_at(&self, addr: u64) -> impl Iterator<Item = &Inline> {
        let get = |at: u32| self.inlines.get(usize::try_from(at).ok()?);
        let deepest = self.cover.find(addr).first().and_then(|at| get(*at));
        std::iter::successors(deepest, move |inline| inline.parent.and_then(get))
    }

    /// Returns the physical function's own name.
    pub(super) fn name<'d>(
        &self,
        function: &Function,
        unit: &Unit<'d>,
        functions: &Functions,
        index: &Index<'d>,
    ) -> Name {
        let resolve = || functions.with_fuel(|fuel| name::of(function.die, unit, index, fuel));
        self.name.get_or_init(resolve).clone()
    }
}

impl Inline {
    fn new(die: UnitOffset, parent: Option<u32>) -> Self {
        Self {
            die,
            parent,
            call_file: None,
            call_line: 0,
            call_column: 0,
            cut: false,
            name: OnceLock::new(),
        }
    }

    fn take(&mut self, attr: &Attribute<Slice<'_>>, version: u16) {
        let number = || u32::try_from(attr.udata_value().unwrap_or(0)).unwrap_or(0);
        match attr.name() {
            gimli::DW_AT_call_file => {
                // File 0 meant "none" until DWARF 5 gave it to the unit's own
                // file.
                if let AttributeValue::FileIndex(file) = attr.value() {
                    self.call_file = Some(file).filter(|file| *file > 0 || version >= 5);
                }
            }
            gimli::DW_AT_call_line => self.call_line = number(),
            gimli::DW_AT_call_column => self.call_column = number(),
            _ => {}
        }
    }

    /// Returns where the call stands.
    pub(super) fn call<'d>(
        &self,
        lines: Option<&Lines<'d>>,
        unit: &Unit<'d>,
        index: &Index<'d>,
    ) -> Location {
        let file = self.call_file.zip(lines);
        Location {
            file: file.and_then(|(file, lines)| lines.file(file, unit, index)),
            line: Some(self.call_line).filter(|line| *line > 0),
            column: Some(self.call_column).filter(|column| *column > 0),
        }
    }

    /// Returns the name of the function that was folded in.
    pub(super) fn name<'d>(
        &self,
        unit: &Unit<'d>,
        functions: &Functions,
        index: &Index<'d>,
    ) -> Name {
        let resolve = || functions.with_fuel(|fuel| name::of(self.die, unit, index, fuel));
        self.name.get_or_init(resolve).clone()
    }
}
