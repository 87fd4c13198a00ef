//! Builds a profile. Addresses are converted at the end, because the memory map follows the
//! samples.

use std::collections::HashMap;

use backsight_profile::{
    Label, Location, LocationIdx, Mapping, Process, ProcessIdx, Profile, ProfileFrame, Sample,
    Thread, ThreadIdx, ValueType,
};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, Device, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Perms,
    Reason,
};

use super::sample_line::GoFrame;
use crate::flaws::Flaws;

/// An executable line of the memory map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) offset: u64,
    pub(super) device: Device,
    pub(super) inode: u64,
    pub(super) path: String,
    pub(super) build_id: Option<backsight_types::BuildId>,
}

#[derive(Debug, Default)]
pub(super) struct LegacyBuilder {
    pub(super) profile: Profile,
    pub(super) flaws: Flaws,
    locations: HashMap<(u64, Lookup), LocationIdx>,
    maps: Vec<Mapped>,
}

impl LegacyBuilder {
    /// Sets the sample types, in the order of the values of samples.
    pub(super) fn count(&mut self, types: &[(&str, &str)]) {
        let types = types.iter().map(|of| self.value_type(*of));
        let types: Vec<ValueType> = types.collect();
        // `pprof` shows the last one by default.
        self.profile.default_type = types
            .len()
            .checked_sub(1)
            .and_then(|at| u32::try_from(at).ok());
        self.profile.sample_types = types;
    }

    pub(super) fn period(&mut self, of: (&str, &str), period: i64) {
        self.profile.period = Some((self.value_type(of), period));
    }

    fn value_type(&mut self, (kind, unit): (&str, &str)) -> ValueType {
        let strings = &mut self.profile.strings;
        ValueType {
            kind: strings.intern(kind),
            unit: strings.intern(unit),
        }
    }

    /// Returns the locations of a stack, innermost first. All addresses but the first are return
    /// addresses; `leaf` says what the first is.
    pub(super) fn stack(&mut self, addrs: &[u64], leaf: Lookup) -> Vec<LocationIdx> {
        let mut lookup = leaf;
        let mut stack = Vec::with_capacity(addrs.len());
        for addr in addrs {
            stack.extend(self.location(*addr, lookup));
            lookup = Lookup::Return;
        }
        stack
    }

    fn location(&mut self, addr: u64, lookup: Lookup) -> Option<LocationIdx> {
        if let Some(known) = self.locations.get(&(addr, lookup)) {
            return Some(*known);
        }
        let index = self.profile.add_location(Location {
            address: Some(AbsAddr(addr)),
            lookup,
            ..Location::default()
        })?;
        self.locations.insert((addr, lookup), index);
        Some(index)
    }

    pub(super) fn sample(
        &mut self,
        stack: &[LocationIdx],
        thread: Option<ThreadIdx>,
        values: &[i64],
        labels: &[Label],
    ) {
        let stack = self.profile.stacks.intern(stack.iter().rev().copied());
        let sample = Sample {
            thread,
            stack,
            ..Sample::default()
        };
        self.profile.samples.sum(sample, values, labels);
    }

    /// Adds a thread.
    pub(super) fn thread(&mut self, tid: u32, name: &str) -> Option<ThreadIdx> {
        let name = self.profile.strings.intern(name);
        if self.profile.processes.is_empty() {
            // The first thread is the main thread.
            self.profile.processes.push(Process {
                pid: tid,
                name: Some(name),
                ..Process::default()
            });
        }
        let index = ThreadIdx::behind(self.profile.threads.len())?;
        self.profile.threads.push(Thread {
            process: ProcessIdx(0),
            tid: Some(tid),
            name: Some(name),
        });
        Some(index)
    }

    /// Adds the functions written after a stack to its locations. Each function has the address of
    /// a call; several with one address were inlined, innermost first.
    pub(super) fn name(&mut self, stack: &[LocationIdx], frames: &[GoFrame]) {
        let mut by_addr: HashMap<u64, Vec<&GoFrame>> = HashMap::new();
        for frame in frames {
            by_addr.entry(frame.addr).or_default().push(frame);
        }
        for index in stack {
            let found = self.profile.location(*index).copied();
            let Some(location) = found.filter(|it| it.frames.len == 0) else {
                continue;
            };
            let addr = location.address.map_or(0, |addr| addr.0);
            let of_call = addr.checked_sub(1).and_then(|call| by_addr.get(&call));
            let Some(here) = of_call.or_else(|| by_addr.get(&addr)) else {
                continue;
            };
            let last = here.len().saturating_sub(1);
            let strings = &mut self.profile.strings;
            let rows: Vec<ProfileFrame> = (here.iter().enumerate())
                .map(|(at, frame)| ProfileFrame {
                    function: Some(strings.intern(&frame.function)),
                    file: frame.source.as_ref().map(|(file, _)| strings.intern(file)),
                    line: frame.source.as_ref().map(|(_, line)| *line),
                    inlined: at < last,
                    ..ProfileFrame::default()
                })
                .collect();
            let frames = self.profile.add_frames(rows).unwrap_or_default();
            if let Some(location) = self.profile.locations.get_mut(index.as_usize()) {
                location.frames = frames;
            }
        }
    }

    pub(super) fn mapped(&mut self, row: Mapped) {
        self.maps.push(row);
    }

    /// Converts each address to a module and file offset.
    pub(super) fn finish(mut self) -> (Profile, Flaws) {
        self.maps.sort_by_key(|row| row.start);
        let mut modules: HashMap<(Device, u64, String), ModuleIdx> = HashMap::new();
        let mut of_rows = Vec::with_capacity(self.maps.len());
        for row in &self.maps {
            let module = self.profile.module_of(row, &mut modules);
            let range = AbsRange::new(AbsAddr(row.start), AbsAddr(row.end));
            self.profile.mappings.extend(range.map(|range| Mapping {
                process: None,
                range,
                file_offset: FileOffset(row.offset),
                perms: Perms::READ | Perms::EXECUTE,
                module,
                start_ns: None,
            }));
            of_rows.push(module);
        }
        let has_maps = !self.maps.is_empty();
        for location in &mut self.profile.locations {
            let Some(addr) = location.address else {
                continue;
            };
            let back = u64::from(location.lookup == Lookup::Return);
            let place = addr.0.saturating_sub(back);
            let behind = self.maps.partition_point(|row| row.start <= place);
            let at = behind.checked_sub(1);
            let row = at
                .and_then(|at| self.maps.get(at))
                .filter(|row| place < row.end);
            let Some((row, at)) = row.zip(at) else {
                let is_bare = has_maps && location.frames.len == 0;
                location.reason = is_bare.then_some(Reason::Unmapped);
                continue;
            };
            let module = of_rows.get(at).copied().flatten();
            let kind = module.and_then(|index| self.profile.modules.get(index.as_usize()));
            let into = addr.0.checked_sub(row.start);
            let offset = into.and_then(|into| into.checked_add(row.offset));
            match kind.zip(offset) {
                Some((module_row, offset)) => {
                    location.kind = Some(AddrKind::from(module_row.kind));
                    location.module = module;
                    location.file_offset = Some(FileOffset(offset));
                    location.address = None;
                }
                None => {
                    location.kind = Some(AddrKind::Anonymous);
                    let is_bare = location.frames.len == 0;
                    location.reason = is_bare.then_some(Reason::Anonymous);
                }
            }
        }
        (self.profile, self.flaws)
    }
}

/// Finds the module of a line of the memory map.
trait ModuleOf {
    fn module_of(
        &mut self,
        row: &Mapped,
        known: &mut HashMap<(Device, u64, String), ModuleIdx>,
    ) -> Option<ModuleIdx>;
}

impl ModuleOf for Profile {
    fn module_of(
        &mut self,
        row: &Mapped,
        known: &mut HashMap<(Device, u64, String), ModuleIdx>,
    ) -> Option<ModuleIdx> {
        let is_vdso = row.path.starts_with("[vdso");
        if row.path.is_empty() || (row.path.starts_with('[') && !is_vdso) {
            return None;
        }
        let key = (row.device, row.inode, row.path.clone());
        if let Some(known) = known.get(&key) {
            return Some(*known);
        }
        let index = ModuleIdx(u32::try_from(self.modules.len()).ok()?);
        let path = row.path.strip_suffix(" (deleted)");
        self.modules.push(
            Module::default()
                .with_kind(if is_vdso {
                    ModuleKind::Vdso
                } else {
                    ModuleKind::File
                })
                .with_path(path.unwrap_or(&row.path).as_bytes().to_vec())
                .with_deleted(path.is_some())
                .with_device(row.device)
                .with_inode(row.inode)
                .with_build_id(row.build_id),
        );
        known.insert(key, index);
        Some(index)
    }
}
