//! Builds the tables that all threads refer to: strings, functions, frames and stacks.

use std::collections::HashMap;

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, StackIdx, Strings};
use backsight_types::{AddrKind, Lookup, Module, ModuleKind, VirtOffset};

use super::libs::Libs;
use super::meta::{KERNEL, OTHER, USER};
use super::tables::{
    FrameRow, FrameTable, FuncRow, FuncTable, NativeSymbolRow, NativeSymbols, ResourceRow,
    ResourceTable, SharedJson, SourceLocations, SourceRow, SourceTable, StackRow, StackTable,
};
use crate::perf_map::JitName;
use crate::place_name::place_name;

/// The tables that all threads refer to, and the index of each row by what it contains.
pub(super) struct SharedTables<'p> {
    profile: &'p Profile,
    libs: &'p Libs,
    strings: Strings,
    frames: FrameTable,
    funcs: FuncTable,
    sources: SourceTable,
    resources: ResourceTable,
    symbols: NativeSymbols,
    stacks: StackTable,
    known_funcs: HashMap<FuncKey, usize>,
    known_sources: HashMap<usize, usize>,
    known_resources: HashMap<usize, usize>,
    known_symbols: HashMap<(usize, u64), usize>,
    /// The frames of each location, outermost first.
    known_frames: HashMap<LocationIdx, Vec<usize>>,
    known_stacks: HashMap<StackIdx, usize>,
}

/// The key of a function: name, resource, file, line, column.
type FuncKey = (usize, i64, Option<usize>, Option<u32>, Option<u32>);

impl<'p> SharedTables<'p> {
    pub(super) fn new(profile: &'p Profile, libs: &'p Libs) -> Self {
        Self {
            profile,
            libs,
            strings: Strings::default(),
            frames: FrameTable::default(),
            funcs: FuncTable::default(),
            sources: SourceTable::default(),
            resources: ResourceTable::default(),
            symbols: NativeSymbols::default(),
            stacks: StackTable::default(),
            known_funcs: HashMap::new(),
            known_sources: HashMap::new(),
            known_resources: HashMap::new(),
            known_symbols: HashMap::new(),
            known_frames: HashMap::new(),
            known_stacks: HashMap::new(),
        }
    }

    /// Returns the tables as they are written.
    pub(super) fn into_json(self) -> SharedJson {
        SharedJson {
            stack_table: self.stacks,
            frame_table: self.frames,
            func_table: self.funcs,
            resource_table: self.resources,
            native_symbols: self.symbols,
            sources: self.sources,
            source_location_table: SourceLocations::default(),
            string_array: self.strings.iter().map(str::to_owned).collect(),
        }
    }

    /// Returns the row of a stack; `None` for one without frames.
    pub(super) fn stack(&mut self, stack: Option<StackIdx>) -> Option<usize> {
        // Follow the callers up to a known stack, and then add the stacks below it.
        let mut new = Vec::new();
        let mut at = stack;
        let mut prefix = loop {
            let here = at?;
            if let Some(known) = self.known_stacks.get(&here) {
                break Some(*known);
            }
            let (location, caller) = self.profile.stacks.get(here)?;
            new.push((here, location));
            at = caller;
            if at.is_none() {
                break None;
            }
        };
        for (here, location) in new.into_iter().rev() {
            let frames = match self.known_frames.get(&location) {
                Some(frames) => frames.clone(),
                None => {
                    let frames = self.location(location);
                    self.known_frames.insert(location, frames.clone());
                    frames
                }
            };
            for frame in frames {
                // How far back the row of the caller is; 0 if there is none.
                let at = self.stacks.len();
                let prefix_offset = prefix.map_or(0, |prefix: usize| at.saturating_sub(prefix));
                prefix = Some(self.stacks.push(StackRow {
                    prefix_offset,
                    frame,
                }));
            }
            if let Some(known) = prefix {
                self.known_stacks.insert(here, known);
            }
        }
        prefix
    }

    /// Adds the frames of a location, and returns their indices, outermost first.
    fn location(&mut self, index: LocationIdx) -> Vec<usize> {
        let profile = self.profile;
        let nowhere = Location::default();
        let location = profile.location(index).unwrap_or(&nowhere);
        let module = location.module.and_then(|index| profile.module(index));
        let lib = location.module.and_then(|index| self.libs.place(index));
        let resource = lib.map_or(-1, |lib| self.resource(lib));
        let address = lib.and_then(|_| address_of(location, module?));
        let frames = profile.frames_of(location);
        let category = category_of(location, module);
        let symbol = frames.last().and_then(|physical| {
            let start = relative(physical.start?, module?)?;
            Some(self.symbol(lib?, start, self.name_of(physical, location)))
        });
        let unnamed = [ProfileFrame::default()];
        let frames = if frames.is_empty() { &unnamed } else { frames };
        let outermost_first = (0_u32..).zip(frames.iter().rev());
        let places = outermost_first.map(|(inline_depth, frame)| {
            let name = self.name_of(frame, location);
            let file = frame.file.and_then(|at| profile.strings.get(at));
            let linkage_name = frame.linkage_name.and_then(|at| profile.strings.get(at));
            let column = linkage_name.and_then(|name| JitName::of(name).start_column);
            let func = self.func(&name, resource, file, (frame.start_line, column));
            self.frames.push(FrameRow {
                address: address.unwrap_or(-1),
                inline_depth,
                category,
                subcategory: 0,
                func,
                native_symbol: symbol,
                window: 0,
                line: frame.line,
                column: frame.column,
                original: None,
            })
        });
        places.collect()
    }

    fn name_of(&self, frame: &ProfileFrame, location: &Location) -> String {
        let named = [frame.function, frame.linkage_name].into_iter().flatten();
        let mut named = named.filter_map(|at| self.profile.strings.get(at));
        match named.find(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => place_name(self.profile, location),
        }
    }

    fn func(
        &mut self,
        name: &str,
        resource: i64,
        file: Option<&str>,
        (line, column): (Option<u32>, Option<u32>),
    ) -> usize {
        let name = self.strings.intern(name).as_usize();
        let source = file.map(|file| self.source(file));
        let key = (name, resource, source, line, column);
        if let Some(known) = self.known_funcs.get(&key) {
            return *known;
        }
        let at = self.funcs.push(FuncRow {
            name,
            is_js: false,
            relevant_for_js: false,
            resource,
            source,
            line,
            column,
            original: None,
        });
        self.known_funcs.insert(key, at);
        at
    }

    fn source(&mut self, file: &str) -> usize {
        let file = self.strings.intern(file).as_usize();
        *self.known_sources.entry(file).or_insert_with(|| {
            self.sources.push(SourceRow {
                id: None,
                file,
                start_line: 1,
                start_column: 1,
                map: None,
                content: None,
            })
        })
    }

    fn resource(&mut self, lib: usize) -> i64 {
        let at = match self.known_resources.get(&lib) {
            Some(known) => *known,
            None => {
                let name = self.libs.rows.get(lib).map_or("", |lib| &lib.name);
                let at = self.resources.push(ResourceRow {
                    lib,
                    name: self.strings.intern(name).as_usize(),
                    host: None,
                    kind: 1,
                });
                self.known_resources.insert(lib, at);
                at
            }
        };
        i64::try_from(at).unwrap_or(-1)
    }

    fn symbol(&mut self, lib: usize, address: u64, name: String) -> usize {
        if let Some(known) = self.known_symbols.get(&(lib, address)) {
            return *known;
        }
        let name = self.strings.intern(&name).as_usize();
        let at = self.symbols.push(NativeSymbolRow {
            address,
            size: None,
            lib,
            name,
        });
        self.known_symbols.insert((lib, address), at);
        at
    }
}

/// Returns the address at which a location is looked up, relative to the lowest virtual address of
/// its library's segments.
fn address_of(location: &Location, module: &Module) -> Option<i64> {
    let virt = location
        .virt_offset
        .or_else(|| module.virt_offset_of(location.file_offset?));
    let at = match virt {
        Some(virt) => relative(virt, module)?,
        // Without program headers, the file offset is used, which is the same in most files.
        None => location.file_offset?.0,
    };
    let at = match location.lookup {
        Lookup::Exact => at,
        Lookup::Return => at.checked_sub(1)?,
    };
    i64::try_from(at).ok()
}

fn relative(virt: VirtOffset, module: &Module) -> Option<u64> {
    let segments = module.segments.as_ref().map(|all| all.as_slice());
    let starts = segments
        .into_iter()
        .flatten()
        .map(|segment| segment.virt_offset);
    virt.distance_from(starts.min().unwrap_or_default())
}

fn category_of(location: &Location, module: Option<&Module>) -> u32 {
    let in_kernel = module.is_some_and(|module| module.kind == ModuleKind::Kernel);
    match location.kind {
        Some(AddrKind::Kernel) => KERNEL,
        _ if in_kernel => KERNEL,
        Some(_) => USER,
        None if module.is_some() || location.frames.len > 0 => USER,
        None => OTHER,
    }
}
