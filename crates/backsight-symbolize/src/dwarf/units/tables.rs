//! What is known of one unit so far: its functions and lines once they are needed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use backsight_index::engine::ByteCount;

use super::maybe_owned::MaybeOwned;
use super::unit::Unit;
use crate::dwarf::fault::Fault;
use crate::dwarf::files::split::SplitUnits;
use crate::dwarf::functions::function::FunctionTable;
use crate::dwarf::lines::line_table::LineTable;
use crate::elf::ElfFile;

/// A unit and its tables, each read when it is first asked for.
#[derive(Debug)]
pub(in crate::dwarf) struct UnitTables<'d> {
    pub(in crate::dwarf) unit: Unit<'d>,
    was_asked: AtomicBool,
    /// What it is the skeleton of.
    split: OnceLock<Option<Box<UnitTables<'d>>>>,
    functions: OnceLock<Result<FunctionTable, Fault>>,
    lines: OnceLock<Result<LineTable<'d>, Fault>>,
}

/// What tables are read with.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct ReadContext<'r> {
    /// The linked file, which knows what is code.
    pub(in crate::dwarf) elf: &'r ElfFile,
    /// Counts what the tables take.
    pub(in crate::dwarf) kept: &'r ByteCount,
}

impl<'d> UnitTables<'d> {
    pub(in crate::dwarf) fn new(unit: Unit<'d>) -> Self {
        Self {
            unit,
            was_asked: AtomicBool::new(false),
            split: OnceLock::new(),
            functions: OnceLock::new(),
            lines: OnceLock::new(),
        }
    }

    /// Returns whether an address of the unit was asked before, and notes that one is.
    /// Where one was, more will follow: stacks and profiles dwell in few units.
    pub(in crate::dwarf) fn ask(&self) -> bool {
        self.was_asked.swap(true, Ordering::Relaxed)
    }

    /// Returns the unit that has the functions and their names: the split unit, where
    /// this is a skeleton and the file is found, else this one. Lines and files of the
    /// line table stay here.
    pub(in crate::dwarf) fn full(&self, splits: &SplitUnits<'d>) -> &Self {
        let open = || splits.of(&self.unit).map(|unit| Box::new(Self::new(unit)));
        self.split.get_or_init(open).as_deref().unwrap_or(self)
    }

    /// Returns the unit's functions; with `few`, what suffices for `addr` unless
    /// all are known.
    pub(in crate::dwarf) fn functions_at(
        &self,
        addr: u64,
        few: bool,
        with: ReadContext<'_>,
    ) -> Result<MaybeOwned<'_, FunctionTable>, Fault> {
        if few && self.functions.get().is_none() {
            return FunctionTable::read(&self.unit, Some(addr), with.elf).map(MaybeOwned::Own);
        }
        let read = || {
            let functions = FunctionTable::read(&self.unit, None, with.elf)?;
            with.kept.add(functions.bytes());
            Ok(functions)
        };
        let functions = self.functions.get_or_init(read).as_ref();
        functions.map(MaybeOwned::Kept).map_err(|fault| *fault)
    }

    /// Returns the unit's lines; with `few`, what suffices for `addr` unless all
    /// are known.
    pub(in crate::dwarf) fn lines_at(
        &self,
        addr: u64,
        few: bool,
        with: ReadContext<'_>,
    ) -> Result<MaybeOwned<'_, LineTable<'d>>, Fault> {
        if few && self.lines.get().is_none() {
            return LineTable::read(self.unit.own_root()?, Some(addr), with.elf)
                .map(MaybeOwned::Own);
        }
        self.lines(with).map(MaybeOwned::Kept)
    }

    /// Returns all lines of the unit.
    pub(in crate::dwarf) fn lines(&self, with: ReadContext<'_>) -> Result<&LineTable<'d>, Fault> {
        let read = || {
            let lines = LineTable::read(self.unit.own_root()?, None, with.elf)?;
            with.kept.add(lines.bytes());
            Ok(lines)
        };
        let lines = self.lines.get_or_init(read);
        lines.as_ref().map_err(|fault| *fault)
    }
}
