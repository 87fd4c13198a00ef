//! Abbreviation tables, parsed once each.
//!
//! Units may share a table, and forged ones may each claim a different tail of
//! the same huge one. So a table's length is found first, paid for out of fuel
//! that suffices for the section as a whole many times over, and the table is
//! then parsed from just these bytes.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{Abbreviations, DebugAbbrevOffset, Reader};

use super::{Fault, Fuel, Slice};

/// The tables that the units of one file name, each parsed when first asked for.
#[derive(Debug)]
pub(super) struct AbbrevTables {
    tables: Vec<(usize, OnceLock<Table>)>,
    fuel: Mutex<Fuel>,
}

type Table = Result<Arc<Abbreviations>, Fault>;

impl AbbrevTables {
    /// Takes the offsets that unit headers name, in any order.
    pub(super) fn new(mut offsets: Vec<usize>, fuel: Fuel) -> Self {
        offsets.sort_unstable();
        offsets.dedup();
        let tables = offsets.into_iter();
        Self {
            tables: tables.map(|offset| (offset, OnceLock::new())).collect(),
            fuel: Mutex::new(fuel),
        }
    }

    /// Returns the table at `offset` of `.debug_abbrev`.
    pub(super) fn get(&self, section: Slice<'_>, offset: DebugAbbrevOffset) -> Table {
        let at = self.tables.binary_search_by_key(&offset.0, |table| table.0);
        let table = at.ok().and_then(|at| self.tables.get(at));
        let (_, table) = table.ok_or(Fault::Malformed)?;
        let parse = || {
            let mut fuel = self.fuel.lock().unwrap_or_else(PoisonError::into_inner);
            parse(section, offset.0, &mut fuel)
        };
        table.get_or_init(parse).clone()
    }
}

fn parse(section: Slice<'_>, offset: usize, fuel: &mut Fuel) -> Table {
    let mut rest = section;
    rest.skip(offset)?;
    let length = table_length(rest, fuel)?;
    rest.truncate(length)?;
    let table = gimli::DebugAbbrev::from(rest).abbreviations(DebugAbbrevOffset(0))?;
    Ok(Arc::new(table))
}

/// DWARF 5, 7.5.3: entries of code, tag, has-children and (name, form) pairs,
/// ended by a code 0.
fn table_length(table: Slice<'_>, fuel: &mut Fuel) -> Result<usize, Fault> {
    let mut rest = table;
    while rest.read_uleb128()? != 0 {
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
                break;
            }
        }
    }
    table.len().checked_sub(rest.len()).ok_or(Fault::Malformed)
}
