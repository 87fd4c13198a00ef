//! Writes a file: the profiles first, and then the frames that they refer to.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use backsight_profile::{
    Location, LocationIdx, Profile, ProfileFrame, Sample, StackIdx, StrIdx, Strings, ThreadIdx,
};
use serde::Serialize;

use super::names::{foreign, foreign_file, of_thread, with_value};
use super::schema::{EXPORTER, EXPORTER_OF_ALL, REWRITTEN, SCHEMA};
use super::units::Unit;
use crate::flaws::Flaws;
use crate::perf_map::JitName;
use crate::place_name::{UNKNOWN, place_name};

/// What of a profile is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Write the samples of all sample types, in profiles of their own. Otherwise one value of the
    /// samples is written.
    pub all_values: bool,
    /// Write the line and column of each frame where it is not known in which line its function
    /// starts. Frames of one function on several lines are several functions for speedscope then,
    /// as they are in files whose frames have such lines.
    pub lines_of_frames: bool,
    /// Write the profiles in their order and with the names that the file of another tool gave
    /// them. The file counts as one of that tool when it is read again.
    pub names_of_file: bool,
}

impl WriteOptions {
    /// Whether profiles keep the names that the file of another tool gave them.
    #[must_use]
    pub fn with_names_of_file(self, names_of_file: bool) -> Self {
        Self {
            names_of_file,
            ..self
        }
    }

    /// Whether the samples of all sample types are written.
    #[must_use]
    pub fn with_all_values(self, all_values: bool) -> Self {
        Self { all_values, ..self }
    }

    /// Whether lines of frames stand for missing lines of functions.
    #[must_use]
    pub fn with_lines_of_frames(self, lines_of_frames: bool) -> Self {
        Self {
            lines_of_frames,
            ..self
        }
    }
}

/// Writes a profile for each thread, with the samples in the order of their times. `sample_type` is
/// the index of the sample type that gives the weights; samples whose weight is 0 are left out.
/// Returns counts of what could not be represented: speedscope refuses negative weights.
///
/// # Errors
/// Those of the output.
pub fn write(profile: &Profile, sample_type: usize, out: &mut impl Write) -> io::Result<Flaws> {
    write_with(profile, sample_type, &WriteOptions::default(), out)
}

/// Writes as [`write()`] does, with options. If all values are written, the one with the index
/// `sample_type` is the one that speedscope shows first.
///
/// # Errors
/// Those of the output.
pub fn write_with(
    profile: &Profile,
    sample_type: usize,
    options: &WriteOptions,
    out: &mut impl Write,
) -> io::Result<Flaws> {
    let mut flaws = Flaws::default();
    let types = match options.all_values {
        true => 0..profile.sample_types.len(),
        false => sample_type..sample_type.saturating_add(1),
    };
    let mut threads = Vec::new();
    for of in types {
        let found = samples_of_threads(profile, of, &mut flaws);
        let found = found.into_iter();
        threads.extend(found.map(|(thread, samples)| (of, thread, samples)));
    }
    let is_foreign = options.names_of_file
        && !threads.is_empty()
        && threads
            .iter()
            .all(|(_, thread, _)| foreign(profile, *thread).is_some());
    if is_foreign {
        threads.sort_by_key(|(_, thread, _)| *thread);
    }
    let has_several = profile.sample_types.len() > 1 && options.all_values;
    let text = |at: StrIdx| profile.strings.get(at).unwrap_or_default();
    let name_of = |of: usize, thread: Option<ThreadIdx>| {
        if let Some(name) = foreign(profile, thread).filter(|_| is_foreign) {
            return name.to_owned();
        }
        let name = of_thread(profile, thread);
        let kind = profile.sample_types.get(of).map(|of| text(of.kind));
        match kind.filter(|_| has_several) {
            Some(kind) => with_value(&name, kind),
            None => name,
        }
    };
    let kind = profile.sample_types.get(sample_type);
    let name = kind.map_or("samples", |of| text(of.kind));
    let unit_of = |sample_type: usize| {
        let unit = profile.sample_types.get(sample_type);
        let unit = unit.map(|of| text(of.unit));
        unit.filter(|unit| Unit::named(unit).is_some())
    };
    out.write_all(b"{\"$schema\":")?;
    json(out, SCHEMA)?;
    out.write_all(b",\"exporter\":")?;
    match is_foreign {
        true => json(out, REWRITTEN)?,
        false if has_several => json(out, EXPORTER_OF_ALL)?,
        false => json(out, EXPORTER)?,
    }
    let name = match is_foreign {
        true => foreign_file(profile),
        false => Some(name),
    };
    if let Some(name) = name {
        out.write_all(b",\"name\":")?;
        json(out, name)?;
    }
    out.write_all(b",\"profiles\":[")?;
    let mut writer = FrameWriter::new(profile, options.lines_of_frames);
    // The thread to look at first is the one that the input names, or that with the most.
    let wanted = profile.default_thread.map(Some);
    let named = |(of, thread, _): &(usize, Option<ThreadIdx>, OfThread)| {
        *of == sample_type && Some(*thread) == wanted
    };
    let named = threads.iter().position(named);
    let mut largest = (0, 0);
    for (nth, (of, thread, samples)) in threads.iter().enumerate() {
        if nth > 0 {
            out.write_all(b",")?;
        }
        out.write_all(b"{\"type\":\"sampled\",\"name\":")?;
        json(out, &name_of(*of, *thread))?;
        out.write_all(b",\"unit\":")?;
        json(out, unit_of(*of).unwrap_or("none"))?;
        let sum = samples
            .iter()
            .fold(0_i64, |sum, (_, value)| sum.saturating_add(*value));
        write!(out, ",\"startValue\":0,\"endValue\":{sum},\"samples\":[")?;
        if sum > largest.1 && *of == sample_type {
            largest = (nth, sum);
        }
        for (nth, (at, _)) in samples.iter().enumerate() {
            if nth > 0 {
                out.write_all(b",")?;
            }
            let stack = profile
                .samples
                .get(*at)
                .and_then(|(sample, ..)| sample.stack);
            json(out, writer.stack(stack))?;
        }
        out.write_all(b"],\"weights\":[")?;
        for (nth, (_, value)) in samples.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            write!(out, "{comma}{value}")?;
        }
        out.write_all(b"]}")?;
    }
    let active = named.unwrap_or(largest.0);
    write!(
        out,
        "],\"activeProfileIndex\":{active},\"shared\":{{\"frames\":["
    )?;
    writer.frames(out)?;
    out.write_all(b"]}}\n")?;
    Ok(flaws)
}

/// The index of each sample of a thread, and its value.
type OfThread = Vec<(usize, i64)>;

/// Returns the samples of each thread, by time.
fn samples_of_threads(
    profile: &Profile,
    sample_type: usize,
    flaws: &mut Flaws,
) -> BTreeMap<Option<ThreadIdx>, OfThread> {
    let mut threads: BTreeMap<Option<ThreadIdx>, OfThread> = BTreeMap::new();
    for (at, (sample, values, _)) in profile.samples.iter().enumerate() {
        let value = value_of(sample, values, sample_type);
        if value < 0 {
            flaws.leave_out("samples with negative values, which speedscope refuses");
        }
        if value > 0 {
            // A sample whose thread does not exist has no thread.
            let thread = sample
                .thread
                .filter(|thread| profile.thread(*thread).is_some());
            threads.entry(thread).or_default().push((at, value));
        }
    }
    for samples in threads.values_mut() {
        samples.sort_by_key(|(at, _)| profile.samples.get(*at).map(|(sample, ..)| sample.time_ns));
    }
    threads
}

/// Returns the value of one sample type; 0 if the sample has none.
fn value_of(sample: Sample, values: &[i64], sample_type: usize) -> i64 {
    let first = usize::try_from(sample.first_type).ok();
    let at = first.and_then(|first| sample_type.checked_sub(first));
    at.and_then(|at| values.get(at))
        .copied()
        .unwrap_or_default()
}

/// A frame: its name, file, and the line and column in which its function starts.
type FrameKey = (StrIdx, Option<StrIdx>, Option<u32>, Option<u32>);

#[derive(Serialize)]
struct FrameJson<'s> {
    name: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    col: Option<u32>,
}

/// Numbers the frames in the order of their first use.
struct FrameWriter<'p> {
    profile: &'p Profile,
    lines_of_frames: bool,
    /// The names of frames, and their files.
    strings: Strings,
    rows: Vec<FrameKey>,
    places: HashMap<FrameKey, usize>,
    /// The frames of each location, innermost first.
    of_locations: HashMap<LocationIdx, Vec<usize>>,
    /// The frames of the last stack, outermost first.
    stack: Vec<usize>,
}

impl<'p> FrameWriter<'p> {
    fn new(profile: &'p Profile, lines_of_frames: bool) -> Self {
        Self {
            profile,
            lines_of_frames,
            strings: Strings::default(),
            rows: Vec::new(),
            places: HashMap::new(),
            of_locations: HashMap::new(),
            stack: Vec::new(),
        }
    }

    /// Returns the frames of a stack, outermost first.
    fn stack(&mut self, stack: Option<StackIdx>) -> &[usize] {
        let mut all = std::mem::take(&mut self.stack);
        all.clear();
        for location in self.profile.stacks.iter(stack) {
            match self.of_locations.get(&location) {
                Some(known) => all.extend(known),
                None => {
                    let new = self.location(location);
                    all.extend(&new);
                    self.of_locations.insert(location, new);
                }
            }
        }
        if all.is_empty() {
            let name = self.strings.intern(UNKNOWN);
            all.push(self.frame((name, None, None, None)));
        }
        all.reverse();
        self.stack = all;
        &self.stack
    }

    fn location(&mut self, index: LocationIdx) -> Vec<usize> {
        let profile = self.profile;
        let nowhere = Location::default();
        let location = profile.location(index).unwrap_or(&nowhere);
        let unnamed = [ProfileFrame::default()];
        let frames = profile.frames_of(location);
        let frames = if frames.is_empty() { &unnamed } else { frames };
        let text = |at: StrIdx| profile.strings.get(at).filter(|text| !text.is_empty());
        let places = frames.iter().map(|frame| {
            let mut named = [frame.function, frame.linkage_name].into_iter().flatten();
            let name = match named.find_map(text) {
                Some(name) => self.strings.intern(name),
                None => self.strings.intern(&place_name(profile, location)),
            };
            let file = frame.file.and_then(text);
            let file = file.map(|file| self.strings.intern(file));
            let column = frame.linkage_name.and_then(text);
            let column = column.and_then(|name| JitName::of(name).start_column);
            let own = Some(frame).filter(|_| self.lines_of_frames && frame.start_line.is_none());
            let line = frame.start_line.or(own.and_then(|frame| frame.line));
            let column = column.or(own.and_then(|frame| frame.column));
            self.frame((name, file, line, column))
        });
        places.collect()
    }

    fn frame(&mut self, key: FrameKey) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.rows.push(key);
            self.rows.len().saturating_sub(1)
        })
    }

    fn frames(&self, out: &mut impl Write) -> io::Result<()> {
        for (nth, (name, file, line, col)) in self.rows.iter().enumerate() {
            if nth > 0 {
                out.write_all(b",")?;
            }
            let frame = FrameJson {
                name: self.strings.get(*name).unwrap_or_default(),
                file: file.and_then(|file| self.strings.get(file)),
                line: *line,
                col: *col,
            };
            json(out, &frame)?;
        }
        Ok(())
    }
}

fn json(out: &mut impl Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}
