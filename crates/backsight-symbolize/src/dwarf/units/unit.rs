//! One unit: its header, its root DIE and the shapes of its DIEs.

use std::sync::{Arc, OnceLock};

use gimli::{DebugInfoOffset, UnitHeader, UnitOffset, UnitType};

use super::root_die::RootDie;
use super::unit_file::UnitFile;
use crate::dwarf::die::cursor::DwarfCursor;
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::AbbrevPlans;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;

/// Languages whose functions linkers know by the names that they have.
const UNMANGLED_LANGUAGES: [gimli::DwLang; 7] = [
    gimli::DW_LANG_C,
    gimli::DW_LANG_C89,
    gimli::DW_LANG_C99,
    gimli::DW_LANG_C11,
    gimli::DW_LANG_C17,
    gimli::DW_LANG_Go,
    gimli::DW_LANG_Mips_Assembler,
];

const ADA_VERSIONS: [gimli::DwLang; 4] = [
    gimli::DW_LANG_Ada83,
    gimli::DW_LANG_Ada95,
    gimli::DW_LANG_Ada2005,
    gimli::DW_LANG_Ada2012,
];

/// A unit whose header is read. The rest is read on first use.
#[derive(Debug)]
pub(in crate::dwarf) struct Unit<'d> {
    pub(in crate::dwarf) header: UnitHeader<Slice<'d>>,
    /// In `.debug_info`.
    pub(in crate::dwarf) offset: usize,
    /// Whose sections its offsets mean.
    pub(in crate::dwarf) unit_file: Arc<UnitFile<'d>>,
    root: OnceLock<Result<RootDie<'d>, Fault>>,
    plans: OnceLock<Result<Arc<AbbrevPlans>, Fault>>,
}

impl<'d> Unit<'d> {
    pub(in crate::dwarf) fn new(
        header: UnitHeader<Slice<'d>>,
        offset: DebugInfoOffset,
        unit_file: Arc<UnitFile<'d>>,
    ) -> Self {
        Self {
            header,
            offset: offset.0,
            unit_file,
            root: OnceLock::new(),
            plans: OnceLock::new(),
        }
    }

    /// Returns the root DIE; `fuel` pays when this is the first time.
    pub(in crate::dwarf) fn root(&self, fuel: &mut Fuel) -> Result<&RootDie<'d>, Fault> {
        let root = self
            .root
            .get_or_init(|| RootDie::read(&self.header, &self.unit_file, fuel));
        root.as_ref().map_err(|fault| *fault)
    }

    /// Returns the root DIE, with fuel of its own.
    pub(in crate::dwarf) fn own_root(&self) -> Result<&RootDie<'d>, Fault> {
        self.root(&mut self.fuel())
    }

    /// Returns fuel for one walk over its DIEs.
    pub(in crate::dwarf) fn fuel(&self) -> Fuel {
        self.unit_file.fuel_for(self.length())
    }

    /// Starts at a DIE, and sees no more than the unit.
    pub(in crate::dwarf) fn cursor(&self, die: UnitOffset) -> Result<DwarfCursor<'d>, Fault> {
        self.unit_file.cursor(&self.header, die)
    }

    /// Returns what is to be done with each shape of DIE.
    pub(in crate::dwarf) fn plans(&self) -> Result<&Arc<AbbrevPlans>, Fault> {
        let plans = self
            .plans
            .get_or_init(|| self.unit_file.abbrevs.plans(&self.header));
        plans.as_ref().map_err(|fault| *fault)
    }

    /// Returns whether code may be described here, and not types alone.
    pub(in crate::dwarf) fn may_hold_code(&self) -> bool {
        let kind = self.header.type_();
        matches!(kind, UnitType::Compilation | UnitType::Skeleton(_))
    }

    /// Returns whether its language has names that linkers know in a mangled form.
    pub(in crate::dwarf) fn mangles(&self) -> bool {
        let language = self.own_root().ok().and_then(|root| root.language);
        !language.is_some_and(|language| UNMANGLED_LANGUAGES.contains(&language))
    }

    /// Returns whether its functions have names as Ada encodes them.
    pub(in crate::dwarf) fn is_ada(&self) -> bool {
        let language = self.own_root().ok().and_then(|root| root.language);
        language.is_some_and(|language| ADA_VERSIONS.contains(&language))
    }

    /// In bytes.
    pub(in crate::dwarf) fn length(&self) -> usize {
        self.header.length_including_self()
    }
}
