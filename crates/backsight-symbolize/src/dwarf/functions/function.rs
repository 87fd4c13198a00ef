//! The functions of one unit, by address.

use std::sync::{Mutex, OnceLock, PoisonError};

use backsight_index::engine::{ByteCount, Overlaps, RankedRange, bytes_of};
use gimli::UnitOffset;

use super::inline::FunctionBody;
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::DieKind;
use crate::dwarf::die::walk::CodeDies;
use crate::dwarf::fault::Fault;
use crate::dwarf::ranges::range::RangeSink;
use crate::dwarf::units::unit::Unit;
use crate::elf::ElfFile;

/// The functions of one unit that have code.
#[derive(Debug)]
pub(in crate::dwarf) struct FunctionTable {
    list: Vec<DwarfFunction>,
    overlaps: Overlaps,
    /// Whether a limit left some out.
    pub(in crate::dwarf) limited: bool,
    /// Whether the walk ended at what cannot be read.
    pub(in crate::dwarf) damaged: bool,
    /// What the bodies of all functions together may cost. Functions nested in
    /// functions would otherwise have each body walked again and again.
    fuel: Mutex<Fuel>,
}

/// A `DW_TAG_subprogram` with code. Its inside is read when it is first hit.
#[derive(Debug)]
pub(in crate::dwarf) struct DwarfFunction {
    pub(in crate::dwarf) die: UnitOffset,
    /// Where it is entered: `DW_AT_low_pc`, else the first of its ranges, which
    /// is where compilers put the part that is not cold.
    pub(in crate::dwarf) start: u64,
    body: OnceLock<Box<FunctionBody>>,
}

impl FunctionTable {
    /// Walks all DIEs of the unit. What precedes a malformed DIE, or before
    /// a limit is used.
    ///
    /// With `only`, what is kept suffices for this address, and for none other.
    pub(in crate::dwarf) fn read(
        unit: &Unit<'_>,
        only: Option<u64>,
        elf: &ElfFile,
    ) -> Result<Self, Fault> {
        let mut list = Vec::new();
        let mut items = Vec::new();
        let mut fuel = unit.fuel();
        let walked = walk(unit, only, elf, &mut fuel, &mut list, &mut items);
        Ok(Self {
            list,
            overlaps: Overlaps::new(items, 1),
            limited: walked == Err(Fault::Limit),
            damaged: walked == Err(Fault::Malformed),
            fuel: Mutex::new(unit.fuel()),
        })
    }

    /// Returns the bytes that its tables take.
    pub(in crate::dwarf) fn bytes(&self) -> usize {
        bytes_of(&self.list).saturating_add(self.overlaps.bytes())
    }

    /// Returns the innermost function that covers `addr`.
    pub(in crate::dwarf) fn find(&self, addr: u64) -> Option<&DwarfFunction> {
        let at = self.overlaps.find(addr).first()?;
        self.list.get(usize::try_from(*at).ok()?)
    }

    /// Lends the fuel that is left to `walk`, and takes back what it left.
    pub(in crate::dwarf) fn with_fuel<T>(&self, walk: impl FnOnce(&mut Fuel) -> T) -> T {
        let lock = || self.fuel.lock().unwrap_or_else(PoisonError::into_inner);
        // Not locked during the walk, so that lookups do not wait for it.
        let before = lock().left();
        let mut lent = Fuel::of(before);
        let result = walk(&mut lent);
        let spent = before.saturating_sub(lent.left());
        let mut fuel = lock();
        *fuel = Fuel::of(fuel.left().saturating_sub(spent));
        result
    }
}

fn walk(
    unit: &Unit<'_>,
    only: Option<u64>,
    elf: &ElfFile,
    fuel: &mut Fuel,
    list: &mut Vec<DwarfFunction>,
    items: &mut Vec<RankedRange>,
) -> Result<(), Fault> {
    let unit_ref = unit.own_root()?.unit_ref();
    let limit = unit.unit_file.limits.rows_per_unit;
    let mut dies = CodeDies::of_unit(unit)?;
    while let Some(die) = dies.next(fuel)? {
        if die.kind != DieKind::Function {
            continue;
        }
        let value = u32::try_from(list.len()).map_err(|_| Fault::Limit)?;
        let mut start = None;
        let mut wanted = false;
        let sink = RangeSink {
            items,
            limit,
            rank: 0,
            value,
            damage: unit.unit_file.damage,
        };
        die.ranges().collect(unit_ref, fuel, sink, |begin, end| {
            if !elf.has_function(begin, end) {
                return false;
            }
            start = start.or(Some(begin));
            let is_asked = only.is_none_or(|addr| begin <= addr && addr < end);
            wanted |= is_asked;
            is_asked
        })?;
        if let Some(first) = start.filter(|_| wanted) {
            let low = die.ranges().low(unit_ref).filter(|low| elf.is_code(*low));
            list.push(DwarfFunction {
                die: die.die,
                start: low.unwrap_or(first),
                body: OnceLock::new(),
            });
        }
    }
    Ok(())
}

impl DwarfFunction {
    /// Returns what is inlined in it.
    pub(in crate::dwarf) fn body(
        &self,
        unit: &Unit<'_>,
        functions: &FunctionTable,
        kept: &ByteCount,
    ) -> &FunctionBody {
        self.body.get_or_init(|| {
            let read = |fuel: &mut Fuel| FunctionBody::read(self.die, unit, fuel);
            let body = functions.with_fuel(read);
            kept.add(body.bytes());
            Box::new(body)
        })
    }
}
