//! The line table that a Go program carries for its own runtime, whatever was stripped.
//!
//! Go's linker writes it for all Go code, and for nothing else: where it has a function,
//! no debug information of another compiler has one. It is not asked where debug
//! information of Go's compiler is: that has columns, parameters' types and variables, and
//! an answer should not change by what else a file has.

use std::sync::Arc;

use backsight_index::engine::{CodeOffsets, Name, lossy};
use backsight_sources::go_build_info::go_release;
use backsight_sources::go_pclntab::{
    GoLimits, GoNames, GoTable, GoUnits, begins_as_table, find_tables,
};
use backsight_sources::{MappedPart, Memory, Relocation};
use backsight_types::Perms;

use crate::damage_reporter::DamageReporter;
use crate::dwarf::{DwarfAnswer, DwarfLevel, SourceLocation};
use crate::elf::{ElfFile, for_each_address};
use crate::limits::Limits;
use crate::shortfall::ShortfallKind;

/// Sections that the table is in, where a linker did not merge it into another.
const TABLES: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// Sections of a Go program, of which one is left where the table's is not.
const MARKS: [&str; 3] = [".go.buildinfo", ".note.go.buildid", ".gosymtab"];

/// Functions that debug information is asked about, to know whether it is of Go.
const PROBES: usize = 8;

/// The line table of a Go program.
#[derive(Debug)]
pub(crate) struct GoLines {
    elf: Arc<ElfFile>,
    table: GoTable,
    reporter: DamageReporter,
}

impl GoLines {
    /// Looks for the table of a file; `None` when it is no Go program.
    pub(crate) fn open(elf: &Arc<ElfFile>, reporter: DamageReporter) -> Option<Self> {
        let named = TABLES.iter().find_map(|name| elf.section(name));
        let is_marked = || MARKS.iter().any(|name| elf.section(name).is_some());
        if named.is_none() && elf.has_section_headers() && !is_marked() {
            return None;
        }
        let memory = memory(elf)?;
        let release = release(elf, &memory);
        let open = |addr: u64, relocations: &[Relocation]| {
            GoTable::open(addr, &memory, relocations, release)
        };
        let named = named.map(|section| section.addr);
        let found = named.is_none().then(|| find_tables(&memory.parts));
        let found = found.unwrap_or_default();
        if named.is_none() && found.is_empty() {
            return None;
        }
        let mut relocations = Vec::new();
        for_each_address(elf, |addr, target| {
            relocations.push(Relocation { addr, target });
        });
        let table = match named {
            Some(addr) => {
                let table = open(addr, &relocations);
                // A stripped program has no other names: without a word, it would be one that
                // never had any.
                if table.is_none() && begins_as_table(addr, &memory) {
                    reporter.report(ShortfallKind::Damaged);
                }
                table
            }
            // Nothing but its bytes says that it is one.
            None => found.into_iter().find_map(|addr| {
                let table = open(addr, &relocations)?;
                let mut entries = table.some_entries(PROBES, &memory).into_iter();
                let is_code = entries.all(|entry| elf.is_code(entry));
                (is_code && !table.is_damaged()).then_some(table)
            }),
        };
        Some(Self {
            elf: Arc::clone(elf),
            table: table?,
            reporter,
        })
    }

    /// Returns how many functions it has.
    pub(crate) fn functions(&self) -> usize {
        self.table.functions()
    }

    /// Returns a few functions, by where they are entered.
    pub(crate) fn some_entries(&self) -> Vec<u64> {
        let memory = memory(&self.elf).unwrap_or_default();
        self.table.some_entries(PROBES, &memory)
    }

    /// Reports a table that contradicts itself, once it is known that it is used.
    pub(crate) fn report_table(&self) {
        self.report(self.table.is_damaged());
    }

    fn report(&self, is_damaged: bool) {
        if is_damaged {
            self.reporter.report(ShortfallKind::Damaged);
        }
    }

    /// Returns what stands at this virtual offset; `None` where no Go function is.
    pub(crate) fn find(&self, addr: u64, limits: &Limits) -> Option<DwarfAnswer> {
        let memory = memory(&self.elf)?;
        let answer = self.table.look_up(addr, &memory, of(limits))?;
        self.report(answer.is_damaged);
        if answer.levels.is_empty() {
            return None;
        }
        let last = answer.levels.len().saturating_sub(1);
        let levels = answer.levels.into_iter().enumerate();
        let levels = levels.map(|(at, level)| {
            let name = level.name.map(|name| Name::of_plain(&name, 0));
            DwarfLevel {
                name: name.unwrap_or_default().at_line(level.start_line),
                location: SourceLocation {
                    file: level.file.map(|file| lossy(file).into()),
                    line: Some(level.line).filter(|line| *line > 0),
                    column: None,
                },
                inlined: at < last,
                start: (at == last).then_some(answer.entry),
            }
        });
        Some(DwarfAnswer {
            levels: levels.collect(),
            limited: answer.is_limited,
            ..DwarfAnswer::default()
        })
    }

    /// Returns the bytes of memory that it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.table.kept_bytes()
    }

    /// Returns about how many bytes are read to lay all out.
    pub(crate) fn size(&self) -> usize {
        let memory = memory(&self.elf).unwrap_or_default();
        self.table.size(&memory)
    }

    /// Returns the names that must be kept while its units are.
    pub(crate) fn names(&self) -> GoNames {
        let memory = memory(&self.elf).unwrap_or_default();
        self.table.names(&memory)
    }

    /// Lays all out for an index.
    pub(crate) fn units<'d>(
        &'d self,
        names: &'d GoNames,
        code: &CodeOffsets,
        limits: &Limits,
    ) -> GoUnits<'d> {
        let memory = memory(&self.elf).unwrap_or_default();
        let units = self.table.units(&memory, names, code, of(limits));
        self.report(units.parts.iter().any(|part| part.damaged));
        units
    }
}

fn of(limits: &Limits) -> GoLimits {
    GoLimits {
        inline_depth: limits.inline_depth.into(),
        name_bytes: limits.name_bytes,
    }
}

/// Returns what a file maps; `None` of a debug file, which maps nothing.
fn memory(elf: &ElfFile) -> Option<Memory<'_>> {
    let segments = elf.segments()?.as_slice().iter();
    let parts = segments.map(|segment| {
        let begin = usize::try_from(segment.file_offset.0).ok()?;
        let size = usize::try_from(segment.file_size).ok()?;
        let rest = elf.image().get(begin..)?;
        Some(MappedPart {
            addr: segment.virt_offset.0,
            bytes: rest.get(..size.min(rest.len()))?,
            is_writable: segment.flags.contains(Perms::WRITE),
        })
    });
    Some(Memory {
        parts: parts.flatten().collect(),
    })
}

/// Returns the release of Go that made a file.
pub(crate) fn release_of(elf: &ElfFile) -> Option<&str> {
    release(elf, &memory(elf)?)
}

fn release<'d>(elf: &'d ElfFile, memory: &Memory<'d>) -> Option<&'d str> {
    let section = elf.section(".go.buildinfo")?;
    go_release(memory.from(section.addr)?, memory)
}
