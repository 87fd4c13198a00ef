//! Mappings to modules, and locations to places in them.

use backsight_types::profile::{Frame, Location, LocationIdx, Mapping, Profile};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, FileOffset, Module, ModuleIdx, ModuleKind, Perms, Reason,
    VirtOffset,
};
use hashbrown::HashMap;

use super::super::input::Budget;
use super::super::{Error, proto};
use super::tables::{Spaces, Tables, decode};
use crate::flaws::Flaws;

/// No program is linked to addresses from here on: they are those of a process. A file
/// of ours that was merged with one of another tool's holds both kinds.
const FIRST_ABSOLUTE: u64 = 1 << 40;

/// What is known of addresses in a mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedFile {
    module: Option<(ModuleIdx, ModuleKind)>,
    start: u64,
    limit: u64,
    file_offset: u64,
    is_virtual: bool,
}

impl Tables<'_> {
    /// Takes the files of the mappings for modules, and returns the mappings by ID.
    pub(super) fn mappings(
        &mut self,
        spaces: &Spaces<'_>,
        profile: &mut Profile,
        budget: &mut Budget,
        flaws: &mut Flaws,
    ) -> Result<HashMap<u64, MappedFile>, Error> {
        let mut files = HashMap::new();
        let mut modules: HashMap<(&[u8], &[u8]), ModuleIdx> = HashMap::new();
        for row in &self.mappings {
            budget.take_rows::<(Module, Mapping, MappedFile)>(2)?;
            if row.id == 0 {
                flaws.count("mappings without an ID");
                continue;
            }
            if files.contains_key(&row.id) {
                flaws.count("mappings whose ID another one has");
                continue;
            }
            let name = self.texts.bytes(row.filename, flaws).unwrap_or_default();
            let build_id = self.texts.bytes(row.build_id, flaws).unwrap_or_default();
            // Without either it is no file: Go says so of what it knows nothing of.
            let module = (!name.is_empty() || !build_id.is_empty()).then(|| {
                *modules.entry((name, build_id)).or_insert_with(|| {
                    // No more modules than mappings, which the budget limits.
                    let place = u32::try_from(profile.modules.len()).unwrap_or(u32::MAX);
                    profile.modules.push(module(name, build_id, flaws));
                    ModuleIdx(place)
                })
            });
            let kind = module.and_then(|index| Some((index, profile.module(index)?.kind)));
            let excepted = str::from_utf8(name).is_ok_and(|name| spaces.but.contains(name));
            let file = MappedFile {
                module: kind,
                start: row.memory_start,
                limit: row.memory_limit,
                file_offset: row.file_offset,
                is_virtual: spaces.is_virtual && !excepted && row.memory_start < FIRST_ABSOLUTE,
            };
            files.insert(row.id, file);
            let range = AbsRange::new(AbsAddr(row.memory_start), AbsAddr(row.memory_limit));
            match range {
                // Nothing is told of where it was.
                Some(range) if range.end.0 == 0 => {}
                Some(range) => profile.mappings.push(Mapping {
                    process: None,
                    range,
                    file_offset: FileOffset(row.file_offset),
                    perms: Perms::READ | Perms::EXECUTE,
                    module,
                    start_ns: None,
                }),
                None => flaws.count("mappings that end before they begin"),
            }
        }
        Ok(files)
    }

    /// Takes the locations in, and returns them by ID.
    pub(super) fn locations(
        &mut self,
        files: &HashMap<u64, MappedFile>,
        profile: &mut Profile,
        budget: &mut Budget,
        flaws: &mut Flaws,
    ) -> Result<HashMap<u64, LocationIdx>, Error> {
        let mut ids = HashMap::new();
        for row in std::mem::take(&mut self.locations) {
            budget.take_rows::<(Location, u64, LocationIdx)>(2)?;
            // A line of two bytes takes as much room as a long one.
            let most_lines = row.len() / 2;
            budget.check(most_lines.saturating_mul(size_of::<[(proto::Line, Frame); 2]>()))?;
            let why_not = "locations that cannot be decoded";
            let Some(row) = decode::<proto::Location>(row, why_not, flaws) else {
                continue;
            };
            if row.id == 0 {
                flaws.count("locations without an ID");
                continue;
            }
            if ids.contains_key(&row.id) {
                flaws.count("locations whose ID another one has");
                continue;
            }
            budget.take_rows::<Frame>(row.line.len().saturating_mul(2))?;
            let location = self.location(&row, files, profile, flaws);
            if let Some(index) = profile.add_location(location) {
                ids.insert(row.id, index);
            }
        }
        Ok(ids)
    }

    fn location(
        &mut self,
        row: &proto::Location,
        files: &HashMap<u64, MappedFile>,
        profile: &mut Profile,
        flaws: &mut Flaws,
    ) -> Location {
        if row.is_folded {
            flaws.count("locations of functions that the linker folded into one");
        }
        let file = files.get(&row.mapping_id);
        if file.is_none() && row.mapping_id != 0 {
            flaws.count("locations in mappings that are not there");
        }
        let mut location = match file.and_then(|file| Some((file, file.module?))) {
            Some((file, (module, kind))) => Location {
                module: Some(module),
                kind: Some(AddrKind::from(kind)),
                ..file.place(row.address, flaws)
            },
            None => Location {
                address: (row.address != 0).then_some(AbsAddr(row.address)),
                reason: self.reason(row),
                ..Location::default()
            },
        };
        if location.reason.is_none() {
            let last = row.line.len().saturating_sub(1);
            let lines = row.line.iter().enumerate();
            let frames: Vec<Frame> = lines
                .map(|(at, line)| Frame {
                    inlined: at < last,
                    ..self.frame(line, profile, flaws)
                })
                .collect();
            location.frames = profile.add_frames(frames).unwrap_or_default();
        }
        location
    }

    /// Returns what the writer of this format writes in place of a name, if it is that.
    fn reason(&self, row: &proto::Location) -> Option<Reason> {
        let [line] = row.line.as_slice() else {
            return None;
        };
        let function = self.functions.get(&line.function_id)?;
        let name = self.texts.bytes(function.name, &mut Flaws::default())?;
        let name = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let is_bare = line.line == 0 && function.filename == 0;
        let reason = str::from_utf8(name).ok()?.parse().ok()?;
        is_bare.then_some(reason)
    }

    fn frame(&mut self, line: &proto::Line, profile: &mut Profile, flaws: &mut Flaws) -> Frame {
        let function = match self.functions.get(&line.function_id) {
            Some(function) => *function,
            None => {
                if line.function_id != 0 {
                    flaws.count("lines of functions that are not there");
                }
                proto::Function::default()
            }
        };
        let strings = &mut profile.strings;
        let name = self.texts.text(function.name, strings, flaws);
        let linkage_name = self.texts.text(function.system_name, strings, flaws);
        Frame {
            function: name,
            linkage_name: linkage_name.filter(|linkage| Some(*linkage) != name),
            file: self.texts.text(function.filename, strings, flaws),
            line: number(line.line, flaws),
            column: number(line.column, flaws),
            start_line: number(function.start_line, flaws),
            inlined: false,
            start: None,
        }
    }
}

impl MappedFile {
    /// Returns the place in the file that an address means.
    fn place(&self, address: u64, flaws: &mut Flaws) -> Location {
        let known = self.limit != 0;
        let into = address.checked_sub(self.start);
        let inside = known && into.is_some() && address < self.limit;
        if known && !inside && address != 0 {
            flaws.count("locations outside of their mappings");
        }
        let file_offset = into.filter(|_| inside);
        let file_offset = file_offset.and_then(|into| self.file_offset.checked_add(into));
        let virt_offset = self.is_virtual && (inside || (!known && address != 0));
        Location {
            // What no file offset can be told of stays as it is.
            address: (!inside && !virt_offset && address != 0).then_some(AbsAddr(address)),
            file_offset: file_offset.map(FileOffset),
            virt_offset: virt_offset.then_some(VirtOffset(address)),
            ..Location::default()
        }
    }
}

fn module(name: &[u8], build_id: &[u8], flaws: &mut Flaws) -> Module {
    let deleted = name.strip_suffix(b" (deleted)");
    let path = deleted.unwrap_or(name);
    let digits = str::from_utf8(build_id).ok();
    let id = digits.and_then(|digits| digits.parse().ok());
    if id.is_none() && !build_id.is_empty() {
        flaws.count("build IDs that are not hexadecimal digits");
    }
    Module {
        kind: kind_of(path),
        path: path.to_vec(),
        deleted: deleted.is_some(),
        build_id: id,
        ..Module::default()
    }
}

/// Tells by its name what a mapping is of: `[vdso]`, `[kernel.kallsyms]`, `[nf_tables]`,
/// `/lib/modules/…/nf_tables.ko.xz`.
fn kind_of(path: &[u8]) -> ModuleKind {
    let bracketed = path.starts_with(b"[");
    let packings: [&[u8]; 4] = [b".ko", b".ko.xz", b".ko.gz", b".ko.zst"];
    if path.starts_with(b"[vdso") {
        ModuleKind::Vdso
    } else if bracketed || packings.iter().any(|end| path.ends_with(end)) {
        ModuleKind::Kernel
    } else {
        ModuleKind::File
    }
}

/// Returns a line or column; `None` for 0, which says that it is not known.
fn number(number: i64, flaws: &mut Flaws) -> Option<u32> {
    let known = u32::try_from(number);
    if known.is_err() {
        flaws.count("lines and columns that do not fit 32 bits");
    }
    known.ok().filter(|number| *number > 0)
}
