//! Reads a profile from lines.

use std::collections::HashMap;
use std::io::BufRead;

use backsight_profile::{
    self as profile, FrameRange, Location, LocationIdx, ProcessIdx, Profile, StrIdx, ThreadIdx,
};
use backsight_types::{AbsRange, Module, ModuleIdx};

use super::labels::label_of;
use super::lines::{AttributeLine, ProcessLine, ProfileLine, ThreadLine};
use super::places::{AddressLines, TOO_MANY};
use crate::ndjson::read::{Error, Reader};
use crate::ndjson::record::{AddressLine, JsonFrame, JsonLine, MappingLine, SampleLine};

/// Reads a profile, and passes each malformed line to `malformed`.
///
/// With `summed`, samples that differ only in time are summed.
///
/// # Errors
/// [`Error::NewerSchema`] and [`Error::Io`].
pub fn read_profile(
    input: impl BufRead,
    summed: bool,
    mut malformed: impl FnMut(&Error),
) -> Result<Profile, Error> {
    let mut profile = ProfileReader::new(summed);
    for item in Reader::new(input) {
        let taken = match item {
            Ok((line, record)) => profile
                .take(record)
                .map_err(|cause| Error::Malformed { line, cause }),
            Err(error @ Error::Malformed { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        if let Err(error) = taken {
            malformed(&error);
        }
    }
    Ok(profile.into_profile())
}

/// Builds a profile from records, in the order of the input.
#[derive(Debug, Default)]
pub struct ProfileReader {
    profile: Profile,
    summed: bool,
    /// The indices of the current capture, and what they refer to in the profile.
    modules: HashMap<u32, ModuleIdx>,
    processes: HashMap<u32, ProcessIdx>,
    threads: HashMap<u32, ThreadIdx>,
    places: AddressLines,
    /// Processes and threads that samples and mappings refer to by ID and without an index.
    pids: HashMap<u32, ProcessIdx>,
    tids: HashMap<(u32, Option<u32>), ThreadIdx>,
    /// The location that replaces addresses whose line is missing.
    lost: Option<LocationIdx>,
}

impl ProfileReader {
    /// Creates an empty profile. With `summed`, samples that differ only in time are summed.
    #[must_use]
    pub fn new(summed: bool) -> Self {
        Self {
            summed,
            ..Self::default()
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// What is wrong with the record, as text for people. Such a record is skipped, or added
    /// without the wrong part: a sample keeps its values even if its stack refers to missing lines.
    pub fn take(&mut self, record: JsonLine) -> Result<(), String> {
        match record {
            JsonLine::Header(_) => self.begin(),
            JsonLine::About(about) => self.about(about)?,
            JsonLine::Process(process) => self.process(process)?,
            JsonLine::Thread(thread) => self.thread(thread)?,
            JsonLine::Module { index, module } => self.introduce(index, module)?,
            JsonLine::Mapping(mapping) => self.mapping(&mapping)?,
            JsonLine::Address(address) => self.address(&address)?,
            JsonLine::Sample(sample) => self.sample(&sample)?,
            JsonLine::Attribute(attribute) => self.attribute(&attribute)?,
        }
        Ok(())
    }

    /// Returns the profile as read so far. The caller may take its samples out.
    pub fn profile_mut(&mut self) -> &mut Profile {
        &mut self.profile
    }

    /// Returns the profile.
    #[must_use]
    pub fn into_profile(self) -> Profile {
        self.profile
    }

    /// Starts a new capture.
    fn begin(&mut self) {
        self.modules.clear();
        self.processes.clear();
        self.threads.clear();
        self.places = AddressLines::default();
        self.pids.clear();
        self.tids.clear();
    }

    fn about(&mut self, about: ProfileLine) -> Result<(), String> {
        let profile = &mut self.profile;
        let mut value_type = |kind: &str, unit: &str| profile::ValueType {
            kind: profile.strings.intern(kind),
            unit: profile.strings.intern(unit),
        };
        let types: Vec<profile::ValueType> = about
            .sample_types
            .iter()
            .map(|of| value_type(&of.kind, &of.unit))
            .collect();
        let period = about.period.as_ref();
        let period = period.map(|of| (value_type(&of.kind, &of.unit), of.value));
        // A later line may add sample types after the existing ones.
        if !profile.samples.is_empty() && !types.starts_with(&profile.sample_types) {
            return Err("samples of other types precede it".to_owned());
        }
        profile.sample_types = types;
        profile.default_type = about.default_type;
        profile.period = period;
        profile.start_ns = about.start_ns;
        profile.duration_ns = about.duration_ns;
        let comments = about.comments.iter();
        profile.comments = comments.map(|text| profile.strings.intern(text)).collect();
        Ok(())
    }

    fn process(&mut self, line: ProcessLine) -> Result<(), String> {
        let profile = &mut self.profile;
        let process = profile::Process {
            pid: line.pid,
            name: line.name.map(|name| profile.strings.intern(&name)),
            start_ns: line.start_ns,
            end_ns: line.end_ns,
        };
        let known = self.processes.get(&line.index);
        if let Some(row) = known.and_then(|at| profile.processes.get_mut(at.as_usize())) {
            *row = process;
            return Ok(());
        }
        let at = ProcessIdx::behind(profile.processes.len()).ok_or(TOO_MANY)?;
        profile.processes.push(process);
        self.processes.insert(line.index, at);
        self.pids.insert(line.pid, at);
        Ok(())
    }

    fn thread(&mut self, line: ThreadLine) -> Result<(), String> {
        let known = self.processes.get(&line.process).copied();
        let process = known
            .ok_or_else(|| format!("process {} is not defined by an earlier line", line.process))?;
        let profile = &mut self.profile;
        let thread = profile::Thread {
            process,
            tid: line.tid,
            name: line.name.map(|name| profile.strings.intern(&name)),
        };
        let known = self.threads.get(&line.index);
        if let Some(row) = known.and_then(|at| profile.threads.get_mut(at.as_usize())) {
            *row = thread;
            return Ok(());
        }
        let at = ThreadIdx::behind(profile.threads.len()).ok_or(TOO_MANY)?;
        profile.threads.push(thread);
        self.threads.insert(line.index, at);
        if let Some(process) = self.profile.process(process) {
            self.tids.insert((process.pid, line.tid), at);
        }
        Ok(())
    }

    /// If the line is of the same file as an earlier line with this index, it replaces the earlier
    /// one.
    fn introduce(&mut self, index: ModuleIdx, module: Module) -> Result<(), String> {
        let modules = &mut self.profile.modules;
        let known = self.modules.get(&index.0);
        let known = known.and_then(|at| modules.get_mut(at.as_usize()));
        let is_it = |known: &&mut Module| {
            (&known.path, known.kind) == (&module.path, module.kind)
                && (known.build_id.is_none() || known.build_id == module.build_id)
        };
        if let Some(known) = known.filter(is_it) {
            *known = module;
            return Ok(());
        }
        let at = ProcessIdx::behind(modules.len()).ok_or(TOO_MANY)?;
        modules.push(module);
        self.modules.insert(index.0, ModuleIdx(at.0));
        Ok(())
    }

    fn mapping(&mut self, line: &MappingLine) -> Result<(), String> {
        let range = AbsRange::new(line.start, line.end).ok_or("its end precedes its start")?;
        let process = match (line.process, line.pid) {
            (Some(index), _) => {
                let known = self.processes.get(&index).copied();
                let unknown = || format!("process {index} is not defined by an earlier line");
                Some(known.ok_or_else(unknown)?)
            }
            (None, Some(pid)) => Some(self.process_of(pid)?),
            (None, None) => None,
        };
        let module = line.module.map(|index| self.module(index)).transpose()?;
        self.profile.mappings.push(profile::Mapping {
            process,
            range,
            file_offset: line.file_offset,
            perms: line.perms,
            module,
            start_ns: line.time_ns,
        });
        Ok(())
    }

    fn module(&self, index: ModuleIdx) -> Result<ModuleIdx, String> {
        let known = self.modules.get(&index.0).copied();
        known.ok_or_else(|| format!("module {} is not defined by an earlier line", index.0))
    }

    fn process_of(&mut self, pid: u32) -> Result<ProcessIdx, String> {
        if let Some(known) = self.pids.get(&pid) {
            return Ok(*known);
        }
        let at = ProcessIdx::behind(self.profile.processes.len()).ok_or(TOO_MANY)?;
        self.profile.processes.push(profile::Process {
            pid,
            ..profile::Process::default()
        });
        self.pids.insert(pid, at);
        Ok(at)
    }

    /// Adds a location even if its module is missing or its index is used already, because stacks
    /// refer to locations by position.
    fn address(&mut self, line: &AddressLine<'_>) -> Result<(), String> {
        let module = line.module.map(|index| self.module(index));
        let (module, wrong) = match module {
            None => (None, None),
            Some(Ok(module)) => (Some(module), None),
            Some(Err(cause)) => (None, Some(cause)),
        };
        let frames = self.frames(&line.frames)?;
        let location = Location {
            address: line.address,
            lookup: line.lookup,
            kind: line.kind,
            module,
            file_offset: line.file_offset,
            virt_offset: line.virtual_offset,
            reason: line.reason,
            frames,
        };
        let at = self.profile.add_location(location).ok_or(TOO_MANY)?;
        self.places.add(line.index, at)?;
        wrong.map_or(Ok(()), Err)
    }

    fn frames(&mut self, lines: &[JsonFrame<'_>]) -> Result<FrameRange, String> {
        if lines.is_empty() {
            return Ok(FrameRange::default());
        }
        let strings = &mut self.profile.strings;
        let mut name = |text: &Option<_>| -> Option<StrIdx> {
            let text: Option<&std::borrow::Cow<'_, str>> = text.as_ref();
            text.map(|text| strings.intern(text))
        };
        let frames = lines.iter().map(|line| profile::ProfileFrame {
            function: name(&line.function),
            linkage_name: name(&line.linkage_name),
            file: name(&line.file),
            line: line.line,
            column: line.column,
            start_line: line.start_line,
            inlined: line.inlined,
            start: line.start,
            start_file_offset: line.start_file_offset,
        });
        let frames: Vec<_> = frames.collect();
        let added = self.profile.add_frames(frames);
        added.ok_or_else(|| TOO_MANY.to_owned())
    }

    fn sample(&mut self, line: &SampleLine) -> Result<(), String> {
        let mut wrong = None;
        let thread = match self.thread_of(line) {
            Ok(thread) => thread,
            Err(cause) => {
                wrong = Some(cause);
                None
            }
        };
        let mut stack = None;
        for number in line.stack.iter().rev() {
            let location = match self.places.get(*number) {
                Some(location) => location,
                None => {
                    wrong = Some(format!(
                        "address {number} is not defined by an earlier line"
                    ));
                    self.lost()?
                }
            };
            stack = Some(self.profile.stacks.call(stack, location));
        }
        let labels = line.labels.iter();
        let labels: Result<Vec<profile::Label>, String> = labels
            .map(|label| label_of(label, &mut self.profile.strings))
            .collect();
        let labels = labels.unwrap_or_else(|cause| {
            wrong = Some(cause);
            Vec::new()
        });
        let sample = profile::Sample {
            thread,
            time_ns: line.time_ns,
            stack,
            first_type: line.value_type,
        };
        let samples = &mut self.profile.samples;
        if self.summed {
            samples.sum(sample, &line.values, &labels);
        } else {
            samples.push(sample, &line.values, &labels);
        }
        wrong.map_or(Ok(()), Err)
    }

    fn thread_of(&mut self, line: &SampleLine) -> Result<Option<ThreadIdx>, String> {
        if let Some(index) = line.thread {
            let known = self.threads.get(&index).copied();
            let known =
                known.ok_or_else(|| format!("thread {index} is not defined by an earlier line"));
            return known.map(Some);
        }
        let Some(pid) = line.pid else {
            return Ok(None);
        };
        if let Some(known) = self.tids.get(&(pid, line.tid)) {
            return Ok(Some(*known));
        }
        let process = self.process_of(pid)?;
        let at = ThreadIdx::behind(self.profile.threads.len()).ok_or(TOO_MANY)?;
        self.profile.threads.push(profile::Thread {
            process,
            tid: line.tid,
            name: None,
        });
        self.tids.insert((pid, line.tid), at);
        Ok(Some(at))
    }

    fn lost(&mut self) -> Result<LocationIdx, String> {
        if let Some(lost) = self.lost {
            return Ok(lost);
        }
        let lost = self.profile.add_location(Location::default());
        self.lost = lost;
        lost.ok_or_else(|| TOO_MANY.to_owned())
    }

    fn attribute(&mut self, line: &AttributeLine) -> Result<(), String> {
        let of = match (line.module, line.address) {
            (Some(module), None) => profile::Subject::Module(self.module(ModuleIdx(module))?),
            (None, Some(address)) => {
                let found = self.places.get(address);
                let none = || format!("address {address} is not defined by an earlier line");
                profile::Subject::Location(found.ok_or_else(none)?)
            }
            _ => return Err("an attribute needs either a module or an address".to_owned()),
        };
        let label = label_of(&line.label, &mut self.profile.strings)?;
        self.profile
            .attributes
            .push(profile::Attribute { of, label });
        Ok(())
    }
}
