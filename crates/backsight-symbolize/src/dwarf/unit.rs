//! One unit: its header, its root DIE and the shapes of its DIEs.

use std::sync::{Arc, OnceLock};

use gimli::{
    AttributeValue, DebugInfoOffset, DebugLineOffset, DwoId, Reader, Section, UnitHeader,
    UnitOffset, UnitRef, UnitType,
};

use super::cursor::Cursor;
use super::home::{Home, HomeKind};
use super::plan::Plans;
use super::range::RangeAttrs;
use super::{Fault, Fuel, Slice};

/// A unit whose header is read. The rest comes when it is asked for.
#[derive(Debug)]
pub(super) struct Unit<'d> {
    pub(super) header: UnitHeader<Slice<'d>>,
    /// In `.debug_info`.
    pub(super) offset: usize,
    /// Whose sections its offsets mean.
    pub(super) home: Arc<Home<'d>>,
    root: OnceLock<Result<Root<'d>, Fault>>,
    plans: OnceLock<Result<Arc<Plans>, Fault>>,
}

/// What a unit's root DIE says.
///
/// gimli would also parse the line program's header, files and all, which is
/// most of the cost and not wanted before a line is.
#[derive(Debug)]
pub(super) struct Root<'d> {
    pub(super) home: Arc<Home<'d>>,
    pub(super) unit: gimli::Unit<Slice<'d>>,
    pub(super) line_program: Option<DebugLineOffset>,
    pub(super) ranges: RangeAttrs,
    pub(super) split: Option<SplitName<'d>>,
}

/// Where a skeleton unit says that its functions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitName<'d> {
    pub(super) id: DwoId,
    /// A path; relative to the compilation directory.
    pub(super) name: Slice<'d>,
}

impl<'d> Unit<'d> {
    pub(super) fn new(
        header: UnitHeader<Slice<'d>>,
        offset: DebugInfoOffset,
        home: Arc<Home<'d>>,
    ) -> Self {
        Self {
            header,
            offset: offset.0,
            home,
            root: OnceLock::new(),
            plans: OnceLock::new(),
        }
    }

    /// Returns the root DIE; `fuel` pays when this is the first time.
    pub(super) fn root(&self, fuel: &mut Fuel) -> Result<&Root<'d>, Fault> {
        let root = self
            .root
            .get_or_init(|| Root::read(&self.header, &self.home, fuel));
        root.as_ref().map_err(|fault| *fault)
    }

    /// Returns the root DIE, with fuel of its own.
    pub(super) fn own_root(&self) -> Result<&Root<'d>, Fault> {
        self.root(&mut self.fuel())
    }

    /// Returns fuel for one walk over its DIEs.
    pub(super) fn fuel(&self) -> Fuel {
        self.home.fuel_for(self.length())
    }

    /// Starts at a DIE, and sees no more than the unit.
    pub(super) fn cursor(&self, die: UnitOffset) -> Result<Cursor<'d>, Fault> {
        if !die.is_in_bounds(&self.header) {
            return Err(Fault::Malformed);
        }
        let mut bytes = *self.home.dwarf.debug_info.reader();
        bytes.skip(self.offset)?;
        bytes.truncate(self.length())?;
        Ok(Cursor::new(bytes, die.0))
    }

    /// Returns what is to be done with each shape of DIE.
    pub(super) fn plans(&self) -> Result<&Arc<Plans>, Fault> {
        let plans = self
            .plans
            .get_or_init(|| self.home.abbrevs.plans(&self.header));
        plans.as_ref().map_err(|fault| *fault)
    }

    /// Returns whether code may be described here, and not types alone.
    pub(super) fn may_hold_code(&self) -> bool {
        let kind = self.header.type_();
        matches!(kind, UnitType::Compilation | UnitType::Skeleton(_))
    }

    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.header.length_including_self()
    }
}

impl<'d> Root<'d> {
    pub(super) fn read(
        header: &UnitHeader<Slice<'d>>,
        home: &Arc<Home<'d>>,
        fuel: &mut Fuel,
    ) -> Result<Self, Fault> {
        let dwarf = &home.dwarf;
        let table = header.debug_abbrev_offset();
        let code = code_at(header, home)?;
        let abbreviations = home.abbrevs.of_root(table, code)?;
        let file_type = dwarf.file_type;
        let encoding = header.encoding();
        let mut unit = gimli::Unit {
            header: *header,
            abbreviations: Arc::clone(&abbreviations),
            name: None,
            comp_dir: None,
            low_pc: 0,
            str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(
                encoding, file_type,
            ),
            addr_base: gimli::DebugAddrBase(0),
            loclists_base: gimli::DebugLocListsBase::default_for_encoding_and_file(
                encoding, file_type,
            ),
            rnglists_base: gimli::DebugRngListsBase::default_for_encoding_and_file(
                encoding, file_type,
            ),
            line_program: None,
            dwo_id: match header.type_() {
                UnitType::Skeleton(id) | UnitType::SplitCompilation(id) => Some(id),
                _ => None,
            },
        };
        if let HomeKind::Split(inherited) = home.kind {
            unit.low_pc = inherited.low_pc;
            unit.addr_base = inherited.addr_base;
            if header.version() < 5 {
                unit.rnglists_base = inherited.ranges_base;
            }
        }
        let mut dwo_name = None;
        let (mut name, mut comp_dir, mut low, mut line_program) = (None, None, None, None);
        let mut ranges = RangeAttrs::default();
        let mut entries = header.entries_raw(&abbreviations, None)?;
        let abbrev = entries.read_abbreviation()?.ok_or(Fault::Malformed)?;
        fuel.spend(abbrev.attributes().len())?;
        for spec in abbrev.attributes() {
            let attr = entries.read_attribute(*spec)?;
            ranges.take(&attr);
            match (attr.name(), attr.value()) {
                (gimli::DW_AT_name, value) => name = Some(value),
                (gimli::DW_AT_comp_dir, value) => comp_dir = Some(value),
                (gimli::DW_AT_dwo_name | gimli::DW_AT_GNU_dwo_name, value) => {
                    dwo_name = Some(value);
                }
                (gimli::DW_AT_GNU_dwo_id, AttributeValue::DwoId(id)) => unit.dwo_id = Some(id),
                (gimli::DW_AT_low_pc, value) => low = Some(value),
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => {
                    line_program = Some(offset);
                }
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => {
                    unit.str_offsets_base = base;
                }
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => unit.addr_base = base,
                (
                    gimli::DW_AT_rnglists_base | gimli::DW_AT_GNU_ranges_base,
                    AttributeValue::DebugRngListsBase(base),
                ) => unit.rnglists_base = base,
                _ => {}
            }
        }
        // The bases that these need may have stood behind them.
        let text = |value| dwarf.attr_string(&unit, value).ok();
        let (name, comp_dir) = (name.and_then(text), comp_dir.and_then(text));
        let dwo_name = dwo_name.and_then(text);
        let low_pc = low.map(|low| dwarf.attr_address(&unit, low)).transpose()?;
        unit.name = name;
        unit.comp_dir = comp_dir;
        unit.low_pc = low_pc.flatten().unwrap_or(unit.low_pc);
        let split = dwo_name.zip(unit.dwo_id);
        Ok(Self {
            home: Arc::clone(home),
            unit,
            line_program,
            ranges,
            split: split.map(|(name, id)| SplitName { id, name }),
        })
    }

    /// Returns the unit as gimli wants it, with the sections of its home.
    pub(super) fn unit_ref(&self) -> UnitRef<'_, Slice<'d>> {
        UnitRef::new(&self.home.dwarf, &self.unit)
    }
}

/// Returns the abbreviation code of the root DIE.
fn code_at(header: &UnitHeader<Slice<'_>>, home: &Home<'_>) -> Result<u64, Fault> {
    let offset = header.debug_info_offset().ok_or(Fault::Malformed)?;
    let at = offset.0.checked_add(header.root_offset().0);
    let mut bytes = *home.dwarf.debug_info.reader();
    bytes.skip(at.ok_or(Fault::Malformed)?)?;
    Ok(bytes.read_uleb128()?)
}
