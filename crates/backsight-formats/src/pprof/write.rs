//! Writes pprof in one pass over the tables, directly into the compressed stream.

mod locations;

use std::collections::HashMap;
use std::io::{self, Write};

use backsight_profile::{
    Label, LabelValue, LocationIdx, Profile, Sample, Samples, StrIdx, ValueType,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;

use super::comments::{FILE_OFFSETS, VIRTUAL_OFFSETS};
use super::{labels, proto};
use crate::flaws::Flaws;
use crate::placement::{Placement, Space};
use crate::string_table::{StringTable, file_name};

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether the file is gzipped, as `pprof` expects. It also reads files that are not.
    pub gzip: bool,
    /// Whether samples keep their times. Otherwise samples that differ only in time are summed;
    /// samples without a time are written as they are.
    pub times: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gzip: true,
            times: false,
        }
    }
}

impl Options {
    /// Sets whether the file is gzipped.
    #[must_use]
    pub const fn with_gzip(self, gzip: bool) -> Self {
        Self { gzip, ..self }
    }

    /// Sets whether samples keep their times.
    #[must_use]
    pub const fn with_times(self, times: bool) -> Self {
        Self { times, ..self }
    }
}

/// Writes a profile. Returns counts of what could not be represented.
///
/// # Errors
///
/// Those of `out`.
pub fn write(profile: &Profile, out: impl Write, options: &Options) -> io::Result<Flaws> {
    if options.gzip {
        // The fastest level, as in Go's own profiles: the format has much repetition.
        let packed = GzEncoder::new(out, Compression::fast());
        let (packed, flaws) = Writer::new(profile, packed, *options).run()?;
        packed.finish()?.flush()?;
        Ok(flaws)
    } else {
        let (mut out, flaws) = Writer::new(profile, out, *options).run()?;
        out.flush()?;
        Ok(flaws)
    }
}

/// The number of rows that are encoded at once.
const BATCH: usize = 256;

#[derive(Debug)]
struct Writer<'a, W> {
    profile: &'a Profile,
    options: Options,
    strings: StringTable<'a>,
    functions: HashMap<FunctionKey, u64>,
    flaws: Flaws,
    /// The part of the message that is not written yet. Encoded parts can be concatenated, because
    /// protobuf decoders merge them.
    part: proto::Profile,
    buffer: Vec<u8>,
    out: W,
}

/// The key of a function: name, linkage name, file, line.
type FunctionKey = (i64, i64, i64, u32);

impl<'a, W: Write> Writer<'a, W> {
    fn new(profile: &'a Profile, out: W, options: Options) -> Self {
        Self {
            profile,
            options,
            strings: StringTable::new(&profile.strings),
            functions: HashMap::new(),
            flaws: Flaws::default(),
            part: proto::Profile::default(),
            buffer: Vec::new(),
            out,
        }
    }

    fn run(mut self) -> io::Result<(W, Flaws)> {
        let placement = Placement::new(self.profile);
        for _ in &self.profile.attributes {
            self.flaws
                .leave_out("attributes of mappings and locations, which pprof cannot represent");
        }
        self.head(&placement)?;
        self.samples()?;
        self.mappings(&placement)?;
        self.locations(&placement)?;
        let texts = std::mem::replace(&mut self.strings, StringTable::new(&self.profile.strings));
        for text in texts.iter() {
            self.part.string_table.push(text.as_bytes().to_vec());
            if self.part.string_table.len() >= BATCH {
                self.flush()?;
            }
        }
        self.flush()?;
        Ok((self.out, self.flaws))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.buffer.clear();
        // Encoding into a vector does not run out of space.
        let encoded = self.part.encode(&mut self.buffer);
        encoded.map_err(io::Error::other)?;
        self.part.clear();
        self.out.write_all(&self.buffer)
    }

    /// Writes what is not repeated: sample types, times, period, comments.
    fn head(&mut self, placement: &Placement) -> io::Result<()> {
        let profile = self.profile;
        for kind in &profile.sample_types {
            let kind = self.value_type(kind);
            self.part.sample_type.push(kind);
        }
        if profile.sample_types.is_empty() {
            // Readers ignore samples if there is no sample type.
            let kind = self.strings.own("samples");
            let unit = self.strings.own("count");
            self.part.sample_type.push(proto::ValueType { kind, unit });
        }
        let default = profile.default_type.unwrap_or(0);
        let default = usize::try_from(default).ok();
        let is_last = default.and_then(|at| at.checked_add(1)) == Some(profile.sample_types.len());
        // The last type is the default of readers.
        if !is_last && let Some(kind) = default.and_then(|at| profile.sample_types.get(at)) {
            self.part.default_sample_type = self.strings.place(kind.kind);
        }
        self.part.time_nanos = self.nanos(profile.start_ns);
        self.part.duration_nanos = self.nanos(profile.duration_ns);
        if let Some((kind, period)) = &profile.period {
            self.part.period_type = Some(self.value_type(kind));
            self.part.period = *period;
        }
        self.comments(placement);
        self.flush()
    }

    fn comments(&mut self, placement: &Placement) {
        for comment in &self.profile.comments {
            let text = self.profile.strings.get(*comment).unwrap_or_default();
            let kept = labels::KEPT.iter().find_map(|(field, begin)| {
                let text = text.strip_prefix(begin)?;
                Some((field, self.strings.own(text)))
            });
            match kept {
                Some((7, place)) => self.part.drop_frames = place,
                Some((8, place)) => self.part.keep_frames = place,
                Some((_, place)) => self.part.doc_url = place,
                None => self.part.comment.push(self.strings.place(*comment)),
            }
        }
        let rows = placement.rows.iter();
        if !rows.clone().any(|row| row.space == Space::Virtual) {
            return;
        }
        self.part.comment.push(self.strings.own(VIRTUAL_OFFSETS));
        let mut last = None;
        for row in rows.filter(|row| row.space == Space::File) {
            if last.replace(row.module) != Some(row.module) {
                let name = self.profile.module(row.module).map(file_name);
                let text = format!("{FILE_OFFSETS}{}", name.unwrap_or_default());
                let comment = self.strings.own(&text);
                if !self.part.comment.contains(&comment) {
                    self.part.comment.push(comment);
                }
            }
        }
    }

    fn samples(&mut self) -> io::Result<()> {
        let profile = self.profile;
        let mut sums = Samples::default();
        let mut values = Vec::new();
        for (sample, given, labels) in profile.samples.iter() {
            self.all_values(&sample, given, &mut values);
            if sample.time_ns.is_some() && !self.options.times {
                let sample = Sample {
                    first_type: 0,
                    ..sample
                };
                sums.sum(sample, &values, labels);
            } else {
                self.sample(&sample, &values, labels)?;
            }
        }
        for (sample, values, labels) in sums.iter() {
            self.sample(&sample, values, labels)?;
        }
        self.flush()
    }

    /// Sets `values` to one value for each sample type.
    fn all_values(&mut self, sample: &Sample, given: &[i64], values: &mut Vec<i64>) {
        values.clear();
        let types = self.profile.sample_types.len();
        if types == 0 {
            values.push(given.first().copied().unwrap_or(1));
            return;
        }
        values.resize(types, 0);
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        let places = values.get_mut(first..).unwrap_or_default();
        if places.len() < given.len() {
            self.flaws
                .count("samples with more values than there are sample types");
        }
        for (place, value) in places.iter_mut().zip(given) {
            *place = *value;
        }
    }

    fn sample(&mut self, sample: &Sample, values: &[i64], labels: &[Label]) -> io::Result<()> {
        let profile = self.profile;
        let mut written = proto::Sample {
            value: values.to_vec(),
            ..proto::Sample::default()
        };
        for location in profile.stacks.iter(sample.stack) {
            if profile.location(location).is_some() {
                written.location_id.push(location_id(location));
            } else {
                self.flaws.count("stacks that refer to a missing location");
            }
        }
        self.thread(sample, &mut written.label);
        if let Some(time) = sample.time_ns {
            let time = self.nanos(Some(time));
            self.number(labels::TIME, time, &mut written.label);
        }
        for label in labels {
            let key = self.strings.place(label.key);
            written.label.push(match label.value {
                LabelValue::Text(text) => proto::Label {
                    key,
                    str: self.strings.place(text),
                    ..proto::Label::default()
                },
                LabelValue::Number(num, unit) => proto::Label {
                    key,
                    num,
                    num_unit: self.place(unit),
                    ..proto::Label::default()
                },
            });
        }
        self.part.sample.push(written);
        if self.part.sample.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn thread(&mut self, sample: &Sample, labels: &mut Vec<proto::Label>) {
        let profile = self.profile;
        let Some(thread) = sample.thread.and_then(|index| profile.thread(index)) else {
            return;
        };
        if let Some(process) = profile.process(thread.process) {
            self.number(labels::PID, process.pid.into(), labels);
            self.text(labels::PROCESS_NAME, process.name, labels);
        }
        if let Some(tid) = thread.tid {
            self.number(labels::TID, tid.into(), labels);
        }
        self.text(labels::THREAD_NAME, thread.name, labels);
    }

    fn number(&mut self, key: &str, num: i64, labels: &mut Vec<proto::Label>) {
        let key = self.strings.own(key);
        labels.push(proto::Label {
            key,
            num,
            ..proto::Label::default()
        });
    }

    fn text(&mut self, key: &str, text: Option<StrIdx>, labels: &mut Vec<proto::Label>) {
        let str = self.place(text);
        if str != 0 {
            let key = self.strings.own(key);
            labels.push(proto::Label {
                key,
                str,
                ..proto::Label::default()
            });
        }
    }

    fn value_type(&mut self, kind: &ValueType) -> proto::ValueType {
        proto::ValueType {
            kind: self.strings.place(kind.kind),
            unit: self.strings.place(kind.unit),
        }
    }

    fn place(&mut self, text: Option<StrIdx>) -> i64 {
        text.map_or(0, |text| self.strings.place(text))
    }

    /// Converts a time to 63 bits, which end in the year 2262.
    fn nanos(&mut self, nanos: Option<u64>) -> i64 {
        i64::try_from(nanos.unwrap_or(0)).unwrap_or_else(|_| {
            self.flaws.count("times that do not fit 63 bits");
            0
        })
    }
}

fn location_id(location: LocationIdx) -> u64 {
    u64::from(location.0).saturating_add(1)
}
