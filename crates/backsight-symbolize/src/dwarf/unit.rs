//! One unit: its root DIE, and its functions and lines once they are needed.

use std::sync::OnceLock;

use gimli::{AttributeValue, DebugInfoOffset, DebugLineOffset, UnitHeader, UnitRef};

use super::function::Functions;
use super::held::Held;
use super::index::Index;
use super::line::Lines;
use super::range::RangeAttrs;
use super::{Fault, Fuel, Slice};

/// A unit whose header is read. The rest comes when it is asked for.
#[derive(Debug)]
pub(super) struct Unit<'d> {
    pub(super) header: UnitHeader<Slice<'d>>,
    /// In `.debug_info`.
    pub(super) offset: usize,
    root: OnceLock<Result<Root<'d>, Fault>>,
    functions: OnceLock<Result<Functions, Fault>>,
    lines: OnceLock<Result<Lines<'d>, Fault>>,
}

/// What a unit's root DIE says.
///
/// gimli would also parse the line program's header, files and all, which is
/// most of the cost and not wanted before a line is.
#[derive(Debug)]
pub(super) struct Root<'d> {
    pub(super) unit: gimli::Unit<Slice<'d>>,
    pub(super) line_program: Option<DebugLineOffset>,
    pub(super) ranges: RangeAttrs,
}

impl<'d> Unit<'d> {
    pub(super) fn new(header: UnitHeader<Slice<'d>>, offset: DebugInfoOffset) -> Self {
        Self {
            header,
            offset: offset.0,
            root: OnceLock::new(),
            functions: OnceLock::new(),
            lines: OnceLock::new(),
        }
    }

    /// Returns the root DIE; `fuel` pays when this is the first time.
    pub(super) fn root(&self, index: &Index<'d>, fuel: &mut Fuel) -> Result<&Root<'d>, Fault> {
        let root = self
            .root
            .get_or_init(|| Root::read(&self.header, index, fuel));
        root.as_ref().map_err(|fault| *fault)
    }

    /// Returns the root DIE, with fuel of its own.
    pub(super) fn own_root(&self, index: &Index<'d>) -> Result<&Root<'d>, Fault> {
        self.root(index, &mut index.fuel_for(self.length()))
    }

    /// Returns the unit's functions; with `few`, what suffices for `addr` unless
    /// all are known.
    pub(super) fn functions_at(
        &self,
        addr: u64,
        few: bool,
        index: &Index<'d>,
    ) -> Result<Held<'_, Functions>, Fault> {
        if few && self.functions.get().is_none() {
            return Functions::read(self, Some(addr), index).map(Held::Own);
        }
        let read = || Functions::read(self, None, index);
        let functions = self.functions.get_or_init(read).as_ref();
        functions.map(Held::Kept).map_err(|fault| *fault)
    }

    /// Returns the unit's lines; with `few`, what suffices for `addr` unless all
    /// are known.
    pub(super) fn lines_at(
        &self,
        addr: u64,
        few: bool,
        index: &Index<'d>,
    ) -> Result<Held<'_, Lines<'d>>, Fault> {
        if few && self.lines.get().is_none() {
            return Lines::read(self.own_root(index)?, Some(addr), index).map(Held::Own);
        }
        self.lines(index).map(Held::Kept)
    }

    pub(super) fn lines(&self, index: &Index<'d>) -> Result<&Lines<'d>, Fault> {
        let read = || Lines::read(self.own_root(index)?, None, index);
        let lines = self.lines.get_or_init(read);
        lines.as_ref().map_err(|fault| *fault)
    }

    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.header.length_including_self()
    }
}

impl<'d> Root<'d> {
    fn read(
        header: &UnitHeader<Slice<'d>>,
        index: &Index<'d>,
        fuel: &mut Fuel,
    ) -> Result<Self, Fault> {
        let dwarf = &index.dwarf;
        let table = header.debug_abbrev_offset();
        let abbreviations = index.abbrevs.get(table)?;
        let file_type = dwarf.file_type;
        let encoding = header.encoding();
        let mut unit = gimli::Unit {
            header: *header,
            abbreviations: std::sync::Arc::clone(&abbreviations),
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
            dwo_id: None,
        };
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
        let low_pc = low.map(|low| dwarf.attr_address(&unit, low)).transpose()?;
        unit.name = name;
        unit.comp_dir = comp_dir;
        unit.low_pc = low_pc.flatten().unwrap_or(0);
        Ok(Self {
            unit,
            line_program,
            ranges,
        })
    }

    pub(super) fn unit_ref<'r>(&'r self, index: &'r Index<'d>) -> UnitRef<'r, Slice<'d>> {
        UnitRef::new(&index.dwarf, &self.unit)
    }
}
