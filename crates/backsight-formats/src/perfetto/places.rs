//! Makes modules of mappings, and locations of frames.

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, StrIdx};
use backsight_types::{
    AddrKind, BuildId, FileOffset, Module, ModuleIdx, ModuleKind, Reason, VirtOffset,
};
use hashbrown::HashMap;

use super::interned::{FrameRow, InternedMapping, InternedTables};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget};

/// The addresses of a trace that it has no symbols for.
#[derive(Clone, Debug, Default)]
pub struct SymbolPlaces {
    pub(super) files: Vec<TraceFile>,
    pub(super) rows: Vec<SymbolRow>,
}

/// A file as the trace names it, by which symbols are joined with its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TraceFile {
    pub(super) path: Vec<u8>,
    /// As the trace has it: bytes or digits.
    pub(super) build_id: Vec<u8>,
}

/// An address in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct SymbolRow {
    pub(super) location: LocationIdx,
    /// Its index in the files.
    pub(super) file: u32,
    pub(super) rel_pc: u64,
}

impl SymbolPlaces {
    /// Returns how many addresses there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Iterates over the locations, of which each is an address in a file.
    pub fn locations(&self) -> impl Iterator<Item = LocationIdx> {
        self.rows.iter().map(|row| row.location)
    }
}

/// Which names addresses in files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those that the recorder had.
    Recorded,
    /// None: they are looked up.
    LookedUp,
}

/// The modules and locations found so far.
#[derive(Debug)]
pub(super) struct Places {
    names: Names,
    files: HashMap<TraceFile, u32>,
    mapped: Vec<MappingKind>,
    locations: HashMap<(u32, FrameIdentity), Option<LocationIdx>>,
    pub(super) found: SymbolPlaces,
}

/// What a mapping is of.
#[derive(Clone, Copy, Debug, Default)]
struct MappingKind {
    /// `None` for memory without a file.
    module: Option<(ModuleIdx, ModuleKind)>,
    is_anonymous: bool,
}

/// What tells two frames of one mapping apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FrameIdentity {
    rel_pc: u64,
    file_offset: Option<u64>,
    function: Option<StrIdx>,
    source: Option<StrIdx>,
    line: u32,
}

/// The index of frames without a mapping.
const NO_MAPPING: u32 = u32::MAX;

impl Places {
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            files: HashMap::new(),
            mapped: Vec::new(),
            locations: HashMap::new(),
            found: SymbolPlaces::default(),
        }
    }

    /// Returns the location of a frame; `None` if the tables do not have it.
    pub(super) fn location(
        &mut self,
        tables: &mut InternedTables,
        iid: u64,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<Option<LocationIdx>, Error> {
        if let Some(known) = tables.known_frames.get(&iid) {
            return Ok(*known);
        }
        let location = match tables.frames.get(&iid).copied() {
            Some(row) => self.resolve(tables, row, profile, budget, flaws)?,
            None => None,
        };
        budget.take_rows::<(u64, Option<LocationIdx>)>(2)?;
        tables.known_frames.insert(iid, location);
        Ok(location)
    }

    fn resolve(
        &mut self,
        tables: &mut InternedTables,
        row: FrameRow,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<Option<LocationIdx>, Error> {
        let index = self.mapping(tables, row.mapping, profile, budget, flaws)?;
        let mapped = usize::try_from(index)
            .ok()
            .and_then(|at| self.mapped.get(at))
            .copied()
            .unwrap_or_default();
        let mapping = tables.mappings.get(&row.mapping);
        let load_bias = mapping.and_then(|mapping| mapping.load_bias);
        let is_looked_up = matches!(
            mapped.module,
            Some((_, ModuleKind::File | ModuleKind::Vdso))
        );
        let mut text = |table: &HashMap<u64, Box<[u8]>>, id: u64| {
            let found = table.get(&id);
            if id != 0 && found.is_none() {
                flaws.count("frames that refer to a missing name");
            }
            let found = found.filter(|text| !text.is_empty())?;
            Some(profile.strings.intern(&String::from_utf8_lossy(found)))
        };
        let (mut function, mut source) = (
            text(&tables.functions, row.function),
            text(&tables.sources, row.source),
        );
        if is_looked_up && self.names == Names::LookedUp {
            (function, source) = (None, None);
        }
        // The recorder added the bias to the offset in the file. It may have read a wrong one: of
        // the two, the offset in the file is right in any case.
        let file_offset = match tables.are_of_profile {
            true => row.rel_pc.checked_sub(load_bias.unwrap_or_default()),
            false => load_bias.and_then(|bias| row.rel_pc.checked_sub(bias)),
        };
        let key = FrameIdentity {
            rel_pc: row.rel_pc,
            file_offset,
            function,
            source,
            line: row.line,
        };
        if let Some(known) = self.locations.get(&(index, key)) {
            return Ok(*known);
        }
        budget.take_rows::<(FrameIdentity, Location, ProfileFrame, SymbolRow)>(2)?;
        let frames = match function.or(source) {
            Some(_) => profile.add_frames([ProfileFrame {
                function,
                file: source,
                line: source.and(Some(row.line)).filter(|line| *line > 0),
                ..ProfileFrame::default()
            }]),
            None => None,
        };
        let frames = frames.unwrap_or_default();
        let location = Location {
            kind: match mapped.module {
                Some((_, kind)) => Some(AddrKind::from(kind)),
                None => mapped.is_anonymous.then_some(AddrKind::Anonymous),
            },
            module: mapped.module.map(|(index, _)| index),
            file_offset: key.file_offset.filter(|_| is_looked_up).map(FileOffset),
            virt_offset: (is_looked_up && (!tables.are_of_profile || file_offset.is_none()))
                .then_some(VirtOffset(row.rel_pc)),
            reason: match mapped.module {
                _ if frames.len > 0 => None,
                Some((_, ModuleKind::Kernel)) => Some(Reason::Kernel),
                Some(_) => None,
                None if mapped.is_anonymous => Some(Reason::Anonymous),
                None => Some(Reason::Unmapped),
            },
            frames,
            ..Location::default()
        };
        let added = profile.add_location(location);
        self.locations.insert((index, key), added);
        if let Some(location) = added.filter(|_| is_looked_up) {
            self.found.rows.push(SymbolRow {
                location,
                file: index,
                rel_pc: row.rel_pc,
            });
        }
        Ok(added)
    }

    /// Returns the index of a mapping in what was found so far.
    fn mapping(
        &mut self,
        tables: &mut InternedTables,
        iid: u64,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<u32, Error> {
        if iid == 0 {
            return Ok(NO_MAPPING);
        }
        if let Some(known) = tables.known_mappings.get(&iid) {
            return Ok(*known);
        }
        let Some(row) = tables.mappings.get(&iid) else {
            flaws.count("frames that refer to a missing mapping");
            return Ok(NO_MAPPING);
        };
        let path = path_of(row, tables, budget, flaws)?;
        let build_id = match row.build_id {
            0 => None,
            id => tables.build_ids.get(&id),
        };
        if row.build_id != 0 && build_id.is_none() {
            flaws.count("mappings that refer to a missing build ID");
        }
        let build_id = build_id.map(|id| id.to_vec()).unwrap_or_default();
        budget.take(build_id.len().saturating_mul(2))?;
        let file = TraceFile { path, build_id };
        let index = match self.files.get(&file) {
            Some(known) => *known,
            None => {
                budget.take_rows::<(TraceFile, MappingKind, Module)>(2)?;
                let Ok(index) = u32::try_from(self.mapped.len()) else {
                    return Ok(NO_MAPPING);
                };
                self.mapped.push(mapped(&file, profile, flaws));
                self.found.files.push(file.clone());
                self.files.insert(file, index);
                index
            }
        };
        budget.take_rows::<(u64, u32)>(2)?;
        tables.known_mappings.insert(iid, index);
        Ok(index)
    }
}

/// Returns the path as Perfetto joins it from its parts.
fn path_of(
    row: &InternedMapping,
    tables: &InternedTables,
    budget: &mut MemoryBudget,
    flaws: &mut Flaws,
) -> Result<Vec<u8>, Error> {
    let mut path = Vec::new();
    for id in &row.path {
        let Some(part) = tables.paths.get(id) else {
            flaws.count("mappings that refer to a missing part of their path");
            break;
        };
        budget.take(part.len().saturating_add(1).saturating_mul(3))?;
        path.push(b'/');
        path.extend_from_slice(part);
    }
    // Chrome has the whole path as one part.
    if path.starts_with(b"//") {
        path.remove(0);
    }
    Ok(path)
}

/// Adds the module of a mapping.
fn mapped(file: &TraceFile, profile: &mut Profile, flaws: &mut Flaws) -> MappingKind {
    let path = match file.path.as_slice() {
        [b'/', rest @ ..] if rest.starts_with(b"[") => rest,
        path => path,
    };
    let kind = match path {
        _ if path.starts_with(b"[vdso") => ModuleKind::Vdso,
        b"/kernel" => ModuleKind::Kernel,
        _ if path.starts_with(b"[kernel") => ModuleKind::Kernel,
        b"" if file.build_id.is_empty() => return MappingKind::default(),
        // What stands where the recorder could not go on.
        b"/ERROR" if file.build_id.is_empty() => return MappingKind::default(),
        _ if path.starts_with(b"[") => {
            return MappingKind {
                module: None,
                is_anonymous: true,
            };
        }
        _ => ModuleKind::File,
    };
    let deleted = path.strip_suffix(b" (deleted)");
    let path = match kind {
        ModuleKind::Kernel => b"[kernel.kallsyms]",
        _ => deleted.unwrap_or(path),
    };
    let module = Module::default()
        .with_kind(kind)
        .with_path(path.to_vec())
        .with_deleted(deleted.is_some())
        .with_build_id(build_id(&file.build_id, flaws));
    let index = u32::try_from(profile.modules.len()).ok().map(ModuleIdx);
    let Some(index) = index else {
        return MappingKind::default();
    };
    profile.modules.push(module);
    MappingKind {
        module: Some((index, kind)),
        is_anonymous: false,
    }
}

/// Reads a build ID: bytes, or digits in older traces.
fn build_id(raw: &[u8], flaws: &mut Flaws) -> Option<BuildId> {
    let is_hex = raw.iter().all(u8::is_ascii_hexdigit);
    if raw.is_empty() {
        return None;
    }
    if raw.len() == 33 && is_hex {
        flaws.leave_out("build IDs in Breakpad's form, of which only a part of the ID is known");
        return None;
    }
    if raw.len() >= 16 && raw.len().is_multiple_of(2) && is_hex {
        let digits = str::from_utf8(raw).ok();
        return digits.and_then(|digits| digits.parse().ok());
    }
    let id = BuildId::from_bytes(raw).ok();
    if id.is_none() {
        flaws.count("build IDs of more than 64 bytes");
    }
    id
}
