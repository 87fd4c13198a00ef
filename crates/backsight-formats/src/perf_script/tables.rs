//! Builds the tables of the profile.

use std::collections::HashMap;

use backsight_profile::{
    Label, LabelValue, Location, LocationIdx, Process, ProcessIdx, Profile, ProfileFrame, Sample,
    Thread, ThreadIdx, ValueType,
};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Reason,
};

use super::head::SampleHead;
use crate::jit_frame::jit_frame;
use crate::perf_map::pid_in_name;

/// The key of a location: its address and all its frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct LocationKey {
    place: (u64, Option<ModuleIdx>, Lookup, bool),
    pub(super) frames: Vec<NamedFrame>,
}

/// A frame as printed by perf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct NamedFrame {
    pub(super) function: Option<String>,
    pub(super) source: Option<(String, u32)>,
    pub(super) inlined: bool,
}

/// The address of a location, from its last frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct FramePlace {
    pub(super) addr: u64,
    /// Whether the address is a file offset.
    pub(super) is_offset: bool,
    pub(super) module: Option<ModuleIdx>,
}

/// A sample whose stack is not complete.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenSample {
    pub(super) sample: Sample,
    pub(super) period: Option<i64>,
    pub(super) labels: Vec<Label>,
}

/// The profile, and the index of each row by what it contains.
#[derive(Debug, Default)]
pub(super) struct ScriptTables {
    pub(super) profile: Profile,
    /// The index of the first value of each event.
    events: HashMap<String, u32>,
    /// The number of samples of each event, in the order of their values.
    counts: Vec<u64>,
    modules: HashMap<String, ModuleIdx>,
    processes: HashMap<u32, ProcessIdx>,
    threads: HashMap<(u32, u32, String), ThreadIdx>,
    locations: HashMap<LocationKey, LocationIdx>,
}

/// The number of values of each event: the number of samples, and the sum of their periods.
const VALUES: u32 = 2;

/// The event of samples that state none.
const NO_EVENT: &str = "";

impl ScriptTables {
    /// Starts a sample with its first line.
    pub(super) fn begin(&mut self, head: &SampleHead<'_>) -> Result<OpenSample, &'static str> {
        let first_type = self.event(head.event.unwrap_or(NO_EVENT));
        let mut labels = Vec::new();
        let thread = match head.ids {
            Some(ids) => {
                let thread = self.thread(ids, head.comm);
                Some(thread.ok_or("more than 2^32 threads")?)
            }
            None => {
                // A name without an ID cannot be assigned to a thread. It becomes a label, as in
                // pprof.
                if !head.comm.is_empty() {
                    let strings = &mut self.profile.strings;
                    labels.push(Label {
                        key: strings.intern("comm"),
                        value: LabelValue::Text(strings.intern(head.comm)),
                    });
                }
                None
            }
        };
        Ok(OpenSample {
            sample: Sample {
                thread,
                time_ns: head.time_ns,
                stack: None,
                first_type,
            },
            period: head.period,
            labels,
        })
    }

    /// Returns the index of an event's first value.
    fn event(&mut self, name: &str) -> u32 {
        if let Some(first) = self.events.get(name) {
            return *first;
        }
        let Profile {
            strings,
            sample_types,
            ..
        } = &mut self.profile;
        let first = u32::try_from(sample_types.len()).unwrap_or(u32::MAX);
        let base = name.split(':').next().unwrap_or_default();
        let unit = match base {
            "cpu-clock" | "task-clock" => "nanoseconds",
            _ => "count",
        };
        let mut value = |kind: &str, unit| ValueType {
            kind: strings.intern(kind),
            unit: strings.intern(unit),
        };
        let values = match name {
            NO_EVENT => [value("samples", "count"), value("period", "count")],
            _ => [
                value(&format!("{name}-samples"), "count"),
                value(name, unit),
            ],
        };
        sample_types.extend(values);
        self.events.insert(name.to_owned(), first);
        self.counts.push(0);
        first
    }

    fn thread(&mut self, (pid, tid): (u32, u32), comm: &str) -> Option<ThreadIdx> {
        let key = (pid, tid, comm.to_owned());
        if let Some(thread) = self.threads.get(&key) {
            return Some(*thread);
        }
        let Profile {
            strings,
            processes,
            threads,
            ..
        } = &mut self.profile;
        let name = Some(comm).filter(|name| !name.is_empty());
        let name = name.map(|name| strings.intern(name));
        let process = match self.processes.get(&pid) {
            Some(process) => *process,
            None => {
                let process = ProcessIdx::behind(processes.len())?;
                processes.push(Process {
                    pid,
                    name,
                    ..Process::default()
                });
                self.processes.insert(pid, process);
                process
            }
        };
        let thread = ThreadIdx::behind(threads.len())?;
        threads.push(Thread {
            process,
            tid: Some(tid),
            name,
        });
        self.threads.insert(key, thread);
        Some(thread)
    }

    pub(super) fn module(&mut self, dso: &str) -> Option<ModuleIdx> {
        if let Some(module) = self.modules.get(dso) {
            return Some(*module);
        }
        let modules = &mut self.profile.modules;
        let index = ModuleIdx(u32::try_from(modules.len()).ok()?);
        let path = dso.strip_suffix(" (deleted)").unwrap_or(dso);
        modules.push(
            Module::default()
                .with_kind(match dso {
                    "[vdso]" => ModuleKind::Vdso,
                    _ if is_kernel(dso) => ModuleKind::Kernel,
                    _ if pid_in_name(dso.as_bytes()).is_some() => ModuleKind::Anonymous,
                    _ => ModuleKind::File,
                })
                .with_path(path.as_bytes().to_vec())
                .with_deleted(path != dso),
        );
        self.modules.insert(dso.to_owned(), index);
        Some(index)
    }

    /// Returns the location with these frames, and adds it if it is new.
    pub(super) fn location(
        &mut self,
        mut key: LocationKey,
        place: &FramePlace,
        lookup: Lookup,
    ) -> Option<LocationIdx> {
        key.place = (place.addr, place.module, lookup, place.is_offset);
        if let Some(known) = self.locations.get(&key) {
            return Some(*known);
        }
        let location = self.new_location(&key, place)?;
        self.locations.insert(key, location);
        Some(location)
    }

    fn new_location(&mut self, key: &LocationKey, place: &FramePlace) -> Option<LocationIdx> {
        let Profile {
            strings, modules, ..
        } = &mut self.profile;
        let is_named = key.frames.iter().any(|frame| frame.function.is_some());
        let named = key.frames.iter().filter(|_| is_named);
        let frames: Vec<ProfileFrame> = named
            .map(|frame| {
                let function = frame.function.as_deref().map(|name| strings.intern(name));
                let named = function.map(|function| jit_frame(strings, function));
                let named = named.unwrap_or_default();
                let source = frame.source.as_ref();
                let file = source.map(|(file, _)| strings.intern(file));
                ProfileFrame {
                    file: file.or(named.file),
                    line: source.map(|(_, line)| *line),
                    inlined: frame.inlined,
                    ..named
                }
            })
            .collect();
        let kind = place.module.and_then(|index| modules.get(index.as_usize()));
        let kind = kind.map(|module| AddrKind::from(module.kind));
        let frames = self.profile.add_frames(frames)?;
        self.profile.add_location(Location {
            address: (!place.is_offset).then_some(AbsAddr(place.addr)),
            lookup: key.place.2,
            kind,
            module: place.module,
            file_offset: place.is_offset.then_some(FileOffset(place.addr)),
            reason: match place.module {
                None => Some(Reason::Unmapped),
                Some(_) => None,
            }
            .filter(|_| !is_named),
            frames,
            ..Location::default()
        })
    }

    /// Completes a sample; `stack` has its locations, innermost first.
    pub(super) fn finish(&mut self, begun: OpenSample, stack: &[LocationIdx], summed: bool) {
        let stack = stack.iter().rev().copied();
        let stack = self.profile.stacks.intern(stack);
        let sample = Sample {
            stack,
            ..begun.sample
        };
        let event = usize::try_from(sample.first_type / VALUES).unwrap_or(usize::MAX);
        if let Some(count) = self.counts.get_mut(event) {
            *count = count.saturating_add(1);
        }
        let values = [1, begun.period.unwrap_or_default()];
        let values = if begun.period.is_some() {
            &values[..]
        } else {
            &values[..1]
        };
        match summed {
            true => self.profile.samples.sum(sample, values, &begun.labels),
            false => self.profile.samples.push(sample, values, &begun.labels),
        }
    }

    pub(super) fn into_profile(mut self) -> Profile {
        // The event with the most samples is the default; of equal ones, the first.
        let counts = (0_u32..).zip(&self.counts);
        let most = counts.max_by_key(|(event, count)| (**count, std::cmp::Reverse(*event)));
        let most = most.and_then(|(event, _)| event.checked_mul(VALUES));
        self.profile.default_type = most.filter(|first| *first > 0);
        // With a single event, samples are not named after it.
        if self.events.len() == 1 {
            let samples = self.profile.strings.intern("samples");
            if let Some(first) = self.profile.sample_types.first_mut() {
                first.kind = samples;
            }
        }
        self.profile
    }
}

/// Whether perf's name of a file is that of the kernel or of a module.
pub(super) fn is_kernel(dso: &str) -> bool {
    let is_in_brackets = dso.starts_with('[') && dso.ends_with(']');
    let known = ["[vdso]", "[vsyscall]", "[heap]", "[stack]"];
    let is_module = dso.ends_with(".ko") || dso.contains(".ko.");
    (is_in_brackets && !known.contains(&dso)) || is_module || dso.ends_with("/vmlinux")
}
