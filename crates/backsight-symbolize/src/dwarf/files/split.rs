//! Split DWARF: the functions of a unit in a separate file.
//!
//! `-gsplit-dwarf` leaves a *skeleton* unit in the linked file (line table, address
//! ranges, and all addresses, in `.debug_addr`) and puts the rest into `NAME.dwo`
//! beside the object file, which no linker ever reads. `dwp` gathers these into a
//! package, `FILE.dwp`. Skeleton and split unit carry the same id, which proves that
//! they belong together. Up to DWARF 4 this was an extension of GNU, with other
//! attributes; the DWARF 5 standard describes it in 3.1.2 and 7.3.

use std::sync::{Arc, OnceLock};

use gimli::{DwarfPackage, DwoId, Reader, RunTimeEndian, Section, UnitHeader, UnitType};

use super::companions::Companions;
use super::sections::DwarfSections;
use crate::dwarf::damage::Damage;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::dwarf::units::root_die::SplitName;
use crate::dwarf::units::unit::Unit;
use crate::dwarf::units::unit_file::{SkeletonBases, UnitFile, UnitFileKind};
use crate::error::Cause;
use crate::limits::Limits;

/// Finds split units.
#[derive(Debug)]
pub(in crate::dwarf) struct SplitUnits<'d> {
    companions: &'d Companions,
    package: OnceLock<Option<Package<'d>>>,
}

type Package<'d> = (DwarfPackage<Slice<'d>>, &'d Damage);

/// Why a file of split units is none.
const NO_UNIT: Cause = Cause::Damaged {
    part: ".debug_info.dwo",
    wrong: "it has no unit that can be read",
};

impl<'d> SplitUnits<'d> {
    /// Opens nothing yet.
    pub(in crate::dwarf) fn new(companions: &'d Companions) -> Self {
        Self {
            companions,
            package: OnceLock::new(),
        }
    }

    /// Returns the split unit that this unit is the skeleton of.
    ///
    /// The package is looked at first. Returns `None` for units that are no skeletons,
    /// and when no file has the split unit: the skeleton then says what it can.
    pub(in crate::dwarf) fn of(&self, unit: &Unit<'d>) -> Option<Unit<'d>> {
        if !matches!(unit.unit_file.kind, UnitFileKind::Main) {
            return None;
        }
        let root = unit.own_root().ok()?;
        let SplitName { id, name } = root.split?;
        let kind = UnitFileKind::Split(SkeletonBases {
            low_pc: root.unit.low_pc,
            addr_base: root.unit.addr_base,
            ranges_base: root.unit.rnglists_base,
        });
        let limits = unit.unit_file.limits;
        let packed = self.package(unit.unit_file.endian());
        let packed = packed.and_then(|(package, damage)| {
            let found = package.find_cu(id, &unit.unit_file.dwarf);
            let dwarf = damage.sound(found.map_err(Fault::from))??;
            find_unit(dwarf, kind, id, (limits, damage))
        });
        packed.or_else(|| {
            let comp_dir = root.unit.comp_dir.map(|dir| dir.slice());
            let has_unit = |sections: &DwarfSections| {
                let mut dwarfs = dwarfs(sections, limits).map(|mut dwarf| {
                    dwarf.file_type = gimli::DwarfFileType::Dwo;
                    dwarf
                });
                let nothing = UnitFileKind::Split(SkeletonBases::NOTHING);
                // Of a file that may be another's.
                let damage = Damage::default();
                let mut has_any = false;
                let is_there = dwarfs.any(|dwarf| {
                    has_any = true;
                    find_unit(dwarf, nothing, id, (limits, &damage)).is_some()
                });
                match is_there {
                    true => Ok(()),
                    false if has_any && !damage.is_noted() => {
                        Err(Cause::NotTheUnit { wanted: id.0 }.into())
                    }
                    false => Err(NO_UNIT.into()),
                }
            };
            let found = self.companions.split_file(name, comp_dir, has_unit)?;
            dwarfs(found, limits).find_map(|mut dwarf| {
                dwarf.make_dwo(&unit.unit_file.dwarf);
                find_unit(dwarf, kind, id, (limits, &found.damage))
            })
        })
    }

    /// Returns the package, and where its damage is noted.
    fn package(&self, endian: RunTimeEndian) -> Option<&Package<'d>> {
        let open = || {
            let sections = self.companions.package()?;
            let empty = Slice::new(&[], endian);
            let load = |id| Ok::<_, gimli::Error>(sections.slice(id));
            let package = DwarfPackage::load(load, empty).map_err(Fault::from);
            Some((sections.damage.sound(package)?, &sections.damage))
        };
        self.package.get_or_init(open).as_ref()
    }
}

/// Returns the DWARF of a `.dwo` file with each of its `.debug_info` sections that has
/// other units than those of types.
fn dwarfs<'s>(
    sections: &'s DwarfSections,
    limits: &Limits,
) -> impl Iterator<Item = gimli::Dwarf<Slice<'s>>> {
    let infos = sections.infos().map(gimli::DebugInfo::from);
    let most = limits.units;
    let has_code = move |info: &gimli::DebugInfo<Slice<'_>>| {
        let mut units = info.units();
        let units = std::iter::from_fn(|| units.next().ok().flatten());
        let is_of_types = |unit: &UnitHeader<_>| matches!(unit.type_(), UnitType::SplitType { .. });
        units.take(most).any(|unit| !is_of_types(&unit))
    };
    infos.filter(has_code).map(|info| {
        let mut dwarf = sections.dwarf();
        dwarf.debug_info = info;
        dwarf
    })
}

fn find_unit<'d>(
    dwarf: gimli::Dwarf<Slice<'d>>,
    kind: UnitFileKind,
    id: DwoId,
    (limits, damage): (&'d Limits, &'d Damage),
) -> Option<Unit<'d>> {
    let bytes = dwarf.debug_info.reader().len();
    let unit_file = Arc::new(UnitFile::new(dwarf, kind, limits, damage));
    let mut fuel = unit_file.fuel_for(bytes);
    let mut headers = unit_file.dwarf.units();
    for _ in 0..limits.units {
        let header = damage.sound(headers.next().map_err(Fault::from))??;
        let unit = Unit::new(header, header.debug_info_offset()?, Arc::clone(&unit_file));
        let is_it = match header.type_() {
            UnitType::SplitCompilation(own) => own == id,
            UnitType::Compilation => {
                let root = unit.root(&mut fuel);
                let root = damage.sound(root);
                root.is_some_and(|root| root.unit.dwo_id == Some(id))
            }
            _ => false,
        };
        if is_it {
            return Some(unit);
        }
    }
    None
}
