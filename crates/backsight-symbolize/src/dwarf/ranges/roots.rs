//! The address ranges that root DIEs claim for their units.

use backsight_index::engine::Overlaps;
use gimli::Section;

use super::unit_map::{UnitMap, item};
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::dwarf::units::tables::ReadContext;
use crate::dwarf::units::unit_list::UnitList;

/// Reads the root DIEs of all units, or of those alone that are not `listed`: units
/// whose address ranges are known, by where they begin, ascending.
pub(in crate::dwarf) fn read(
    units: &UnitList<'_>,
    listed: &[usize],
    unlisted_only: bool,
    with: ReadContext<'_>,
) -> UnitMap {
    let limits = units.unit_file.limits;
    let mut fuel = units.unit_file.fuel_for(bytes(&units.unit_file.dwarf));
    let mut rows_left = limits.rows_per_unit;
    let mut items = Vec::new();
    let mut map = UnitMap::default();
    for tables in units.iter() {
        let unit = &tables.unit;
        let listed = listed.binary_search(&unit.offset).is_ok();
        if listed && unlisted_only || !unit.may_hold_code() {
            continue;
        }
        // Units that were parsed before the listing keep their tables.
        let tables = units.at(unit.offset).unwrap_or(tables);
        let unit = &tables.unit;
        let at = map.offsets.len();
        let before = items.len();
        let ranges = unit.root(&mut fuel).and_then(|root| {
            root.ranges
                .for_each(root.unit_ref(), &mut fuel, |begin, end| {
                    if items.len() < limits.rows_per_unit && with.elf.has_code(begin, end) {
                        items.push(item(begin, end, at));
                    }
                })
        });
        map.offsets.push(unit.offset);
        units.unit_file.damage.sound(ranges);
        map.limited |= ranges == Err(Fault::Limit) || items.len() >= limits.rows_per_unit;
        if items.len() == before && !listed {
            // It does not say: its lines may. Old compilers are like that.
            let lines = tables.lines(with);
            if let Some(lines) = units.unit_file.damage.sound(lines) {
                let Some(left) = rows_left.checked_sub(lines.row_count()) else {
                    map.limited = true;
                    break;
                };
                rows_left = left;
                items.extend(lines.ranges().map(|(begin, end)| item(begin, end, at)));
            }
        }
    }
    map.overlaps = Overlaps::new(items, limits.units_per_address);
    map
}

/// Returns how many bytes there are to read ranges from.
fn bytes(dwarf: &gimli::Dwarf<Slice<'_>>) -> usize {
    let sections = [
        dwarf.debug_info.reader(),
        dwarf.ranges.debug_ranges().reader(),
        dwarf.ranges.debug_rnglists().reader(),
    ];
    let sizes = sections.into_iter().map(|section| section.len());
    sizes.fold(0, usize::saturating_add)
}
