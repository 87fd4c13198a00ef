//! Abbreviation tables, parsed once each.
//!
//! Units may share a table, and forged ones may each claim a different tail of
//! the same huge one. So what is read is paid for out of fuel that suffices for the
//! section as a whole many times over. gimli asks for none: before it parses a table
//! the length is found, and paid for.
//!
//! Walks and names go by our own [`Plans`]; gimli's form is for the one abbreviation
//! of root DIEs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{Abbreviations, DebugAbbrevOffset, Encoding, Reader, UnitHeader};

use super::compile::compile;
use super::plan::Plans;
use super::{Fault, Fuel, Slice};

/// The tables that the units of one file name, each parsed when first asked for.
#[derive(Debug)]
pub(super) struct AbbrevTables<'d> {
    section: Slice<'d>,
    tables: Mutex<HashMap<usize, Arc<Table>>>,
    /// In steps, for all of them.
    fuel: AtomicU64,
}

/// One table, as gimli has it and compiled.
#[derive(Debug, Default)]
struct Table {
    /// The abbreviation of root DIEs, by its code: those that share a table share it.
    root: OnceLock<(u64, Parsed)>,
    parsed: OnceLock<Parsed>,
    plans: OnceLock<(Encoding, Compiled)>,
    /// For units that share the table and nothing else.
    more_plans: Mutex<Vec<(Encoding, Compiled)>>,
}

type Parsed = Result<Arc<Abbreviations>, Fault>;
type Compiled = Result<Arc<Plans>, Fault>;

impl<'d> AbbrevTables<'d> {
    /// Takes `.debug_abbrev`, and what all of its tables together may cost.
    pub(super) fn new(section: Slice<'d>, fuel: Fuel) -> Self {
        Self {
            section,
            tables: Mutex::default(),
            fuel: AtomicU64::new(fuel.left()),
        }
    }

    /// Returns the abbreviation of this code, of the table at `offset` of
    /// `.debug_abbrev`, and no others unless that costs nothing more: a root DIE needs
    /// one of hundreds.
    pub(super) fn of_root(&self, offset: DebugAbbrevOffset, code: u64) -> Parsed {
        let table = self.table(offset);
        let one = || self.with_fuel(|fuel| self.one(offset, code, fuel));
        let (known, parsed) = table.root.get_or_init(|| (code, one()));
        if *known == code {
            return parsed.clone();
        }
        self.get(offset)
    }

    fn one(&self, offset: DebugAbbrevOffset, code: u64, fuel: &mut Fuel) -> Parsed {
        let mut rest = self.section;
        rest.skip(offset.0)?;
        loop {
            let entry = rest;
            let found = rest.read_uleb128()?;
            if found == 0 {
                return Err(Fault::Malformed);
            }
            pass_entry(&mut rest, fuel)?;
            if found == code {
                let length = entry.len().checked_sub(rest.len());
                let entry = length.and_then(|length| entry.slice().get(..length));
                // A table of its own, with the zero that ends one.
                let alone = [entry.ok_or(Fault::Malformed)?, &[0]].concat();
                let alone = Slice::new(&alone, self.section.endian());
                let parsed = gimli::DebugAbbrev::from(alone).abbreviations(DebugAbbrevOffset(0))?;
                return Ok(Arc::new(parsed));
            }
        }
    }

    /// Returns the table at `offset` of `.debug_abbrev`.
    pub(super) fn get(&self, offset: DebugAbbrevOffset) -> Parsed {
        let table = self.table(offset);
        let parse = || {
            let bytes = self.with_fuel(|fuel| self.bytes(offset, fuel))?;
            let parsed = gimli::DebugAbbrev::from(bytes).abbreviations(DebugAbbrevOffset(0))?;
            Ok(Arc::new(parsed))
        };
        table.parsed.get_or_init(parse).clone()
    }

    /// Returns the unit's table, compiled.
    pub(super) fn plans(&self, unit: &UnitHeader<Slice<'d>>) -> Compiled {
        let (offset, encoding) = (unit.debug_abbrev_offset(), unit.encoding());
        let table = self.table(offset);
        let compile = || {
            let mut rest = self.section;
            rest.skip(offset.0)?;
            let plans = self.with_fuel(|fuel| compile(rest, encoding, fuel));
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

    fn table(&self, offset: DebugAbbrevOffset) -> Arc<Table> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(offset.0).or_default())
    }

    fn bytes(&self, offset: DebugAbbrevOffset, fuel: &mut Fuel) -> Result<Slice<'d>, Fault> {
        let mut rest = self.section;
        rest.skip(offset.0)?;
        let length = table_length(rest, fuel)?;
        rest.truncate(length)?;
        Ok(rest)
    }
}

/// DWARF 5, 7.5.3: entries of code, tag, has-children and (name, form) pairs,
/// ended by a code 0.
fn table_length(table: Slice<'_>, fuel: &mut Fuel) -> Result<usize, Fault> {
    let mut rest = table;
    while rest.read_uleb128()? != 0 {
        pass_entry(&mut rest, fuel)?;
    }
    table.len().checked_sub(rest.len()).ok_or(Fault::Malformed)
}

/// Passes what stands behind the code of an entry.
fn pass_entry(rest: &mut Slice<'_>, fuel: &mut Fuel) -> Result<(), Fault> {
    rest.read_uleb128()?;
    rest.read_u8()?;
    loop {
        fuel.spend(1)?;
        let name = rest.read_uleb128()?;
        let form = rest.read_uleb128()?;
        if form == u64::from(gimli::DW_FORM_implicit_const.0) {
            rest.read_sleb128()?;
        }
        if name == 0 && form == 0 {
            return Ok(());
        }
    }
}
