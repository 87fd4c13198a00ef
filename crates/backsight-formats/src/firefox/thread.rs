//! Builds the tables of a thread from its samples.

use std::collections::HashMap;

use backsight_profile::{
    Location, LocationIdx, Process, Profile, ProfileFrame, StackIdx, Strings, ThreadIdx,
};
use backsight_types::{AddrKind, Lookup, Module, ModuleKind, VirtOffset};

use super::libs::Libs;
use super::meta::{Clock, KERNEL, OTHER, USER, ms};
use super::tables::{
    FrameRow, FrameTable, FuncRow, FuncTable, Markers, NativeSymbolRow, NativeSymbols, ResourceRow,
    ResourceTable, SampleTable, StackRow, StackTable, ThreadJson, Weight,
};
use super::value::value_of;
use crate::place_name::place_name;

/// Builds the threads of a profile, one after another.
pub(super) struct ThreadWriter<'p> {
    profile: &'p Profile,
    libs: &'p Libs,
    clock: &'p Clock,
    sample_type: usize,
    /// The processes that have each process ID, and the number of threads that have each thread ID:
    /// reused IDs get different names.
    pids: HashMap<u32, Vec<usize>>,
    tids: HashMap<u32, u32>,
}

impl<'p> ThreadWriter<'p> {
    pub(super) fn new(
        profile: &'p Profile,
        libs: &'p Libs,
        clock: &'p Clock,
        sample_type: usize,
    ) -> Self {
        Self {
            profile,
            libs,
            clock,
            sample_type,
            pids: HashMap::new(),
            tids: HashMap::new(),
        }
    }

    /// Returns the thread with these samples, which are sorted by time.
    pub(super) fn thread(&mut self, index: Option<ThreadIdx>, samples: &[usize]) -> ThreadJson {
        let profile = self.profile;
        let thread = index.and_then(|index| profile.thread(index));
        let process = thread.and_then(|thread| profile.process(thread.process));
        let text = |at| profile.strings.get(at).filter(|text| !text.is_empty());
        let process_name = process.and_then(|process| text(process.name?));
        let thread_name = thread.and_then(|thread| text(thread.name?));
        let pid = process.map(|process| process.pid).unwrap_or_default();
        let tid = thread.and_then(|thread| thread.tid).unwrap_or(pid);
        let process_name = process_name.map_or_else(|| format!("process {pid}"), str::to_owned);
        let mut tables = ThreadTables::new(profile, self.libs);
        let samples = self.samples(samples, &mut tables);
        let began = |process: &Process| process.start_ns.map(|ns| self.clock.ms_at(ns));
        let ended = |process: &Process| process.end_ns.map(|ns| self.clock.ms_at(ns));
        let startup = process.and_then(began).unwrap_or_default();
        let shutdown = process.and_then(ended);
        ThreadJson {
            frame_table: tables.frames,
            func_table: tables.funcs,
            markers: Markers::default(),
            name: thread_name.map_or_else(|| process_name.clone(), str::to_owned),
            is_main_thread: tid == pid,
            native_symbols: tables.symbols,
            paused_ranges: [],
            pid: self.pid(
                pid,
                thread.map_or(usize::MAX, |thread| thread.process.as_usize()),
            ),
            process_name,
            process_shutdown_time: shutdown,
            process_startup_time: startup,
            process_type: "default",
            register_time: startup,
            resource_table: tables.resources,
            samples,
            stack_table: tables.stacks,
            string_array: tables.strings.iter().map(str::to_owned).collect(),
            tid: self.tid(tid),
            unregister_time: shutdown,
            show_markers_in_timeline: false,
        }
    }

    fn samples(&self, samples: &[usize], tables: &mut ThreadTables<'_>) -> SampleTable {
        let unit = self.profile.sample_types.get(self.sample_type);
        let unit = unit.and_then(|of| self.profile.strings.get(of.unit));
        let mut rows = SampleTable {
            length: samples.len(),
            weight_type: match unit {
                Some("nanoseconds") => "tracing-ms",
                Some("bytes") => "bytes",
                _ => "samples",
            },
            stack: Vec::with_capacity(samples.len()),
            time_deltas: Vec::with_capacity(samples.len()),
            weight: Vec::with_capacity(samples.len()),
            thread_cpu_delta: vec![None; samples.len()],
        };
        let mut before = 0.0;
        for (nth, at) in samples.iter().enumerate() {
            let (sample, values, _) = self.profile.samples.get(*at).unwrap_or_default();
            let time = self.clock.time(sample.time_ns, nth);
            rows.time_deltas.push(time - before);
            before = time;
            let value = value_of(sample, values, self.sample_type);
            rows.weight.push(match unit {
                Some("nanoseconds") => {
                    let sign = if value < 0 { -1.0 } else { 1.0 };
                    Weight::Milliseconds(sign * ms(value.unsigned_abs()))
                }
                _ => Weight::Count(value),
            });
            rows.stack.push(tables.stack(sample.stack));
        }
        rows
    }

    /// Returns the name of a process ID: `7`, or `7.1` for the second process with that ID.
    fn pid(&mut self, pid: u32, process: usize) -> String {
        let users = self.pids.entry(pid).or_default();
        let nth = users.iter().position(|user| *user == process);
        let nth = nth.unwrap_or_else(|| {
            users.push(process);
            users.len().saturating_sub(1)
        });
        match nth {
            0 => pid.to_string(),
            nth => format!("{pid}.{nth}"),
        }
    }

    fn tid(&mut self, tid: u32) -> String {
        let uses = self.tids.entry(tid).or_default();
        let nth = *uses;
        *uses = nth.saturating_add(1);
        match nth {
            0 => tid.to_string(),
            nth => format!("{tid}.{nth}"),
        }
    }
}

/// The tables of a thread, and the index of each row by what it contains.
struct ThreadTables<'p> {
    profile: &'p Profile,
    libs: &'p Libs,
    strings: Strings,
    frames: FrameTable,
    funcs: FuncTable,
    resources: ResourceTable,
    symbols: NativeSymbols,
    stacks: StackTable,
    known_funcs: HashMap<FuncKey, usize>,
    known_resources: HashMap<usize, usize>,
    known_symbols: HashMap<(usize, u64), usize>,
    /// The frames of each location, outermost first.
    known_frames: HashMap<LocationIdx, Vec<usize>>,
    known_stacks: HashMap<StackIdx, usize>,
}

/// The key of a function: name, resource, file, line.
type FuncKey = (usize, i64, Option<usize>, Option<u32>);

impl<'p> ThreadTables<'p> {
    fn new(profile: &'p Profile, libs: &'p Libs) -> Self {
        Self {
            profile,
            libs,
            strings: Strings::default(),
            frames: FrameTable::default(),
            funcs: FuncTable::default(),
            resources: ResourceTable::default(),
            symbols: NativeSymbols::default(),
            stacks: StackTable::default(),
            known_funcs: HashMap::new(),
            known_resources: HashMap::new(),
            known_symbols: HashMap::new(),
            known_frames: HashMap::new(),
            known_stacks: HashMap::new(),
        }
    }

    fn stack(&mut self, stack: Option<StackIdx>) -> Option<usize> {
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
                prefix = Some(self.stacks.push(StackRow { prefix, frame }));
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
            let func = self.func(&name, resource, file, frame.start_line);
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

    fn func(&mut self, name: &str, resource: i64, file: Option<&str>, line: Option<u32>) -> usize {
        let name = self.strings.intern(name).as_usize();
        let file = file.map(|file| self.strings.intern(file).as_usize());
        let key = (name, resource, file, line);
        if let Some(known) = self.known_funcs.get(&key) {
            return *known;
        }
        let at = self.funcs.push(FuncRow {
            name,
            is_js: false,
            relevant_for_js: false,
            resource,
            file,
            line,
            column: None,
        });
        self.known_funcs.insert(key, at);
        at
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
