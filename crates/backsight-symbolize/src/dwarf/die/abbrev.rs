//! Abbreviation tables, parsed once each.
//!
//! Units may share a table, and forged ones may each claim a different tail of
//! the same huge one. So what is read is paid for out of fuel that suffices for the
//! section as a whole many times over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{DebugAbbrevOffset, Encoding, Reader, UnitHeader};

use super::compile::compile;
use super::cursor::DwarfCursor;
use super::entry::{AttrSpec, DieHead};
use super::fuel::Fuel;
use super::plan::AbbrevPlans;
use super::slice::Slice;
use crate::dwarf::fault::Fault;

/// The tables that the units of one file name, each parsed when first asked for.
#[derive(Debug)]
pub(in crate::dwarf) struct AbbrevTables<'d> {
    section: Slice<'d>,
    tables: Mutex<HashMap<usize, Arc<AbbrevTable<'d>>>>,
    /// In steps, for all of them.
    fuel: AtomicU64,
}

/// One table: what root DIEs need of it, and compiled.
#[derive(Debug, Default)]
struct AbbrevTable<'d> {
    /// By the code.
    root: OnceLock<(u64, Result<DwarfCursor<'d>, Fault>)>,
    plans: OnceLock<(Encoding, Compiled)>,
    /// For units that share the table and nothing else.
    more_plans: Mutex<Vec<(Encoding, Compiled)>>,
}

type Compiled = Result<Arc<AbbrevPlans>, Fault>;

impl<'d> AbbrevTables<'d> {
    /// Takes `.debug_abbrev`, and what all of its tables together may cost.
    pub(in crate::dwarf) fn new(section: Slice<'d>, fuel: Fuel) -> Self {
        Self {
            section,
            tables: Mutex::default(),
            fuel: AtomicU64::new(fuel.left()),
        }
    }

    /// Returns the attributes of the abbreviation of this code, of the table at `offset`
    /// of `.debug_abbrev`, to be read as [`AttrSpec`]s.
    ///
    /// Root DIEs need one of hundreds, and those that share a table share it.
    pub(in crate::dwarf) fn specs(
        &self,
        offset: DebugAbbrevOffset,
        code: u64,
    ) -> Result<DwarfCursor<'d>, Fault> {
        let table = self.table(offset);
        let find = || self.with_fuel(|fuel| find(self.at(offset)?, code, fuel));
        let (known, specs) = table.root.get_or_init(|| (code, find()));
        if *known == code {
            return *specs;
        }
        find()
    }

    /// Returns the unit's table, compiled.
    pub(in crate::dwarf) fn plans(&self, unit: &UnitHeader<Slice<'d>>) -> Compiled {
        let (offset, encoding) = (unit.debug_abbrev_offset(), unit.encoding());
        let table = self.table(offset);
        let compile = || {
            let table = self.at(offset)?;
            let plans = self.with_fuel(|fuel| compile(table, encoding, fuel));
            plans.map(Arc::new)
        };
        let (first, plans) = table.plans.get_or_init(|| (encoding, compile()));
        if *first == encoding {
            return plans.clone();
        }
        let more = table.more_plans.lock();
        let mut more = more.unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plans)) = more.iter().find(|(of, _)| *of == encoding) {
            return plans.clone();
        }
        let plans = compile();
        more.push((encoding, plans.clone()));
        plans
    }

    /// Lends what is left of the fuel, and notes what is spent.
    ///
    /// Not locked meanwhile: tables are read side by side. Those that are may
    /// together take more than was left, each no more than that.
    fn with_fuel<T>(&self, work: impl FnOnce(&mut Fuel) -> T) -> T {
        let before = self.fuel.load(Ordering::Relaxed);
        let mut fuel = Fuel::of(before);
        let done = work(&mut fuel);
        let spent = before.saturating_sub(fuel.left());
        let less = |left: u64| Some(left.saturating_sub(spent));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // It always has a new value.
        let _ = self.fuel.fetch_update(set, fetch, less);
        done
    }

    fn table(&self, offset: DebugAbbrevOffset) -> Arc<AbbrevTable<'d>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(offset.0).or_default())
    }

    fn at(&self, offset: DebugAbbrevOffset) -> Result<Slice<'d>, Fault> {
        let mut rest = self.section;
        rest.skip(offset.0)?;
        Ok(rest)
    }
}

/// Returns where the attributes of the abbreviation of this code begin.
fn find<'d>(table: Slice<'d>, code: u64, fuel: &mut Fuel) -> Result<DwarfCursor<'d>, Fault> {
    let mut cursor = DwarfCursor::new(table, 0);
    while let Some(head) = DieHead::read(&mut cursor)? {
        if head.code == code {
            return Ok(cursor);
        }
        loop {
            fuel.spend(1)?;
            let spec = AttrSpec::read(&mut cursor)?;
            if spec.is_end() {
                break;
            }
            spec.constant(&mut cursor)?;
        }
    }
    Err(Fault::Malformed)
}
