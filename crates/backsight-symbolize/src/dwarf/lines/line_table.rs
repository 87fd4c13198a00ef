//! The line table of one unit: from an address to file, line and column.

use std::sync::{Arc, OnceLock};

use backsight_index::engine::{
    Overlaps, PathParts, RankedRange, SequenceRow, bytes_of, is_absolute,
};
use gimli::{IncompleteLineProgram, Section};

use super::program::{DefinedFile, LineProgram, ProgramStop, check_header};
use crate::dwarf::damage::Damage;
use crate::dwarf::die::form::{self, column};
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::dwarf::units::root_die::RootDie;
use crate::dwarf::units::unit::Unit;
use crate::elf::ElfFile;

/// A place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceLocation {
    pub(crate) file: Option<Arc<str>>,
    /// From 1.
    pub(crate) line: Option<u32>,
    /// From 1.
    pub(crate) column: Option<u32>,
}

/// All rows of one unit's line program.
#[derive(Debug, Default)]
pub(in crate::dwarf) struct LineTable<'d> {
    program: Option<IncompleteLineProgram<Slice<'d>>>,
    rows: Vec<SequenceRow>,
    sequences: Vec<Sequence>,
    overlaps: Overlaps,
    /// Paths by file index, each joined when first asked for.
    files: Vec<OnceLock<Option<Arc<str>>>>,
    /// The files behind those of the header.
    defined: Vec<DefinedFile<'d>>,
}

/// A run of rows with ascending addresses: one section's code, as a rule.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    begin: u64,
    end: u64,
    first: usize,
    count: usize,
}

impl<'d> LineTable<'d> {
    /// Runs the unit's line program. A unit without one has no rows. What stands
    /// before a malformed opcode counts.
    ///
    /// With `only`, what is kept suffices for this address, and for none other.
    pub(in crate::dwarf) fn read(
        root: &RootDie<'d>,
        only: Option<u64>,
        elf: &ElfFile,
    ) -> Result<Self, Fault> {
        let mut lines = Self::default();
        lines.fill(root, only, elf, &mut Vec::new())?;
        Ok(lines)
    }

    /// Replaces the rows by those of this unit, and reuses the allocations; `items` is a
    /// buffer. After an error the table is empty.
    pub(in crate::dwarf) fn fill(
        &mut self,
        root: &RootDie<'d>,
        only: Option<u64>,
        elf: &ElfFile,
        items: &mut Vec<RankedRange>,
    ) -> Result<(), Fault> {
        self.clear();
        let filled = self.run(root, only, elf);
        if filled.is_err() {
            self.clear();
        }
        let numbered = self.sequences.iter().zip(0..);
        items.clear();
        items.extend(numbered.map(|(sequence, value)| RankedRange {
            begin: sequence.begin,
            end: sequence.end,
            rank: 0,
            value,
        }));
        self.overlaps.fill(items, 1);
        filled
    }

    /// Forgets the unit, and keeps the room.
    pub(in crate::dwarf) fn clear(&mut self) {
        self.program = None;
        self.rows.clear();
        self.sequences.clear();
        self.files.clear();
        self.defined.clear();
        self.overlaps.clear();
    }

    fn run(&mut self, root: &RootDie<'d>, only: Option<u64>, elf: &ElfFile) -> Result<(), Fault> {
        let Some(offset) = root.line_program else {
            return Ok(());
        };
        let limits = root.unit_file.limits;
        let section = &root.unit_ref().dwarf.debug_line;
        check_header(*section.reader(), offset.0, limits.line_header_bytes)?;
        let program = section.program(
            offset,
            root.unit.header.address_size(),
            root.unit.comp_dir,
            root.unit.name,
        )?;
        // Up to DWARF 4 files count from 1, and 0 is the unit's own.
        let count = program.header().file_names().len().saturating_add(1);
        let mut rows = LineProgram::new(program.header());
        self.program = Some(program);
        let (limit, damage) = (root.unit_file.limits.rows_per_unit, root.unit_file.damage);
        let read = self.read_rows(&mut rows, only, limit, elf, damage);
        self.defined = rows.take_defined();
        let count = count.saturating_add(self.defined.len());
        self.files.resize_with(count, OnceLock::new);
        if rows.has_misfits() {
            damage.note();
        }
        read
    }

    fn read_rows(
        &mut self,
        program: &mut LineProgram<'d>,
        only: Option<u64>,
        limit: usize,
        elf: &ElfFile,
        damage: &Damage,
    ) -> Result<(), Fault> {
        loop {
            let first = self.rows.len();
            let mut full = false;
            let (mut begin, mut is_misplaced) = (None, false);
            let stop = program.sequence(|row| {
                let into = row.addr.checked_sub(*begin.get_or_insert(row.addr));
                // No sequence spans 4 GiB, and none goes back: what a forged one has there is lost.
                let last = self.rows.get(first..).and_then(<[_]>::last);
                let least = last.map_or(0, |last| last.into);
                let into = into.and_then(|into| u32::try_from(into).ok());
                let Some(into) = into.filter(|into| *into >= least) else {
                    is_misplaced = true;
                    return;
                };
                let new = SequenceRow {
                    into,
                    file: u32::try_from(row.file).unwrap_or(u32::MAX),
                    line: form::line(row.line),
                    column: column(row.column),
                };
                // Of rows at one address the last is used: the others have no
                // code.
                let count = self.rows.len();
                match self.rows.last_mut().filter(|_| count > first) {
                    Some(last) if last.into == new.into => *last = new,
                    _ if count >= limit => full = true,
                    _ => self.rows.push(new),
                }
            });
            if full {
                return Err(Fault::Limit);
            }
            if is_misplaced {
                damage.note();
            }
            match stop {
                Ok(ProgramStop::Sequence(end)) => {
                    program.clear_unsound(self.rows.get_mut(first..).unwrap_or_default());
                    let last = self.rows.get(first..).and_then(<[_]>::last);
                    let last = begin
                        .zip(last)
                        .map(|(at, last)| at.saturating_add(last.into.into()));
                    let end = last.map_or(end, |last| program.sound_end(last, end, elf));
                    let begin = begin.map(|begin| {
                        let start = program.set_to();
                        let start = start.filter(|start| begin < *start && *start < end);
                        self.begin_in_code(first, begin, start, elf)
                    });
                    self.end_sequence(first, begin, end, only, elf);
                }
                Ok(ProgramStop::Dropped) => self.rows.truncate(first),
                // A sequence without its end does not say how far it reaches.
                Ok(ProgramStop::Program) | Err(_) => {
                    if stop.is_err() || self.rows.len() > first {
                        damage.note();
                    }
                    self.rows.truncate(first);
                    return Ok(());
                }
            }
        }
    }

    /// Returns where a sequence begins. If that is before all code, its rows are made to begin at
    /// `start`, which is the start of its code.
    fn begin_in_code(
        &mut self,
        first: usize,
        begin: u64,
        start: Option<u64>,
        elf: &ElfFile,
    ) -> u64 {
        let start = start.filter(|start| !elf.is_code(begin) && elf.is_code(*start));
        let before = start.and_then(|start| u32::try_from(start.checked_sub(begin)?).ok());
        let Some((start, before)) = start.zip(before) else {
            return begin;
        };
        // The last of those before it counts up to the next.
        let rows = self.rows.get(first..).unwrap_or_default();
        let passed = rows.partition_point(|row| row.into <= before);
        self.rows
            .drain(first..first.saturating_add(passed).saturating_sub(1).max(first));
        for row in self.rows.get_mut(first..).into_iter().flatten() {
            row.into = row.into.saturating_sub(before);
        }
        start
    }

    fn end_sequence(
        &mut self,
        first: usize,
        begin: Option<u64>,
        end: u64,
        only: Option<u64>,
        elf: &ElfFile,
    ) {
        // Functions the linker dropped leave their lines at address 0.
        let wanted = |begin: u64| match only {
            Some(addr) => begin <= addr && addr < end,
            None => begin < end,
        };
        match begin.filter(|begin| wanted(*begin) && elf.has_code(*begin, end)) {
            Some(begin) => self.sequences.push(Sequence {
                begin,
                end,
                first,
                count: self.rows.len().saturating_sub(first),
            }),
            None => self.rows.truncate(first),
        }
    }

    /// Returns where the instruction at `addr` comes from.
    pub(in crate::dwarf) fn find(&self, addr: u64, unit: &Unit<'d>) -> Option<SourceLocation> {
        let at = usize::try_from(*self.overlaps.find(addr).first()?).ok()?;
        let sequence = self.sequences.get(at)?;
        let rows = self.rows.get(sequence.first..)?.get(..sequence.count)?;
        let into = addr.checked_sub(sequence.begin)?;
        let after = rows.partition_point(|row| u64::from(row.into) <= into);
        let row = rows.get(after.checked_sub(1)?)?;
        let known = row.line > 0;
        Some(SourceLocation {
            file: self.file(row.file.into(), unit),
            line: known.then_some(row.line),
            column: Some(row.column.into()).filter(|column| known && *column > 0),
        })
    }

    /// Returns the path of the file with this index.
    pub(in crate::dwarf) fn file(&self, file: u64, unit: &Unit<'d>) -> Option<Arc<str>> {
        let slot = usize::try_from(file).ok().and_then(|at| self.files.get(at));
        let slot = slot.or_else(|| self.no_file(unit))?;
        let path = slot.get_or_init(|| self.join_path(file, unit).map(Arc::from));
        path.clone()
    }

    /// Records a reference to a file that the table lacks as damage, if there is a table.
    pub(in crate::dwarf) fn no_file<T>(&self, unit: &Unit<'d>) -> Option<T> {
        if self.program.is_some() {
            unit.unit_file.damage.note();
        }
        None
    }

    fn join_path(&self, file: u64, unit: &Unit<'d>) -> Option<String> {
        let parts = self.path_parts(file, unit)?;
        parts.join(unit.unit_file.limits.name_bytes)
    }

    /// Returns what the path of the file with this index is joined from.
    ///
    /// Directory 0 is the compilation directory. From DWARF 5 on the table has it too
    /// (6.2.4, item 11), and assembly whose `.file 0` names the source of another language
    /// has another one there: the file lies in the table's. Other directories of the table
    /// count from the unit's, as they do for LLVM and gdb.
    pub(in crate::dwarf) fn path_parts(&self, file: u64, unit: &Unit<'d>) -> Option<PathParts<'d>> {
        let root = unit.own_root().ok()?;
        let header = self.program.as_ref()?.header();
        let entry = match header.file(file) {
            // Up to DWARF 4 that is the unit's own, which need not have a name.
            None if file == 0 && header.version() <= 4 => return None,
            None => {
                return self
                    .defined_parts(file, root)
                    .or_else(|| self.no_file(unit));
            }
            Some(entry) => entry,
        };
        let unit = root.unit_ref();
        let text = |text| {
            let read = unit.attr_string(text).map_err(Fault::from);
            Some(root.unit_file.damage.sound(read)?.slice())
        };
        let name = text(entry.path_name())?;
        let comp_dir = root.unit.comp_dir.map(|dir| dir.slice());
        // Up to DWARF 4 that is the unit's.
        let own = || {
            let dir = text(header.directory(0)?)?;
            Some(dir).filter(|dir| !dir.is_empty())
        };
        if entry.directory_index() != 0 {
            let dir = root.unit_file.damage.found(entry.directory(header));
            return Some(PathParts {
                comp_dir: comp_dir.or_else(own),
                dir: dir.map(text).map_or(Some(None), |dir| dir.map(Some))?,
                name,
            });
        }
        // A relative one is the unit's own over again.
        let counts =
            |dir: &&[u8]| comp_dir.is_none() || (is_absolute(dir) && comp_dir != Some(dir));
        Some(PathParts {
            comp_dir: own().filter(counts).or(comp_dir),
            dir: None,
            name,
        })
    }

    /// Returns the same of a file that the program defines.
    fn defined_parts(&self, file: u64, root: &RootDie<'d>) -> Option<PathParts<'d>> {
        let header = self.program.as_ref()?.header();
        let before = u64::try_from(header.file_names().len()).ok()?;
        // Files count from 1.
        let at = file.checked_sub(before)?.checked_sub(1)?;
        let DefinedFile { name, directory } = *self.defined.get(usize::try_from(at).ok()?)?;
        let known = || {
            let dir = root.unit_file.damage.found(header.directory(directory))?;
            let dir = root.unit_ref().attr_string(dir).map_err(Fault::from);
            Some(root.unit_file.damage.sound(dir)?.slice())
        };
        Some(PathParts {
            comp_dir: root.unit.comp_dir.map(|dir| dir.slice()),
            dir: if directory == 0 { None } else { known() },
            name,
        })
    }

    /// Returns how many files may be asked for.
    pub(in crate::dwarf) fn file_count(&self) -> usize {
        self.files.len()
    }

    /// Calls `found` for each run of rows, in ascending order: where it begins and
    /// ends, and where the sequence begins that it is a part of, with its rows.
    pub(in crate::dwarf) fn for_each_run(
        &self,
        mut found: impl FnMut(u64, u64, u64, &[SequenceRow]),
    ) {
        for (begin, end, value) in self.overlaps.covered() {
            let sequence = usize::try_from(value).ok();
            let sequence = sequence.and_then(|at| self.sequences.get(at));
            let Some(sequence) = sequence else { continue };
            let rows = self.rows.get(sequence.first..);
            let rows = rows.and_then(|rows| rows.get(..sequence.count));
            found(begin, end, sequence.begin, rows.unwrap_or_default());
        }
    }

    /// Returns the bytes that its tables take.
    pub(in crate::dwarf) fn bytes(&self) -> usize {
        let tables = [
            bytes_of(&self.rows),
            bytes_of(&self.sequences),
            bytes_of(&self.files),
            bytes_of(&self.defined),
            self.overlaps.bytes(),
        ];
        tables.into_iter().fold(0, usize::saturating_add)
    }

    pub(in crate::dwarf) fn row_count(&self) -> usize {
        self.rows.len()
    }

    pub(in crate::dwarf) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        let sequences = self.sequences.iter();
        sequences.map(|sequence| (sequence.begin, sequence.end))
    }
}
