//! The root DIE of a unit: what holds for all of it.

use std::sync::Arc;

use gimli::{
    DebugAddrBase, DebugLineOffset, DebugLocListsBase, DebugRngListsBase, DebugStrOffsetsBase,
    DwLang, DwoId, UnitHeader, UnitRef, UnitType,
};

use super::bases;
use super::unit_file::{UnitFile, UnitFileKind};
use crate::dwarf::die::entry::AttrSpec;
use crate::dwarf::die::form::{AttrValue, ValueClass};
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::die::text;
use crate::dwarf::fault::Fault;
use crate::dwarf::ranges::range::{self, RangeAttrs};

/// What a unit's root DIE says.
///
/// gimli would also parse the line program's header, files and all, which is
/// most of the cost and not wanted before a line is.
#[derive(Debug)]
pub(in crate::dwarf) struct RootDie<'d> {
    pub(in crate::dwarf) unit_file: Arc<UnitFile<'d>>,
    /// Without abbreviations: what is asked of it needs none.
    pub(in crate::dwarf) unit: gimli::Unit<Slice<'d>>,
    pub(in crate::dwarf) line_program: Option<DebugLineOffset>,
    pub(in crate::dwarf) ranges: RangeAttrs,
    pub(in crate::dwarf) language: Option<DwLang>,
    pub(in crate::dwarf) split: Option<SplitName<'d>>,
}

/// Where a skeleton unit says that its functions are.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct SplitName<'d> {
    pub(in crate::dwarf) id: DwoId,
    /// A path; relative to the compilation directory.
    pub(in crate::dwarf) name: &'d [u8],
}

/// The texts of a root DIE, which may need bases that stand behind them.
#[derive(Default)]
struct RootTexts {
    name: AttrValue,
    comp_dir: AttrValue,
    dwo_name: AttrValue,
}

impl<'d> RootDie<'d> {
    pub(in crate::dwarf) fn read(
        header: &UnitHeader<Slice<'d>>,
        unit_file: &Arc<UnitFile<'d>>,
        fuel: &mut Fuel,
    ) -> Result<Self, Fault> {
        let encoding = header.encoding();
        let mut root = Self {
            unit: bare(header, unit_file),
            unit_file: Arc::clone(unit_file),
            line_program: None,
            ranges: RangeAttrs::default(),
            language: None,
            split: None,
        };
        let mut texts = RootTexts::default();
        let mut die = unit_file.cursor(header, header.root_offset())?;
        let code = die.uleb()?;
        let mut specs = unit_file
            .abbrevs
            .specs(header.debug_abbrev_offset(), code)?;
        loop {
            fuel.spend(1)?;
            let spec = AttrSpec::read(&mut specs)?;
            if spec.is_end() {
                break;
            }
            let value = match spec.constant(&mut specs)? {
                Some(constant) => AttrValue::signed(constant),
                None => {
                    let (size, class) = spec.layout(encoding);
                    AttrValue::read(size, class, &mut die, encoding)?
                }
            };
            root.take(&spec, value, &mut texts);
        }
        let has_headers = matches!(unit_file.kind, UnitFileKind::Main) && encoding.version >= 5;
        if has_headers && !bases::are_sound(&root.unit, &unit_file.dwarf) {
            unit_file.damage.note();
        }
        root.resolve(&texts);
        Ok(root)
    }

    fn take(&mut self, spec: &AttrSpec, value: AttrValue, texts: &mut RootTexts) {
        match spec.name {
            gimli::DW_AT_low_pc => self.ranges.low = value,
            gimli::DW_AT_high_pc => self.ranges.high = value,
            gimli::DW_AT_ranges => self.ranges.list = value,
            gimli::DW_AT_name => texts.name = value,
            gimli::DW_AT_comp_dir => texts.comp_dir = value,
            gimli::DW_AT_language => {
                let number = value.as_number().map(u16::try_from);
                self.language = number.and_then(Result::ok).map(DwLang);
            }
            gimli::DW_AT_dwo_name | gimli::DW_AT_GNU_dwo_name => texts.dwo_name = value,
            gimli::DW_AT_GNU_dwo_id => {
                let id = value.as_number().map(DwoId);
                self.unit.dwo_id = id.or(self.unit.dwo_id);
            }
            _ => {}
        }
        let offset = value
            .some()
            .filter(|value| value.class == ValueClass::Offset);
        let Some(at) = offset.and_then(|value| usize::try_from(value.number).ok()) else {
            return;
        };
        match spec.name {
            gimli::DW_AT_stmt_list => self.line_program = Some(DebugLineOffset(at)),
            gimli::DW_AT_str_offsets_base => self.unit.str_offsets_base = DebugStrOffsetsBase(at),
            gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base => {
                self.unit.addr_base = DebugAddrBase(at);
            }
            gimli::DW_AT_rnglists_base | gimli::DW_AT_GNU_ranges_base => {
                self.unit.rnglists_base = DebugRngListsBase(at);
            }
            _ => {}
        }
    }

    /// Reads what needs the bases.
    fn resolve(&mut self, texts: &RootTexts) {
        let endian = self.unit_file.endian();
        let text = |value| text::of(value, self.unit_ref(), self.unit_file.damage);
        let slice = |value| Some(Slice::new(text(value)?, endian));
        let (name, comp_dir) = (slice(texts.name), slice(texts.comp_dir));
        let split = text(texts.dwo_name).zip(self.unit.dwo_id);
        let low = self.ranges.low.some();
        let low = low.map(|low| range::address(self.unit_ref(), low));
        let low = low.and_then(|low| self.unit_file.damage.sound(low));
        self.split = split.map(|(name, id)| SplitName { id, name });
        self.unit.name = name;
        self.unit.comp_dir = comp_dir;
        self.unit.low_pc = low.unwrap_or(self.unit.low_pc);
    }

    /// Returns the unit as gimli wants it, with the sections of its file.
    pub(in crate::dwarf) fn unit_ref(&self) -> UnitRef<'_, Slice<'d>> {
        UnitRef::new(&self.unit_file.dwarf, &self.unit)
    }
}

/// Returns the unit as its header and its skeleton leave it.
pub(in crate::dwarf) fn bare<'d>(
    header: &UnitHeader<Slice<'d>>,
    unit_file: &UnitFile<'d>,
) -> gimli::Unit<Slice<'d>> {
    let (encoding, file_type) = (header.encoding(), unit_file.dwarf.file_type);
    let mut unit = gimli::Unit {
        header: *header,
        abbreviations: Arc::clone(&unit_file.no_abbreviations),
        name: None,
        comp_dir: None,
        low_pc: 0,
        str_offsets_base: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, file_type),
        addr_base: DebugAddrBase(0),
        loclists_base: DebugLocListsBase::default_for_encoding_and_file(encoding, file_type),
        rnglists_base: DebugRngListsBase::default_for_encoding_and_file(encoding, file_type),
        line_program: None,
        dwo_id: match header.type_() {
            UnitType::Skeleton(id) | UnitType::SplitCompilation(id) => Some(id),
            _ => None,
        },
    };
    if let UnitFileKind::Split(inherited) = unit_file.kind {
        unit.low_pc = inherited.low_pc;
        unit.addr_base = inherited.addr_base;
        if header.version() < 5 {
            unit.rnglists_base = inherited.ranges_base;
        }
    }
    unit
}
