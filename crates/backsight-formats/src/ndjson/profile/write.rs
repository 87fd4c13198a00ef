//! Writes a profile as lines, in pieces while it grows.

use std::borrow::Cow;
use std::io::{self, Write};

use backsight_profile::{self as profile, Location, LocationIdx, ProcessIdx, Profile, StrIdx};
use backsight_types::{Module, ModuleIdx};

use super::lines::{
    AttributeLine, JsonLabel, JsonPeriod, JsonValueType, ProcessLine, ProfileLine, ThreadLine,
};
use crate::ndjson::record::{
    AddressLine, HeaderLine, JsonFrame, JsonLine, MappingLine, SampleLine,
};
use crate::ndjson::write::Writer;

/// Writes a whole profile.
///
/// # Errors
/// Those of the output.
pub fn write_profile(header: &HeaderLine, profile: &Profile, out: impl Write) -> io::Result<()> {
    let mut writer = ProfileWriter::new(header, out);
    writer.write(profile)?;
    writer.flush()
}

/// Writes a profile in pieces while it grows: each call writes what is new in its tables, and its
/// samples.
#[derive(Debug)]
pub struct ProfileWriter<W> {
    out: Writer<W>,
    /// `None` when it is written.
    header: Option<HeaderLine>,
    about: Option<ProfileLine>,
    processes: Vec<profile::Process>,
    threads: Vec<profile::Thread>,
    modules: Vec<Module>,
    mappings: usize,
    locations: usize,
    attributes: usize,
}

impl<W: Write> ProfileWriter<W> {
    /// Creates a writer. The header is written with the first piece, so that nothing is written if
    /// the input turns out to be unreadable.
    pub fn new(header: &HeaderLine, out: W) -> Self {
        Self {
            out: Writer::new(out),
            header: Some(header.clone()),
            about: None,
            processes: Vec::new(),
            threads: Vec::new(),
            modules: Vec::new(),
            mappings: 0,
            locations: 0,
            attributes: 0,
        }
    }

    /// Writes what is new and all samples, and removes the samples from the profile. The profile
    /// then takes only the memory of its tables, however long the capture is.
    ///
    /// # Errors
    /// Those of the output.
    pub fn drain(&mut self, profile: &mut Profile) -> io::Result<()> {
        self.write(profile)?;
        profile.samples.clear();
        Ok(())
    }

    /// Writes what is new in the tables, and all samples.
    ///
    /// Processes, threads and modules that have changed are written again. Mappings and locations
    /// are written once: later changes to them are lost.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, profile: &Profile) -> io::Result<()> {
        self.begin()?;
        let about = about(profile);
        if self.about.as_ref() != Some(&about) {
            self.out.line(&about)?;
            self.about = Some(about);
        }
        self.write_processes(profile)?;
        self.write_threads(profile)?;
        for (at, module) in profile.modules.iter().enumerate() {
            if self.modules.get(at) == Some(module) {
                continue;
            }
            if let Some(index) = ProcessIdx::behind(at) {
                self.out.module(ModuleIdx(index.0), module)?;
            }
        }
        self.modules.clone_from(&profile.modules);
        for mapping in profile.mappings.iter().skip(self.mappings) {
            self.out.mapping(&mapping_line(profile, mapping))?;
        }
        self.mappings = profile.mappings.len();
        let new = profile.locations.iter().enumerate().skip(self.locations);
        for (at, location) in new {
            let index = LocationIdx::behind(at);
            self.out.address(&address(profile, index, location))?;
        }
        self.locations = profile.locations.len();
        for attribute in profile.attributes.iter().skip(self.attributes) {
            let line = attribute_line(profile, attribute);
            self.out.record(&JsonLine::Attribute(line))?;
        }
        self.attributes = profile.attributes.len();
        for (sample, values, labels) in profile.samples.iter() {
            self.out
                .sample(&sample_line(profile, sample, values, labels))?;
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        match self.header.take() {
            Some(header) => self.out.header(&header),
            None => Ok(()),
        }
    }

    fn write_processes(&mut self, profile: &Profile) -> io::Result<()> {
        for (at, process) in profile.processes.iter().enumerate() {
            if self.processes.get(at) == Some(process) {
                continue;
            }
            let Some(ProcessIdx(index)) = ProcessIdx::behind(at) else {
                break;
            };
            self.out.record(&JsonLine::Process(ProcessLine {
                index,
                pid: process.pid,
                name: process.name.map(|name| text(profile, name)),
                start_ns: process.start_ns,
                end_ns: process.end_ns,
            }))?;
        }
        self.processes.clone_from(&profile.processes);
        Ok(())
    }

    fn write_threads(&mut self, profile: &Profile) -> io::Result<()> {
        for (at, thread) in profile.threads.iter().enumerate() {
            if self.threads.get(at) == Some(thread) {
                continue;
            }
            let Some(ProcessIdx(index)) = ProcessIdx::behind(at) else {
                break;
            };
            self.out.record(&JsonLine::Thread(ThreadLine {
                index,
                process: thread.process.0,
                tid: thread.tid,
                name: thread.name.map(|name| text(profile, name)),
            }))?;
        }
        self.threads.clone_from(&profile.threads);
        Ok(())
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }

    /// Returns the output.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }
}

fn about(profile: &Profile) -> ProfileLine {
    let spelled = |of: &profile::ValueType| JsonValueType {
        kind: text(profile, of.kind),
        unit: text(profile, of.unit),
    };
    ProfileLine {
        sample_types: profile.sample_types.iter().map(spelled).collect(),
        default_type: profile.default_type,
        period: profile.period.as_ref().map(|(of, value)| {
            let JsonValueType { kind, unit } = spelled(of);
            JsonPeriod {
                kind,
                unit,
                value: *value,
            }
        }),
        start_ns: profile.start_ns,
        duration_ns: profile.duration_ns,
        comments: profile
            .comments
            .iter()
            .map(|at| text(profile, *at))
            .collect(),
    }
}

fn mapping_line(profile: &Profile, mapping: &profile::Mapping) -> MappingLine {
    let process = mapping.process;
    MappingLine {
        pid: process.and_then(|index| Some(profile.process(index)?.pid)),
        process: process.map(|index| index.0),
        start: mapping.range.start,
        end: mapping.range.end,
        file_offset: mapping.file_offset,
        perms: mapping.perms,
        module: mapping.module,
        time_ns: mapping.start_ns,
    }
}

fn address<'a>(
    profile: &'a Profile,
    index: Option<LocationIdx>,
    location: &Location,
) -> AddressLine<'a> {
    let name = |at: Option<StrIdx>| profile.strings.get(at?).map(Cow::Borrowed);
    let frame = |frame: &profile::ProfileFrame| JsonFrame {
        function: name(frame.function),
        linkage_name: name(frame.linkage_name),
        file: name(frame.file),
        line: frame.line,
        column: frame.column,
        start_line: frame.start_line,
        inlined: frame.inlined,
        start: frame.start,
        start_file_offset: frame.start_file_offset,
    };
    AddressLine {
        index: index.map(|index| u64::from(index.0)),
        address: location.address,
        module: location.module,
        file_offset: location.file_offset,
        virtual_offset: location.virt_offset,
        kind: location.kind,
        lookup: location.lookup,
        reason: location.reason,
        frames: profile.frames_of(location).iter().map(frame).collect(),
    }
}

fn sample_line(
    profile: &Profile,
    sample: profile::Sample,
    values: &[i64],
    labels: &[profile::Label],
) -> SampleLine {
    let thread = sample.thread.and_then(|index| profile.thread(index));
    let process = thread.and_then(|thread| profile.process(thread.process));
    let label = |label: &profile::Label| label_part(profile, label);
    let stack = profile.stacks.iter(sample.stack);
    SampleLine {
        pid: process.map(|process| process.pid),
        tid: thread.and_then(|thread| thread.tid),
        thread: sample.thread.map(|index| index.0),
        time_ns: sample.time_ns,
        values: values.to_vec(),
        value_type: sample.first_type,
        stack: stack.map(|location| u64::from(location.0)).collect(),
        labels: labels.iter().map(label).collect(),
    }
}

fn attribute_line(profile: &Profile, attribute: &profile::Attribute) -> AttributeLine {
    let line = AttributeLine {
        label: label_part(profile, &attribute.label),
        ..AttributeLine::default()
    };
    match attribute.of {
        profile::Subject::Module(index) => AttributeLine {
            module: Some(index.0),
            ..line
        },
        profile::Subject::Location(index) => AttributeLine {
            address: Some(index.0.into()),
            ..line
        },
    }
}

fn label_part(profile: &Profile, label: &profile::Label) -> JsonLabel {
    let key = text(profile, label.key);
    match label.value {
        profile::LabelValue::Text(value) => JsonLabel {
            key,
            text: Some(text(profile, value)),
            ..JsonLabel::default()
        },
        profile::LabelValue::Number(number, unit) => JsonLabel {
            key,
            number: Some(number),
            unit: unit.map(|unit| text(profile, unit)),
            ..JsonLabel::default()
        },
    }
}

fn text(profile: &Profile, at: StrIdx) -> String {
    profile.strings.get(at).unwrap_or_default().to_owned()
}
